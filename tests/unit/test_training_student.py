"""What is trained is what ships: the student computes what the model computes for masks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_training import ARCHITECTURE, SHAPE, tiny_base

from midfill.inference.canvas import first_canvas
from midfill.inference.choosing import choose_greedily
from midfill.inference.denoising import denoise
from midfill.inference.healing import Healing, Vocabulary
from midfill.inference.models.embedded.adapter import FORMAT, AdapterFile
from midfill.inference.models.embedded.eager_network import EagerNetwork
from midfill.inference.models.embedded.model import EmbeddedModel
from midfill.inference.models.embedded.sampler_head import SamplerHead
from midfill.inference.models.embedded.weights import Base, Weights
from midfill.inference.training.acceptance import acceptance
from midfill.inference.training.rollout import Rollout, Teacher
from midfill.inference.training.student import Student, initial_parameters

GUESS_TOKENS = torch.arange(100, 100 + SHAPE.guessable)
CONTEXTS = [[5, 9, 14, 3, 77, 21, 8], [40, 41, 2, 2, 19, 1, 30], [7, 7, 7, 300, 7, 12, 90]]


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base()


@pytest.fixture(scope="module")
def parameters() -> dict[str, torch.Tensor]:
    drawing = torch.Generator().manual_seed(3)
    return {
        name: 0.3 * torch.randn(tensor.shape, generator=drawing)
        for name, tensor in initial_parameters(SHAPE, ARCHITECTURE, 0).items()
    }


@pytest.fixture(scope="module")
def model(base: Base, parameters: dict[str, torch.Tensor]) -> EmbeddedModel:
    file = AdapterFile(
        {**parameters, "guess_tokens": GUESS_TOKENS.int()},
        {"format": FORMAT, "entry_layer": str(SHAPE.entry_layer)},
    )
    weights = Weights.assemble(base, file, ARCHITECTURE)
    return EmbeddedModel(EagerNetwork(weights, ARCHITECTURE), weights.adapter, ARCHITECTURE)


@pytest.fixture(scope="module")
def rollout(base: Base) -> Rollout:
    teacher = Teacher(base, ARCHITECTURE, SHAPE.entry_layer)
    return teacher.greedy(CONTEXTS, 10, lambda: None)


def test_the_teacher_goes_on_as_the_model_does(model: EmbeddedModel, rollout: Rollout) -> None:
    for window, context in enumerate(CONTEXTS):
        written: list[int] = []
        for step in denoise(
            model,
            model.new_cache(64),
            context,
            choose=choose_greedily,
            healing=Healing(Vocabulary([])),
            masks=2,
        ):
            written += step.tokens
            if len(written) >= 11:
                break
        assert rollout.tokens[window, len(context) :].tolist() == written[:11]


def test_forced_text_has_the_keys_of_the_models_own_cache(base: Base, model: EmbeddedModel) -> None:
    following = [[1, 2, 3, 4], [9, 8, 7, 6], [5, 5, 5, 5]]
    teacher = Teacher(base, ARCHITECTURE, SHAPE.entry_layer)
    forced = teacher.forced(CONTEXTS, following, lambda: None)
    for window, context in enumerate(CONTEXTS):
        cache = model.new_cache(64)
        model.encode([*context, *following[window][:-1]], cache)
        length = len(cache)
        torch.testing.assert_close(
            forced.keys[:, window], cache.keys[SHAPE.entry_layer :, :, :length]
        )
        torch.testing.assert_close(
            forced.values[:, window], cache.values[SHAPE.entry_layer :, :, :length]
        )


def test_the_student_guesses_what_the_model_guesses(
    base: Base, model: EmbeddedModel, parameters: dict[str, torch.Tensor], rollout: Rollout
) -> None:
    student = Student(base, ARCHITECTURE, SHAPE, parameters, GUESS_TOKENS)
    windows, places = torch.tensor([2, 0]), torch.tensor([[0, 6, 3], [5, 1, 2]])
    logits = student.logits(rollout, windows, places)
    targets = student.targets(rollout, windows, places)
    for chosen, window in enumerate(windows.tolist()):
        for group, place in enumerate(places[chosen].tolist()):
            known = rollout.tokens[window, : rollout.context + place].tolist()
            certain = int(rollout.tokens[window, rollout.context + place])
            cache = model.new_cache(64)
            canvas = first_canvas(known, SHAPE.masks)
            predictions = model.denoise(canvas, cache)
            guesses = model.guess(canvas, predictions, len(known) - 1, certain)
            ours = GUESS_TOKENS[logits[chosen, group].argmax(-1)].tolist()
            # The student is given the true token before each guess; the model its own last guess.
            right = (torch.tensor(guesses) == targets[chosen, group]).tolist()
            comparable = right.index(False) + 1 if False in right else len(right)
            assert ours[:comparable] == list(guesses[:comparable])


def test_the_students_logits_are_the_models_given_the_true_tokens(
    base: Base, model: EmbeddedModel, parameters: dict[str, torch.Tensor], rollout: Rollout
) -> None:
    student = Student(base, ARCHITECTURE, SHAPE, parameters, GUESS_TOKENS)
    head = SamplerHead(
        *(parameters[f"sampler.{name}"] for name in ("mask", "token", "state", "out"))
    )
    last = rollout.places - SHAPE.masks - 1
    windows, places = torch.tensor([1, 2]), torch.tensor([[0, last, 4, 1], [last, 2, 0, 5]])
    logits = student.logits(rollout, windows, places)
    targets = student.targets(rollout, windows, places)
    for chosen, window in enumerate(windows.tolist()):
        for group, place in enumerate(places[chosen].tolist()):
            known = rollout.tokens[window, : rollout.context + place].tolist()
            cache = model.new_cache(64)
            model.encode(known[:4], cache)
            predictions = model.denoise(first_canvas(known[4:], SHAPE.masks), cache)
            true = rollout.tokens[window, rollout.context + place :].tolist()
            state = predictions.known_states[-1]
            for mask, mask_state in enumerate(predictions.mask_states[-1]):
                state = head.next_state(mask_state, base.embedding([true[mask]])[0], state)
                expected = base.head[GUESS_TOKENS] @ state
                torch.testing.assert_close(
                    logits[chosen, group, mask], expected, atol=2e-4, rtol=1e-4
                )
            assert targets[chosen, group].tolist() == true[1 : SHAPE.masks + 1]


def test_masks_see_nothing_behind_their_place(
    base: Base, parameters: dict[str, torch.Tensor], rollout: Rollout
) -> None:
    student = Student(base, ARCHITECTURE, SHAPE, parameters, GUESS_TOKENS)
    windows, places = torch.tensor([0]), torch.tensor([[2]])
    seen = rollout.context + 2
    spoilt = replace(rollout, keys=rollout.keys.clone(), values=rollout.values.clone())
    spoilt.keys[:, :, :, seen:] = 1e3
    spoilt.values[:, :, :, seen:] = 1e3
    torch.testing.assert_close(
        student.logits(spoilt, windows, places), student.logits(rollout, windows, places)
    )


def test_gradients_reach_every_tensor_of_the_adapter_and_nothing_of_the_base(
    base: Base, parameters: dict[str, torch.Tensor], rollout: Rollout
) -> None:
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in parameters.items()}
    student = Student(base, ARCHITECTURE, SHAPE, leaves, GUESS_TOKENS)
    logits = student.logits(rollout, torch.tensor([0, 1]), torch.tensor([[0, 4], [2, 3]]))
    logits.square().mean().backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        assert leaf.grad.abs().sum() > 0, name
    assert not base.head.requires_grad


def test_a_step_gains_its_certain_token_and_the_leading_run_of_right_guesses() -> None:
    right = torch.tensor(
        [[[True, True], [False, True], [True, False], [False, False], [True, True]]]
    )
    figures = acceptance(right)
    assert figures.right == (0.6, 0.6)
    # One guess a step: places 0, 2, 4 gain 2 each; two guesses: 0 gains 3, 3 gains 1, 4 gains 3.
    assert figures.tokens_per_step == (2.0, pytest.approx(7 / 3))
