"""The embedded model in memory, with all that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from midfill.inference.calibration_file import read_calibration
from midfill.inference.canvas import verifying_canvas
from midfill.inference.freed_memory import give_back_freed_memory
from midfill.inference.healing import Vocabulary
from midfill.inference.models.dtypes import fastest_dtype
from midfill.inference.models.embedded.adapter import read_adapter
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.eager_network import EagerNetwork
from midfill.inference.models.embedded.embedding_rows import EmbeddingRows
from midfill.inference.models.embedded.end_head import read_end_head
from midfill.inference.models.embedded.files import CALIBRATION, Form, ensure_files, form_on_cpu
from midfill.inference.models.embedded.int8_network import Int8Network
from midfill.inference.models.embedded.int8_weights import assemble_int8
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.reading_ahead import read_tokenizer
from midfill.inference.models.embedded.weights import Weights, assemble_base, read_tensors
from midfill.inference.pace import Pace
from midfill.inference.progress import Progress
from midfill.kernels.native.library import native_library

if TYPE_CHECKING:
    import torch

    from midfill.inference.confidence import Calibration
    from midfill.inference.models.embedded.end_head import EndHead
    from midfill.inference.models.embedded.files import EmbeddedFiles
    from midfill.inference.models.interface import ModelForSeveral
    from midfill.inference.progress import ProgressListener
    from midfill.inference.tokenizer import Tokenizer

MASKS = 3
"""Guesses made at each step at most: with three, a canvas has 16 slots."""

EXPECTED = (0.80, 0.68, 0.58)
"""How often the first, second and third guess are right, if those before are; held-out files."""

TRIALS = 2
"""Steps of a width that are timed when the model is loaded."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The model, and what its fills are made with.

    Attributes:
        masks: guesses made at each step, at most.
        pace: how many of them are worth their time here; without, all are made.
        looks_up: whether what followed elsewhere is verified along with the guesses.
    """

    model: ModelForSeveral
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    masks: int
    end_head: EndHead | None = None
    calibration: Calibration | None = None
    pace: Pace | None = None
    looks_up: bool = True

    @property
    def guesses(self) -> int:
        """How many to make at the next step."""
        return min(self.masks, self.pace.guesses()) if self.pace else self.masks


def load_embedded(
    device: torch.device, listener: ProgressListener, form: Form | None = None
) -> LoadedModel:
    """Load the embedded model, pulling its weights first where they are missing.

    Args:
        device: where to.
        listener: told of progress.
        form: what its weights are rounded to; by default what is fastest on the device. Only a CPU
            computes in int8.

    Raises:
        MidfillError: the weights cannot be had, or are damaged.
    """
    if form is None:
        form = form_on_cpu() if device.type == "cpu" else Form.BFLOAT16
    files = ensure_files(listener, form=form)
    listener(Progress("loading the embedded model"))
    tokenizer = read_tokenizer(files.tokenizer)
    model = _int8_model(files) if form is Form.INT8 else _eager_model(files, device)
    loaded = LoadedModel(
        model,
        tokenizer,
        Vocabulary(tokenizer.vocabulary_bytes),
        masks=min(MASKS, model.masks),
        end_head=read_end_head(width=model.architecture.width),
        calibration=read_calibration(CALIBRATION),
    )
    loaded.vocabulary.agreeing(b" ")  # sorts it
    loaded = replace(loaded, pace=Pace(_step_costs(loaded), EXPECTED[: loaded.masks]))
    give_back_freed_memory()
    return loaded


def _eager_model(files: EmbeddedFiles, device: torch.device) -> EmbeddedModel:
    architecture = Architecture()
    base = assemble_base(
        read_tensors(files.weights),
        EmbeddingRows(files.weights),
        architecture,
        dtype=fastest_dtype(device),
        device=device,
    )
    weights = Weights.assemble(base, read_adapter(files.adapter), architecture)
    return EmbeddedModel(EagerNetwork(weights, architecture), weights.adapter, architecture)


def _int8_model(files: EmbeddedFiles) -> EmbeddedModel:
    architecture, native = Architecture(), native_library()
    weights, adapter = assemble_int8(
        read_tensors(files.weights),
        EmbeddingRows(files.weights),
        read_adapter(files.adapter),
        architecture,
        native,
    )
    return EmbeddedModel(Int8Network(weights, native), adapter, architecture)


def _step_costs(loaded: LoadedModel) -> dict[int, float]:
    """Seconds of a step by its number of guesses, without a context.

    Steps with the most guesses and with the fewest are timed, the quickest of a few; what lies
    between them costs by its slots. The first one pages the mapped weights in and lets the kernels
    set themselves up.
    """
    token, cache = loaded.tokenizer.fim_middle, loaded.model.new_cache(64)

    def seconds(masks: int) -> float:
        canvas = verifying_canvas(token, [token] * masks, masks)
        start = perf_counter()
        predictions = loaded.model.denoise(canvas, cache)
        predictions.unmasked()
        loaded.model.guess(canvas, predictions, masks, token)
        return perf_counter() - start

    most = loaded.masks
    dearest = min(seconds(most) for _ in range(TRIALS))
    cheapest = min(seconds(1) for _ in range(TRIALS)) if most > 1 else dearest
    slots = {masks: (masks + 1) ** 2 for masks in range(1, most + 1)}
    slot = max(dearest - cheapest, 0.0) / max(slots[most] - slots[1], 1)
    return {masks: cheapest + slot * (slots[masks] - slots[1]) for masks in slots}
