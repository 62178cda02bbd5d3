"""Teaching the end head: holes, traces, the fit and the choice of bars, without a model."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING

import pytest
import torch

from midfill.inference.ending import Bars
from midfill.inference.models.embedded.end_features import NAMES
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.source_text import SourceText
from midfill.inference.training.errors import CheckpointUnusable
from midfill.inference.training.middle_end import collecting
from midfill.inference.training.middle_end.collecting import ReadHole, read_holes
from midfill.inference.training.middle_end.fitting import (
    VARIANTS,
    Inputs,
    chances,
    fit,
    rows_of,
)
from midfill.inference.training.middle_end.holes import EndHole, Kind, cut_holes
from midfill.inference.training.middle_end.measuring import (
    as_markdown,
    free_as_markdown,
    measure,
    measure_free,
)
from midfill.inference.training.middle_end.policies import (
    DESIGN,
    NEVER,
    RULES_ALONE,
    Policy,
    Replay,
    choose_bars,
)
from midfill.inference.training.middle_end.replay import Outcome, Trace, trace
from midfill.inference.training.middle_end.session import train_end_head
from midfill.inference.training.middle_end.tables import token_tables
from midfill.inference.training.middle_end.written import written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from midfill.inference.canvas import Canvas
    from midfill.inference.context_cache import ContextCache
    from midfill.inference.models.interface import CanvasPredictions
    from midfill.inference.tokenizer import Tokenizer
    from midfill.kernels.unmask import Unmasked

FUNCTION = """def area{n}(width, height):
    if width < {n}:
        raise ValueError("negative", width)
    doubled = [width * 2, height * {n}]
    for one in doubled:
        print(one, sep=", ")
    return width * height


