"""pygls' protocol with the documents of this server, and an answer to malformed requests."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from midfill.lsp.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from midfill.inference.exclusion.policy import ExclusionPolicy


class Listening(Protocol):
    """A server that hears first what a client wants, and knows by then what it must not see."""

    def hear_options(self, options: object) -> None: ...

    def exclusion_policy(self) -> ExclusionPolicy: ...

    def text_let_go(self, uri: str) -> None: ...


class MidfillProtocol(LanguageServerProtocol):
    """The protocol of one connection."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        server = cast("Listening", self._server)
        server.hear_options(params.initialization_options)
        result = yield from super().lsp_initialize(params)
        plain = self.workspace
        self._workspace = DocumentStore(
            plain.root_uri,
            plain._sync_kind,
            list(plain.folders.values()),
            plain.position_encoding,
            server.exclusion_policy(),
            server.text_let_go,
        )
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Generator[Any, Any, None]:  # noqa: ANN401
        """As in pygls, which trips over futures that go while it goes through them."""
        if handler := self.fm.features.get(types.SHUTDOWN):
            yield handler, args, None
        current = self.msg_id
        for msg_id, future in [*self._request_futures.items()]:
            if msg_id != current and not future.done():
                future.cancel()
        self._shutdown = True

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: types.ExecuteCommandParams
    ) -> object:
        """As in pygls, where commands go on after the client has cancelled them."""
        handler, args, kwargs = next(super().lsp_workspace__execute_command(params))
        result = handler(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    def _execute_handler(
        self,
        msg_id: str | int,
        handler: Callable[..., Any],
        callback: Callable[[Future[Any]], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """As in pygls, which keeps the finished future of every notification."""
        super()._execute_handler(msg_id, handler, callback, args, kwargs)
        future = self._request_futures.get(msg_id)
        if future is not None:
            future.add_done_callback(partial(self._forget, msg_id))

    def _forget(self, msg_id: str | int, future: object) -> None:
        if self._request_futures.get(msg_id) is future:
            del self._request_futures[msg_id]

    def _handle_response(
        self, msg_id: str | int, result: object = None, error: types.ResponseError | None = None
    ) -> None:
        """As in pygls, which keeps for ever what type the answer to a refused request had had."""
        self._result_types.pop(msg_id, None)
        waiting = self._request_futures.get(msg_id)
        if waiting is not None and waiting.cancelled():  # pygls would try to set its result
            del self._request_futures[msg_id]
            return
        super()._handle_response(msg_id, result, error)

    def _send_response(
        self, msg_id: str | int, result: object = None, error: types.ResponseError | None = None
    ) -> None:
        """As in pygls, but that a handler may give a function of what is true when it is sent.

        Between a handler's end and this the client's next message may be handled.
        """
        super()._send_response(msg_id, result() if callable(result) else result, error)

    def structure_message(self, data: dict[str, Any]) -> object:
        """As in pygls, which leaves a client waiting for ever if its request makes no sense."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if isinstance(data.get("id"), str | int) and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise
