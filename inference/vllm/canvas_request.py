"""One canvas, by the per-request arguments that vLLM takes for diffusion models.

Source: vLLM's ``examples/features/structured_diffusion``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from midfill.inference.errors import EngineUnavailable
from midfill.inference.vllm.answers import Completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.vllm.client import Client
    from midfill.inference.vllm.patience import Patience


@dataclass(frozen=True, slots=True)
class CanvasRequest:
    """What is to be denoised.

    Attributes:
        prompt: ids of what stands before the canvas.
        seed: ids that the slots begin with.
        pinned: slots that are held at their seed.
        steps: denoising steps at most; the canvas is emitted then.
    """

    prompt: Sequence[int]
    seed: Sequence[int]
    pinned: tuple[int, ...]
    steps: int

    def body(self, model: str) -> dict[str, object]:
        """The request as ``/v1/completions`` takes it."""
        return {
            "model": model,
            "prompt": list(self.prompt),
            "max_tokens": len(self.seed),
            "temperature": 0.0,
            "logprobs": 0,
            "return_token_ids": True,
            "skip_special_tokens": False,
            "vllm_xargs": {
                "diffusion_seed_canvas": list(self.seed),
                "diffusion_pinned": list(self.pinned),
                "diffusion_canvas_length": len(self.seed),
                "diffusion_max_steps": self.steps,
                # the schema has no booleans
                "diffusion_read_only": 1,
            },
        }


@dataclass(frozen=True, slots=True)
class Denoised:
    """Attributes:
    ids: of all slots.
    log_probabilities: of those ids at temperature 1, nats; 0 where the server does not tell.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]


def holds_pinned_slots(
    client: Client, model: str, request: CanvasRequest, patience: Patience
) -> bool | None:
    """Whether a canvas comes back as it was pinned; nothing where the server takes none such.

    Raises:
        MidfillError, OutOfTime: as `Client.post`.
    """
    completion = client.offer(Completion, "/v1/completions", request.body(model), patience)
    if completion is None:
        return None
    canvas = _denoised(completion, request)
    return canvas is not None and _held(request, canvas)


def denoise_all(
    client: Client, model: str, requests: Sequence[CanvasRequest], patience: Patience
) -> list[Denoised]:
    """Canvases that are denoised at the same time.

    Raises:
        EngineUnavailable: the server did not hold a pinned slot.
        MidfillError, OutOfTime: as `Client.post`.
    """
    bodies = [request.body(model) for request in requests]
    completions = client.post_all(Completion, "/v1/completions", bodies, patience)
    canvases = []
    for completion, request in zip(completions, requests, strict=True):
        canvas = _denoised(completion, request)
        if canvas is None or not _held(request, canvas):
            raise EngineUnavailable(
                f"the vLLM server at {client.host} changes pinned slots: put suffix=prompt behind "
                "the model's name, or serve it with a version that holds them"
            )
        canvases.append(canvas)
    return canvases


def _held(request: CanvasRequest, canvas: Denoised) -> bool:
    return all(canvas.ids[slot] == request.seed[slot] for slot in request.pinned)


def _denoised(completion: Completion, request: CanvasRequest) -> Denoised | None:
    """The only choice, if it has as many slots as were sent."""
    if len(completion.choices) != 1:
        return None
    choice = completion.choices[0]
    if choice.token_ids is None or len(choice.token_ids) != len(request.seed):
        return None
    told = choice.logprobs.token_logprobs if choice.logprobs else []
    if len(told) != len(choice.token_ids):
        told = [None] * len(choice.token_ids)
    return Denoised(
        tuple(choice.token_ids), tuple(min(0.0, value) if value else 0.0 for value in told)
    )