"""
FILES = [
    SourceText("package", f"{n}.py", "python", "".join(FUNCTION.format(n=n + i) for i in range(9)))
    for n in range(4)
]

DEDENTS = EndHole(
    task="task",
    language="python",
    kind=Kind.SEVERAL_LINES,
    part="from inside a line",
    prefix="def f(x):\n    if x:\n        y = ",
    middle="1\n    else:\n        y = 2",
    suffix="\n    return y\n\n\nprint(f(1))\n",
    replaced="_",
)


def traces_of(tokenizer: Tokenizer, holes: list[EndHole]) -> list[tuple[Trace, int]]:
    found = []
    for hole in holes:
        tokens = written(tokenizer, hole)
        assert tokens is not None
        found.append((trace(tokenizer, hole, tokens.owed, tokens.tokens), tokens.end))
    return found


def test_the_same_seed_cuts_the_same_holes_as_many_of_each_kind() -> None:
    holes = cut_holes(FILES, "seed", 30)
    assert holes == cut_holes(FILES, "seed", 30)
    assert holes[:12] == cut_holes(FILES, "seed", 12)
    assert holes != cut_holes(FILES, "other", 30)
    for kind in Kind:
        assert sum(hole.kind is kind for hole in holes) == 10


def test_holes_are_consecutive_text_and_what_their_kind_says() -> None:
    texts = [file.text for file in FILES]
    for hole in cut_holes(FILES, "kinds", 60):
        assert any(hole.prefix + hole.middle + hole.suffix in text for text in texts)
        assert hole.middle.strip()
        if hole.kind is Kind.ONE_LINE:
            assert "\n" not in hole.middle
            assert (hole.suffix[0] == "\n") == (hole.part != "in line")
        elif hole.kind is Kind.SEVERAL_LINES:
            assert "\n" in hole.middle
            assert hole.suffix[0] == "\n" or hole.middle[-1] == "\n"
        else:
            assert hole.suffix.partition("\n")[0].strip()


def test_a_corpus_without_text_is_refused_in_one_line() -> None:
    for files in ([], [SourceText("package", "short.py", "python", "x = 1\n")]):
        with pytest.raises(CorpusUnusable, match="add packages") as caught:
            cut_holes(files, "seed", 3)
        assert "\n" not in str(caught.value)


def test_the_end_is_the_first_slot_with_which_the_middle_is_written(tokenizer: Tokenizer) -> None:
    for one, end in traces_of(tokenizer, cut_holes(FILES, "slots", 45)):
        middle = one.hole.middle
        assert one.texts[end].startswith(middle)
        assert not one.texts[end - 1].startswith(middle)
        assert (middle + one.hole.suffix).startswith(one.texts[-1])


HEAD_ALONE = Policy("head", Bars(sure=0.5, patience=0, possible=NEVER), rules=False)


def test_a_replay_by_the_rules_is_exact_early_or_late(tokenizer: Tokenizer) -> None:
    [(one, _)] = traces_of(tokenizer, [DEDENTS])
    nothing = Replay.of(one, [0.0] * one.slots)
    # The ``else`` stands less far in than the hole's line: with the dedent rule it ends the middle.
    assert nothing.outcome(DESIGN) is Outcome.EARLY
    assert nothing.outcome(RULES_ALONE) is Outcome.EXACT
    assert nothing.outcome(HEAD_ALONE) is Outcome.LATE


def test_a_dedent_ends_the_middle_where_nothing_follows(tokenizer: Tokenizer) -> None:
    last = replace(DEDENTS, suffix="\n")
    one = trace(tokenizer, last, 0, tokenizer.encode("1\n    return x\n"))
    assert Replay.of(one, [0.0] * one.slots).shown(RULES_ALONE) == "1"


def test_a_head_that_knows_ends_exactly_with_and_without_the_rules(tokenizer: Tokenizer) -> None:
    [(one, end)] = traces_of(tokenizer, [DEDENTS])
    knowing = Replay.of(one, [float(slot in one.right_slots(end)) for slot in range(one.slots)])
    assert knowing.outcome(HEAD_ALONE) is Outcome.EXACT
    chosen = choose_bars([knowing], [])
    assert knowing.outcome(Policy("chosen", chosen)) is Outcome.EXACT


def synthetic(tokenizer: Tokenizer, holes: list[EndHole]) -> tuple[list[ReadHole], list[Trace]]:
    """States in which one direction says that the middle ends, among noise."""
    torch.manual_seed(0)
    read, traces = [], []
    for hole in holes:
        tokens = written(tokenizer, hole)
        assert tokens is not None
        one = trace(tokenizer, hole, tokens.owed, tokens.tokens)
        states = torch.randn(len(one.texts), 8)
        states[list(one.right_slots(tokens.end)), 3] += 6
        features = torch.randn(len(one.texts), len(NAMES))
        read.append(ReadHole(hole, tokens, states.half(), features))
        traces.append(one)
    return read, traces


def test_a_fit_finds_what_tells_the_end(tokenizer: Tokenizer) -> None:
    read, traces = synthetic(tokenizer, cut_holes(FILES, "fit", 30))
    rows = rows_of(read, traces)
    assert 0 < rows.ends.sum() < len(rows.ends)
    # Eight states are few: they need not be held down as hard as the model's 896.
    weights = fit(rows, Inputs(states=1, products=0))
    assert weights.state.abs().argmax() == 3
    at_ends, elsewhere = [], []
    for one, text in zip(read, traces, strict=True):
        found = chances(weights, one.states, one.features, in_line=text.in_line)
        right = text.right_slots(one.written.end)
        for slot, chance in enumerate(found):
            (at_ends if slot in right else elsewhere).append(chance)
    assert mean(at_ends) > 0.7
    assert mean(elsewhere) < 0.2
    assert fit(rows, VARIANTS["scalars"]).state.abs().sum() == 0


def test_the_table_has_intervals_and_gains(tokenizer: Tokenizer) -> None:
    read, traces = synthetic(tokenizer, [DEDENTS, *cut_holes(FILES, "table", 12)])
    knowing = [
        Replay.of(text, [float(slot in text.right_slots(one.written.end)) for slot in range(99)])
        for one, text in zip(read, traces, strict=True)
    ]
    lines = list(measure([(RULES_ALONE, knowing), (HEAD_ALONE, knowing)], 0))
    rules_alone, by_head = lines[:2]
    assert (rules_alone.group, rules_alone.holes, by_head.policy) == ("all", 13, "head")
    assert rules_alone.gain.value == 0
    assert by_head.gain.value == pytest.approx(by_head.exact.value - rules_alone.exact.value)
    assert by_head.exact.low <= by_head.exact.value <= by_head.exact.high
    assert as_markdown(lines).count("\n") == len(lines) + 2


def test_a_text_that_never_ends_is_shown_as_a_limit_leaves_it(tokenizer: Tokenizer) -> None:
    one = trace(tokenizer, DEDENTS, 0, tokenizer.encode("1\n        z = 2\n        hal"))
    replay = Replay.of(one, [0.0] * one.slots)
    [line, *_] = measure_free([(RULES_ALONE, [replay])], 0)
    assert (line.ended, line.exact.value) == (0, 0)
    assert line.tokens == one.slots
    assert replay.shown(RULES_ALONE) == "1\n        z = 2"
    assert "similarity" in free_as_markdown([line])


def test_a_limit_cuts_where_the_head_thinks_an_end_possible(tokenizer: Tokenizer) -> None:
    one = trace(tokenizer, DEDENTS, 0, tokenizer.encode("1\n        z = 2\n        hal"))
    possible = [0.4 * (text == "1") for text in one.texts]
    policy = Policy("head", Bars(sure=0.7, patience=4, possible=0.3))
    assert Replay.of(one, possible).shown(policy) == "1"


def test_bars_that_nothing_reaches_leave_the_rules_as_they_are(tokenizer: Tokenizer) -> None:
    never = Policy("never", Bars(NEVER, 0, NEVER))
    for one, _ in traces_of(tokenizer, cut_holes(FILES, "rules", 15)):
        sure = Replay.of(one, [1.0] * one.slots)
        assert sure.outcome(never) is sure.outcome(RULES_ALONE)


class Undecided:
    """A head with no opinion on tokens."""

    def logits(self, states: Tensor) -> Tensor:
        return torch.zeros(len(states), 151_936)

    def unmask(self, states: Tensor, permitted: Sequence[Tensor]) -> Unmasked:
        raise NotImplementedError


class CountingModel:
    """Random states, and a count of the passes."""

    passes = 0

    def new_cache(self, room: int) -> None:
        return None

    def denoise(self, canvas: Canvas, cache: ContextCache) -> CanvasPredictions:
        from midfill.inference.models.interface import CanvasPredictions

        self.passes += 1
        read = canvas.layout.known - canvas.layout.first_read
        return CanvasPredictions(torch.randn(read, 8), torch.empty(0), Undecided())


def test_reading_goes_on_where_it_was_and_refuses_other_holes(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "SHARD", 2)
    holes, tables = cut_holes(FILES, "read", 6), token_tables(tokenizer)
    model = CountingModel()

    def read(some: list[EndHole]) -> list[ReadHole]:
        return read_holes(model, tokenizer, tables, some, tmp_path, lambda _: None)  # type: ignore[arg-type]

    first = read(holes[:4])
    both = read(holes)
    assert model.passes == len(both) == 6
    assert [one.written for one in both[:4]] == [one.written for one in first]
    assert torch.equal(both[0].states, first[0].states)
    with pytest.raises(CheckpointUnusable, match="other holes"):
        read(random.Random(0).sample(holes, 6))
    next(tmp_path.glob("*.safetensors")).write_bytes(b"damaged")
    with pytest.raises(CheckpointUnusable, match="damaged"):
        read(holes)


def test_a_folder_without_a_corpus_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnusable, match="is empty"):
        train_end_head(tmp_path, out=None, holes=60, seed=0, listener=lambda _: None)
