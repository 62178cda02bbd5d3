"""One log record a request, and the figures that go with it; never text, paths or tokens."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from midfill.inference.service.accounts import open_account
from midfill.inference.service.callers import CALLER
from midfill.inference.service.refusing import LEFT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from midfill.inference.service.accounts import Account
    from midfill.inference.service.metrics import Metrics

log = logging.getLogger(__name__)

NO_ROUTE = "(none)"


class AccessLog:
    """Stands before everything else, so that it sees what is refused, too.

    Args:
        app: what answers.
        routes: paths that there are; what else somebody wrote into an address is not repeated.
        metrics: counts every request.
        written: whether each is written into the log as well.
    """

    def __init__(
        self, app: ASGIApp, routes: frozenset[str], metrics: Metrics, *, written: bool
    ) -> None:
        self._app = app
        self._routes = routes
        self._metrics = metrics
        self._written = written

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        account = open_account()
        status = LEFT

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            self._end(scope, account, status)

    def _end(self, scope: Scope, account: Account, status: int) -> None:
        seconds = time.monotonic() - account.began
        if status >= 400 and not account.refusal:
            account.refusal = f"status-{status}"
        route = scope["path"] if scope["path"] in self._routes else NO_ROUTE
        self._metrics.count(route, status, seconds, account)
        if self._written:
            fields = fields_of(scope, route, account, status, seconds)
            log.info("%s", _in_words(fields), extra={"fields": fields})


def fields_of(
    scope: Scope, route: str, account: Account, status: int, seconds: float
) -> dict[str, object]:
    """What is logged of a request; milliseconds by stage, and of a fill its figures."""
    fields: dict[str, object] = {
        "caller": scope.get(CALLER, ""),
        "method": scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "(other)",
        "route": route,
        "status": status,
        "ms": {"total": round(1e3 * seconds, 1)},
    }
    if account.refusal:
        fields["refusal"] = account.refusal
    if final := account.final:
        fields["ms"] = {
            "queue": round(1e3 * account.queue, 1),
            **{stage: round(ms, 1) for stage, ms in final.ms.model_dump().items()},
            "total": round(1e3 * seconds, 1),
        }
        fields |= {
            "steps": final.steps,
            "tokens": final.tokens,
            "stop": final.stop.value,
            "cache_hit_tokens": final.cache.hit_tokens,
            "cache_new_tokens": final.cache.new_tokens,
        }
    return fields


def _in_words(fields: dict[str, object]) -> str:
    flat = dict(fields)
    stages = flat.pop("ms")
    assert isinstance(stages, dict)
    flat |= {f"{stage}_ms": ms for stage, ms in stages.items()}
    return "request " + " ".join(f"{name}={value or '-'}" for name, value in flat.items())
