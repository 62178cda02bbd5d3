"""What a fill tells of its steps, with a denoising loop that writes what a test wants."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import pytest
from scripted_filling import scripted_fill

from midfill.inference import filling
from midfill.inference.belief import Belief
from midfill.inference.denoising import Step
from midfill.inference.filling import Task
from midfill.inference.healing import Vocabulary
from midfill.inference.pace import Verified
from midfill.inference.wire import Extent, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.filling import Fill

VOCABULARY = Vocabulary([b"", b"a", b"b", b"c", b"\n"])
A, B, C, BREAK = 1, 2, 3, 4


def task(tokens: int = 99) -> Task:
    return Task("x = ", "\n", "", Extent.LINE, b"", tokens, monotonic() + 600)


def step(*tokens: int, guesses: tuple[int, ...] = (), **more: tuple[int, ...]) -> Step:
    return Step(tokens, (0.0,) * len(tokens), guesses, **more)


def filled(monkeypatch: pytest.MonkeyPatch, *steps: Step, tokens: int = 99) -> Fill:
    return scripted_fill(monkeypatch, steps, task(tokens), VOCABULARY)


def test_steps_tell_how_many_tokens_they_made_certain_up_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill = filled(monkeypatch, step(A, B), step(C), step(A, BREAK, B, C))
    assert fill.text == "abca"
    assert fill.step_tokens == (2, 1, 2)
    assert sum(fill.step_tokens) == len(fill.written)

    fill = filled(monkeypatch, step(A, B), step(A, B, C), tokens=3)
    assert (fill.step_tokens, fill.stop) == ((2, 1), Stop.TOKEN_LIMIT)


def test_a_belief_is_no_guess_of_the_models_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fill = filled(
        monkeypatch,
        step(A, guesses=(9, 9), found=(9,), believed=(B, C)),
        step(B, C, A, guesses=(B,)),
        step(C, BREAK),
    )
    assert fill.believed == (Verified(2, 2),)
    assert fill.verified == (Verified(1, 1),)
    assert fill.found == ()


@pytest.mark.parametrize(
    ("believed", "kept", "ends"),
    [
        ([A, B, BREAK, C], (A, B), True),
        ([A, 0, B], (A,), True),
        ([A, B, C, A, B, C], (A, B, C, A), True),  # no more tokens than the limit has
        ([A, B], (A, B), False),
        ([], (), False),
    ],
)
def test_nothing_is_believed_behind_the_end_and_the_end_takes_no_slot(
    monkeypatch: pytest.MonkeyPatch, believed: Sequence[int], kept: tuple[int, ...], ends: bool
) -> None:
    given: list[Belief] = []

    def denoise(*_: object, belief: Belief, **__: object) -> list[Step]:
        given.append(belief)
        return [step(A, BREAK)]

    monkeypatch.setattr(filling, "denoise", denoise)
    loop = filling.fill_hole(
        None,  # type: ignore[arg-type]
        VOCABULARY,
        None,  # type: ignore[arg-type]
        [0],
        task(5),
        choose=None,  # type: ignore[arg-type]
        masks=3,
        believed=believed,
        trusted=True,
        cancelled=lambda: False,
    )
    assert list(loop) == []
    assert given == [Belief(kept, ends=ends, trusted=True)]
