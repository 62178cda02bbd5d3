"""The engine of a service: made and loaded when it is needed, and what is told about that."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from midfill.inference.errors import MidfillError
from midfill.inference.failures import error_of, failure_of
from midfill.inference.quiet_errors import describe
from midfill.inference.wire import EngineState

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.progress import Progress
    from midfill.inference.service.backend import Engine
    from midfill.inference.wire import Failure

    Tell = Callable[[EngineState, str, float | None], None]

log = logging.getLogger(__name__)


def reported(what: str, error: BaseException) -> Failure:
    """An error as those who asked may see it; the log has where it came from.

    Whoever writes the log: in a cluster that is not us.
    """
    failure = failure_of(error)
    origin = "" if isinstance(error, MidfillError) else f" [{describe(error)}]"
    log.warning("%s: %s%s", what, failure.message, origin)
    return failure


class EngineKeeper:
    """Used by one thread alone.

    Attributes:
        ready_since: when the engine was last loaded, on the monotonic clock.

    Args:
        make_engine: called when the engine is first needed.
        tell: told every change of state.
        pause: seconds for which a failed load answers whoever needs the engine.
    """

    def __init__(self, make_engine: Callable[[], Engine], tell: Tell, pause: float) -> None:
        self.ready_since = 0.0
        self._make_engine = make_engine
        self._tell = tell
        self._pause = pause
        self._engine: Engine | None = None
        self._failed_load: tuple[float, Failure] | None = None

    @property
    def fills_at_once(self) -> int:
        """How many fills the engine makes at once; one while it is not known."""
        return self._engine.fills_at_once if self._engine and self._engine.loaded else 1

    def ready(self) -> Engine:
        """The engine, loaded.

        Raises:
            MidfillError: it cannot be loaded.
        """
        if self._engine is not None and self._engine.loaded:
            return self._engine
        if self._failed_load is not None:
            failed_at, failure = self._failed_load
            if time.monotonic() - failed_at < self._pause:
                raise error_of(failure)
        began = time.monotonic()
        self._tell(EngineState.LOADING, "", None)
        try:
            if self._engine is None:
                self._engine = self._make_engine()
            self._engine.load(self._tell_progress)
        except BaseException as error:
            failure = reported("loading the model failed", error)
            self._failed_load = time.monotonic(), failure
            self._tell(EngineState.FAILED, failure.message, None)
            raise error_of(failure) from error
        self._failed_load = None
        self.ready_since = time.monotonic()
        log.info("model loaded in %.1f s", self.ready_since - began)
        self._tell(EngineState.READY, "", None)
        return self._engine

    def unload(self) -> None:
        """Give the model's memory back.

        Raises:
            MidfillError: it cannot be unloaded.
        """
        if self._engine is None or not self._engine.loaded:
            return
        try:
            self._engine.unload()
        except BaseException as error:
            raise error_of(reported("unloading the model failed", error)) from error
        log.info("model unloaded")
        self._tell(EngineState.IDLE, "", None)

    def forget(self, caller: str) -> None:
        """Let go of what is kept of a caller's text.

        Raises:
            MidfillError: that fails.
        """
        if self._engine is None:
            return
        try:
            self._engine.forget(caller)
        except BaseException as error:
            raise error_of(reported("letting go of text failed", error)) from error

    def encode_ahead(self) -> bool:
        """Encode a piece of what the next requests may need; whether there may be more.

        Raises:
            MidfillError: that fails.
        """
        if self._engine is None or not self._engine.loaded:
            return False
        try:
            return self._engine.encode_ahead()
        except BaseException as error:
            raise error_of(reported("encoding ahead failed", error)) from error

    def _tell_progress(self, progress: Progress) -> None:
        self._tell(EngineState.LOADING, progress.message, progress.fraction)
