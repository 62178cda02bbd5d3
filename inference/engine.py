"""The engine: one model in memory, and the fills it makes.

Not thread-safe: whoever creates it, or one thread on their behalf, owns it.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import torch

from midfill.inference.devices import torch_device, usual_device
from midfill.inference.errors import OutOfMemory
from midfill.inference.fillers.filler import EncodesAhead, KeepsCallersApart, Run
from midfill.inference.fillers.opening import open_filler
from midfill.inference.freed_memory import give_back_freed_memory
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.reference import model_reference
from midfill.inference.prefix_cache import CONTEXT_BYTES
from midfill.inference.progress import ProgressListener, nobody_listens
from midfill.inference.spare_cores import SpareCores
from midfill.inference.stopwatch import Stopwatch
from midfill.kernels.thread_limit import use_no_more_threads_than_start
from midfill.kernels.threads import use_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from midfill.inference.fillers.filler import Filler
    from midfill.inference.models.options import Options
    from midfill.inference.wire import Draft, Final, InfillRequest
    from midfill.inference.wire_prompt import ShownPrompt


def _never() -> bool:
    return False


class Engine:
    """Fills holes with one model.

    Attributes:
        model: the model's name.
        reference: the same, taken apart.
    """

    def __init__(
        self,
        model: str = "embedded",
        device: str | None = None,
        *,
        context_bytes: int = CONTEXT_BYTES,
        fills_at_once: int | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            model: its name.
            device: a torch device. By default the embedded model runs on the CPU, and a big one on
                a GPU if there is one.
            context_bytes: what the embedded model keeps of encoded contexts.
            fills_at_once: at most; by default as many as gain by it.

        Raises:
            UsageError: there is no such model or device.
        """
        self.model = model
        self.reference = model_reference(model)
        self._device = torch_device(device or usual_device(self.reference.place))
        self._filler: Filler | None = None
        self._context_bytes = context_bytes
        self._most_at_once = fills_at_once
        self._spare_cores = SpareCores(use_no_more_threads_than_start())

    @property
    def loaded(self) -> bool:
        return self._filler is not None

    @property
    def fills_at_once(self) -> int:
        """Fills that gain by sharing the model's steps (`inference.shared_steps`)."""
        if self._filler is None:
            return 1
        gaining = self._filler.fills_at_once
        return min(gaining, self._most_at_once or gaining)

    @property
    def filler(self) -> Filler:
        """The model in memory, which is loaded first where it is not."""
        self.load()
        assert self._filler is not None
        return self._filler

    def load(self, listener: ProgressListener = nobody_listens) -> None:
        """Load the model, pulling it first where it is missing. Does nothing if it is loaded.

        Raises:
            MidfillError: the weights cannot be had, are damaged, or do not fit.
        """
        if self._filler is None:
            with memory_errors():
                self._filler = open_filler(
                    self.reference, self._device, listener, self._context_bytes
                )

    def forget(self, caller: str | None = None) -> None:
        """Let go of contexts: some of the text is not to be kept any more.

        Args:
            caller: whose; None for everybody's. Of a model that keeps no more than the last
                request's, everything goes.
        """
        if caller is not None and isinstance(self._filler, KeepsCallersApart):
            self._filler.forget_caller(caller)
        elif self._filler is not None:
            self._filler.forget()

    def unload(self) -> None:
        """Give the model's and the caches' memory back."""
        if self._filler is not None:
            self._filler.close()
        self._filler = None
        self._free()

    def infill(
        self, request: InfillRequest, cancelled: Callable[[], bool] = _never, caller: str = ""
    ) -> Iterator[Draft | Final]:
        """Fill the request's hole: a draft after each denoising step, then the final fill.

        Where memory runs out, the caches are dropped and the fill begins again; where that is not
        enough, with a smaller canvas.

        Args:
            request: what to fill.
            cancelled: asked between steps; abandoning the iterator does the same.
            caller: whose request it is.

        Raises:
            Cancelled: ``cancelled`` said so.
            InvalidText: the text has no UTF-8 form.
            OutOfMemory: the request does not fit, however small the canvas.
        """
        watch = Stopwatch(monotonic())
        deadline = watch.started + request.limits.deadline_ms / 1e3
        if self._filler is None:
            self.load()
            watch.load = monotonic() - watch.started
            deadline += watch.load
        filler, run = self.filler, Run(deadline, watch, cancelled, caller)
        use_threads(self._spare_cores.count())
        caches_dropped = False
        while True:
            try:
                with memory_errors():
                    yield from filler.fill(request, run)
                give_back_freed_memory()
                return
            except OutOfMemory:
                filler.forget()
                self._free()
                if caches_dropped and not filler.shrink():
                    raise
                caches_dropped = True

    def encode_ahead(self) -> bool:
        """Use the time while nothing is asked for a piece of what the next requests may need.

        It takes as many cores as the request before.

        Returns:
            Whether there may be more to do.

        Raises:
            OutOfMemory: there is no room for it.
        """
        if not isinstance(self._filler, EncodesAhead):
            return False
        with memory_errors():
            return self._filler.encode_ahead()

    @contextmanager
    def filling_with(self, options: Options) -> Iterator[None]:
        """Fill with other options for as long as the context lasts, by the same weights.

        Raises:
            UsageError: the model has no use for them.
        """
        usual = self.filler
        self._filler = usual.with_options(options)
        try:
            yield
        finally:
            self._filler = usual

    def prompt(self, request: InfillRequest) -> ShownPrompt:
        """What the model would be given for a request; nothing is filled.

        Raises:
            InvalidText: the text has no UTF-8 form.
            MidfillError: the model cannot be loaded.
        """
        return self.filler.prompt(request)

    def _free(self) -> None:
        gc.collect()
        give_back_freed_memory()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
