"""The embedded model against an independent implementation of its base, in float32."""

from __future__ import annotations

import inspect
import random
from itertools import islice
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_training import tiny_model
from torch import Tensor

from midfill.inference import prefix_cache
from midfill.inference.belief import AT_ONCE, Belief
from midfill.inference.canvas import Canvas, CanvasLayout, first_canvas, verifying_canvas
from midfill.inference.choosing import choose_greedily
from midfill.inference.denoising import denoise
from midfill.inference.healing import Healing, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import Qwen2ForCausalLM

    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.embedded.model import EmbeddedModel
    from midfill.inference.models.interface import CanvasPredictions
    from midfill.inference.tokenizer import Tokenizer

PROMPTS = (
    "def mean(values):\n    return ",
    "import json\n\n\ndef load(path):\n    with open(path) as file:\n",
    "for i in range(10):\n    print(",
)


@pytest.fixture(scope="module")
def reference(exact_tensors: dict[str, Tensor]) -> Qwen2ForCausalLM:
    """With the same tensors; how the file is read is compared in `test_prepare`."""
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        rms_norm_eps=1e-6,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    model.load_state_dict(named_by_transformers(exact_tensors), assign=True)
    model.model.rotary_emb = Qwen2RotaryEmbedding(config)  # it has no parameters
    return model.eval()


def named_by_transformers(fused: dict[str, Tensor]) -> dict[str, Tensor]:
    """The base's tensors, apart and under the names that they were published with."""
    found = {
        "model.embed_tokens.weight": fused["embedding"],
        "model.norm.weight": fused["final_norm"],
        "lm_head.weight": fused["head"],
    }
    for layer in range(24):
        ours, theirs = f"layers.{layer}.", f"model.layers.{layer}."
        for kind in ("weight", "bias"):
            parts = fused[f"{ours}qkv.{kind}"].split([896, 128, 128])
            for name, part in zip("qkv", parts, strict=True):
                found[f"{theirs}self_attn.{name}_proj.{kind}"] = part
        gate, up = fused[f"{ours}gate_up.weight"].split(4864)
        found |= {
            f"{theirs}input_layernorm.weight": fused[f"{ours}attention_norm"],
            f"{theirs}post_attention_layernorm.weight": fused[f"{ours}mlp_norm"],
            f"{theirs}self_attn.o_proj.weight": fused[f"{ours}o.weight"],
            f"{theirs}mlp.gate_proj.weight": gate,
            f"{theirs}mlp.up_proj.weight": up,
            f"{theirs}mlp.down_proj.weight": fused[f"{ours}down.weight"],
        }
    return found


@pytest.fixture(scope="module")
def tiny() -> EmbeddedModel:
    """For what is about the loop and not about the weights."""
    return tiny_model(masks=4)


@pytest.fixture(scope="module")
def python_file(tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode(inspect.getsource(prefix_cache))[:160]


def greedy_reference(
    model: Qwen2ForCausalLM, prompt: Sequence[int], written: Sequence[int]
) -> list[int]:
    """The best token at each place, if what is written stands before it.

    It is what is written exactly if greedy generation writes that, in one pass for all of it.
    """
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *written]])).logits[0]
    return logits[len(prompt) - 1 : -1].argmax(-1).tolist()


def denoised(
    model: EmbeddedModel,
    prompt: Sequence[int],
    count: int,
    masks: int = 3,
    belief: Belief | None = None,
    find: Callable[[Sequence[int], Sequence[int]], Sequence[int]] | None = None,
) -> tuple[list[int], int]:
    """The first ``count`` tokens of the loop, and the steps that it took."""
    tokens: list[int] = []
    steps = denoise(
        model,
        model.new_cache(512),
        prompt,
        choose=choose_greedily,
        healing=Healing(Vocabulary([])),
        masks=masks,
        belief=belief,
        find=find,
    )
    for number, step in enumerate(steps, 1):
        tokens += step.tokens
        if len(tokens) >= count:
            return tokens[:count], number
    raise AssertionError


def test_logits_on_a_python_file_are_those_of_transformers(
    exact_model: EmbeddedModel, reference: Qwen2ForCausalLM, python_file: list[int]
) -> None:
    with torch.inference_mode():
        theirs = reference(torch.tensor([python_file])).logits[0]
    everything_read = Canvas(tuple(python_file), CanvasLayout(len(python_file), (0,), 0))
    ours = exact_model.denoise(everything_read, exact_model.new_cache(512)).logits
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 1e-4


