"""The engine's figures for Prometheus, in a registry of their own. No names, and no text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from midfill.inference.wire import EngineState

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.service.accounts import Account

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 1, 2.5, 5, 10, 30)
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256)


class Metrics:
    """Counts requests as they end.

    Args:
        version: of Midfill.
        state: the engine's present state.
        queue: how many fills wait or run.
    """

    def __init__(
        self, version: str, state: Callable[[], EngineState], queue: Callable[[], int]
    ) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge("midfill_info", "Always 1.", ["version"], registry=registry).labels(version).set(1)
        model_state = Gauge(
            "midfill_model_state", "1 for the state it is in.", ["state"], registry=registry
        )
        for each in EngineState:
            model_state.labels(each.value).set_function(partial(_is, state, each))
        Gauge("midfill_queue_length", "Fills that wait or run.", registry=registry).set_function(
            queue
        )
        self._requests = Counter(
            "midfill_requests", "HTTP requests.", ["route", "status"], registry=registry
        )
        self._refusals = Counter(
            "midfill_refusals",
            "Requests that were refused or failed, by reason.",
            ["reason"],
            registry=registry,
        )
        self._stages = Histogram(
            "midfill_stage_seconds",
            "What a fill took, by stage; total is as the client saw it.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._steps = Histogram(
            "midfill_fill_steps", "Denoising steps of a fill.", buckets=STEPS, registry=registry
        )
        self._tokens = Counter("midfill_filled_tokens", "Tokens of fills.", registry=registry)
        self._context = Counter(
            "midfill_context_tokens",
            "Tokens of context: found in the cache (hit), or encoded (new).",
            ["found"],
            registry=registry,
        )

    def count(self, route: str, status: int, seconds: float, account: Account) -> None:
        """A request has ended."""
        self._requests.labels(route, str(status)).inc()
        if account.refusal:
            self._refusals.labels(account.refusal).inc()
        if (final := account.final) is None:
            return
        stages = {
            "queue": account.queue,
            "encode": final.ms.encode / 1e3,
            "denoise": final.ms.denoise / 1e3,
            "total": seconds,
        }
        for stage, taken in stages.items():
            self._stages.labels(stage).observe(taken)
        self._steps.observe(final.steps)
        self._tokens.inc(final.tokens)
        self._context.labels("hit").inc(final.cache.hit_tokens)
        self._context.labels("new").inc(final.cache.new_tokens)

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)


def _is(state: Callable[[], EngineState], which: EngineState) -> float:
    return float(state() is which)
