"""Fills that share the steps of the embedded model."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import torch

from midfill.inference.canvas import Canvas, CanvasLayout, first_canvas, verifying_canvas
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.fillers.filler import Run
from midfill.inference.models.loading import load_embedded
from midfill.inference.progress import nobody_listens
from midfill.inference.shared_model import SharedModel
from midfill.inference.shared_steps import SharedSteps
from midfill.inference.stopwatch import Stopwatch
from midfill.inference.wire import Extent, Final, HoleSpan, InfillRequest, Limits

if TYPE_CHECKING:
    from midfill.inference.models.loading import LoadedModel

pytestmark = pytest.mark.usefixtures("one_thread")

REQUESTS = (
    InfillRequest(prefix="def add(a, b):\n    ", suffix="\n\n\nprint(add(1, 2))\n"),
    InfillRequest(prefix="import os\n\nfor name in os.lis", suffix="\n    print(name)\n", n=2),
    InfillRequest(prefix="total = 0\nfor i in range(10):\n    tot", temperature=0.8, seed=3),
    InfillRequest(
        prefix="class Stack:\n    def __init__(self):\n        self.items = []\n\n"
        "    def push(self, item):\n        ",
        suffix="\n\n    def pop(self):\n        return self.items.pop()\n",
        holes=(HoleSpan(start=100, end=100, extent=Extent.BLOCK),),
        limits=Limits(tokens=24),
    ),
)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_embedded(torch.device("cpu"), nobody_listens)


def filled(filler: EmbeddedFiller, request: InfillRequest) -> Final:
    run = Run(monotonic() + 600, Stopwatch(monotonic()), lambda: False)
    [final] = [one for one in filler.fill(request, run) if isinstance(one, Final)]
    return final


def filler_of(loaded: LoadedModel) -> EmbeddedFiller:
    # always as many guesses and nothing looked up, so that steps do not depend on what went before
    filler = EmbeddedFiller(replace(loaded, model=SharedModel(loaded.model), pace=None), "embedded")
    assert filler.fills_at_once >= len(REQUESTS)
    return filler


def test_fills_that_share_steps_write_what_they_write_alone(loaded: LoadedModel) -> None:
    filler = filler_of(loaded)
    alone = []
    for request in REQUESTS:
        filler.forget()
        alone.append(filled(filler, request))
    filler.forget()

    passes: list[int] = []
    model = loaded.model
    denoise_together = model.denoise_together

    def counted(canvases: list[Canvas], caches: list[object]) -> object:
        passes.append(len(canvases))
        return denoise_together(canvases, caches)

    steps, finals = SharedSteps(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "denoise_together", counted)
        for number, request in enumerate(REQUESTS):

            def work(number: int = number, request: InfillRequest = request) -> None:
                finals[number] = filled(filler, request)

            steps.begin(work, lambda: False)
        while len(steps):
            steps.advance()

    assert max(passes) > 1
    for number, expected in enumerate(alone):
        found = finals[number]
        for name in ("text", "alternatives", "log_probabilities", "stop", "steps", "confidence"):
            assert getattr(found, name) == getattr(expected, name), (number, name)


def test_canvases_in_one_pass_are_predicted_to_the_bit_as_if_alone(loaded: LoadedModel) -> None:
    contexts = ([5, 6, 7], [11, 12, 13, 14, 15], [21] * 40)
    canvases = (
        verifying_canvas(8, (9, 10, 11), 3),
        first_canvas((16, 17), 2, (18,)),
        Canvas((22,), CanvasLayout(1, (0,), 0)),
    )
    alone, together = [], []
    for found in (alone, together):
        caches = [loaded.model.new_cache(8) for _ in contexts]
        for tokens, cache in zip(contexts, caches, strict=True):
            loaded.model.encode(tokens, cache)
        if found is alone:
            for canvas, cache in zip(canvases, caches, strict=True):
                found.append((loaded.model.denoise(canvas, cache), cache))
        else:
            predicted = loaded.model.denoise_together(canvases, caches)
            found += zip(predicted, caches, strict=True)
    for (one, one_cache), (other, other_cache), canvas in zip(
        alone, together, canvases, strict=True
    ):
        assert torch.equal(one.known_states, other.known_states)
        assert torch.equal(one.mask_states, other.mask_states)
        end = len(one_cache) + canvas.layout.known  # below the entry layer there are no masks
        assert torch.equal(one_cache.keys[:, :, :end], other_cache.keys[:, :, :end])