def test_greedy_output_is_token_for_token_the_base_models(
    exact_model: EmbeddedModel, reference: Qwen2ForCausalLM, tokenizer: Tokenizer
) -> None:
    total_steps = 0
    for text in PROMPTS:
        prompt = [tokenizer.fim_prefix, tokenizer.fim_suffix, tokenizer.fim_middle]
        prompt += tokenizer.encode(text)
        ours, steps = denoised(exact_model, prompt, 14)
        assert ours == greedy_reference(reference, prompt, ours)
        total_steps += steps
    assert total_steps < 14 * len(PROMPTS)  # the adapter's guesses were worth something


def test_greedy_output_does_not_depend_on_what_is_guessed(
    tiny: EmbeddedModel, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = tokenizer.encode(PROMPTS[0])
    expected, _ = denoised(tiny, prompt, 16)
    noise = random.Random(0)

    def guess_wildly(*_: object) -> tuple[int, ...]:
        return tuple(noise.randrange(150_000) for _ in range(3))

    monkeypatch.setattr(tiny, "guess", guess_wildly)
    tokens, steps = denoised(tiny, prompt, 16)
    assert tokens == expected
    assert steps == 16


def test_greedy_output_does_not_depend_on_what_is_looked_up(
    tiny: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    prompt = tokenizer.encode(PROMPTS[0])
    expected, steps = denoised(tiny, prompt, 16)
    noise = random.Random(0)

    def find_anything(certain: Sequence[int], guesses: Sequence[int]) -> Sequence[int]:
        return [noise.randrange(150_000) for _ in range(noise.randrange(5))]

    def find_the_truth(certain: Sequence[int], guesses: Sequence[int]) -> Sequence[int]:
        written.extend(certain)
        return expected[len(written) + len(guesses) :][:4]

    written: list[int] = []
    assert denoised(tiny, prompt, 16, find=find_anything) == (expected, steps)
    tokens, fewer = denoised(tiny, prompt, 16, masks=0, find=find_the_truth)
    assert tokens == expected
    assert fewer <= 16 // 4 < denoised(tiny, prompt, 16, masks=0)[1]


def test_greedy_output_does_not_depend_on_the_number_of_masks(
    exact_model: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    prompt = tokenizer.encode(PROMPTS[1])
    expected, _ = denoised(exact_model, prompt, 8)
    for masks in (1, 2, 4):
        assert denoised(exact_model, prompt, 8, masks)[0] == expected


@pytest.mark.parametrize("trusted", [False, True])
def test_what_is_believed_changes_how_many_steps_it_takes_and_nothing_else(
    tiny: EmbeddedModel, tokenizer: Tokenizer, trusted: bool
) -> None:
    prompt = tokenizer.encode(PROMPTS[2])
    expected, steps = denoised(tiny, prompt, 12)
    for right in (0, 1, 5, 12):
        believed = (*expected[:right], *[0] * (12 - right))
        for ends in (False, True):
            belief = Belief(believed, ends=ends, trusted=trusted)
            tokens, taken = denoised(tiny, prompt, 12, belief=belief)
            assert tokens == expected
            if right == 12:
                assert taken == 1
            else:
                assert taken <= steps + 1


def test_a_belief_that_holds_is_verified_part_by_part(
    tiny: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    prompt, count = tokenizer.encode(PROMPTS[1]), 2 * AT_ONCE + 4
    expected, _ = denoised(tiny, prompt, count)
    for believed in (expected, [*expected[: AT_ONCE + 5], *[0] * 5, *expected[AT_ONCE + 10 :]]):
        tokens, taken = denoised(tiny, prompt, count, belief=Belief(tuple(believed)))
        assert tokens == expected
        if believed == expected:
            assert taken == 3  # each step brings its part and the token behind it


def test_a_trusted_belief_costs_a_slot_a_token_and_no_mask(
    tiny: EmbeddedModel, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = tokenizer.encode(PROMPTS[2])
    expected, _ = denoised(tiny, prompt, 6)
    slots: list[int] = []
    denoise_canvas = tiny.denoise

    def counted(canvas: Canvas, cache: ContextCache) -> CanvasPredictions:
        slots.append(canvas.layout.slots)
        return denoise_canvas(canvas, cache)

    monkeypatch.setattr(tiny, "denoise", counted)
    believed = tuple(expected[:5])
    for belief in (Belief(believed, ends=True, trusted=True), Belief(believed, ends=True)):
        assert denoised(tiny, prompt, 6, belief=belief) == (expected, 1)
    assert slots == [len(prompt) + 5, len(prompt) + 5 + 3]


def test_a_canvas_behind_a_cache_equals_the_same_canvas_without_one_for_every_cut(
    tiny: EmbeddedModel, python_file: list[int]
) -> None:
    context, guesses = python_file[:20], python_file[20:23]
    tokens = (*context, *guesses)

    def behind(cut: int) -> CanvasPredictions:
        cache = tiny.new_cache(64)
        tiny.encode(context[:cut], cache)
        known = len(tokens) - cut
        layout = CanvasLayout(known, tuple(range(known - 4, known)), 3)
        return tiny.denoise(Canvas(tokens[cut:], layout), cache)

    uncached = behind(0)
    for cut in range(1, len(context)):
        cached = behind(cut)
        torch.testing.assert_close(cached.logits, uncached.logits, atol=2e-4, rtol=1e-4)
        torch.testing.assert_close(cached.mask_states, uncached.mask_states, atol=2e-3, rtol=1e-3)


def test_a_group_of_masks_predicts_what_it_would_alone_behind_as_many_accepted_guesses(
    exact_model: EmbeddedModel, python_file: list[int]
) -> None:
    context, certain, guesses = python_file[:12], python_file[12], python_file[13:16]
    cache = exact_model.new_cache(64)
    exact_model.encode(context, cache)
    canvas = verifying_canvas(certain, guesses, 3)
    together = exact_model.denoise(canvas, cache)
    for accepted in range(len(guesses) + 1):
        one = first_canvas([certain, *guesses[:accepted]], 3)
        alone = exact_model.denoise(one, cache)
        torch.testing.assert_close(
            together.mask_states[accepted], alone.mask_states[0], atol=2e-3, rtol=1e-3
        )
        following = int(together.logits[accepted].argmax())
        assert exact_model.guess(canvas, together, accepted, following) == exact_model.guess(
            one, alone, accepted, following
        )


def test_a_guess_depends_on_the_token_that_is_certain_before_it(
    exact_model: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    prompt = tokenizer.encode("import numpy as np\nimport os\n\nx = ")
    canvas = first_canvas(prompt, 3)
    predictions = exact_model.denoise(canvas, exact_model.new_cache(64))
    guesses = {
        text: exact_model.guess(canvas, predictions, len(prompt) - 1, tokenizer.encode(text)[0])
        for text in ("np", "os", "1", "[")
    }
    assert len({first for first, *_ in guesses.values()}) > 1


def test_no_group_behind_a_slot_means_no_guesses(
    exact_model: EmbeddedModel, python_file: list[int]
) -> None:
    canvas = Canvas(tuple(python_file[:8]), CanvasLayout(8, (7,), 2))
    predictions = exact_model.denoise(canvas, exact_model.new_cache(64))
    assert exact_model.guess(canvas, predictions, 3, python_file[8]) == ()
    assert len(exact_model.guess(canvas, predictions, 7, python_file[8])) == 2


def test_known_slots_never_feel_the_masks(
    exact_model: EmbeddedModel, python_file: list[int]
) -> None:
    def known_logits(masks: int) -> Tensor:
        canvas = verifying_canvas(python_file[10], python_file[11:14], masks)
        cache = exact_model.new_cache(64)
        exact_model.encode(python_file[:10], cache)
        return exact_model.denoise(canvas, cache).logits

    torch.testing.assert_close(known_logits(4), known_logits(0), atol=2e-4, rtol=1e-4)


def test_keeping_accepted_slots_leaves_the_cache_as_if_they_had_been_encoded(
    exact_model: EmbeddedModel, python_file: list[int]
) -> None:
    context, certain, guesses = python_file[:10], python_file[10], python_file[11:14]
    kept = exact_model.new_cache(64)
    exact_model.encode(context, kept)
    canvas = verifying_canvas(certain, guesses, 3)
    exact_model.denoise(canvas, kept)
    exact_model.keep(canvas, 3, kept)

    encoded = exact_model.new_cache(64)
    exact_model.encode([*context, certain, *guesses[:2]], encoded)

    assert kept.tokens == encoded.tokens
    length = len(kept)
    torch.testing.assert_close(
        kept.keys[:, :, :length], encoded.keys[:, :, :length], atol=2e-4, rtol=1e-4
    )
    torch.testing.assert_close(
        kept.values[:, :, :length], encoded.values[:, :, :length], atol=2e-4, rtol=1e-4
    )


def test_the_loop_goes_on_for_as_long_as_somebody_iterates(
    tiny: EmbeddedModel, tokenizer: Tokenizer
) -> None:
    steps = denoise(
        tiny,
        tiny.new_cache(8),  # has to grow
        tokenizer.encode("x = 1\n"),
        choose=choose_greedily,
        healing=Healing(Vocabulary([])),
        masks=2,
    )
    assert all(step.tokens for step in islice(steps, 12))
