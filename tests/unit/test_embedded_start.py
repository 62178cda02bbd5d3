"""What the embedded model's first step verifies: beliefs, and what stands elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from midfill.inference.fillers.embedded_start import MOST_BELIEVED, Source, finder, start_of
from midfill.inference.healing import Vocabulary
from midfill.inference.models.loading import LoadedModel
from midfill.inference.pace import Pace
from midfill.inference.prompt import build_prompt
from midfill.inference.wire import ContextFile

if TYPE_CHECKING:
    from midfill.inference.tokenizer import Tokenizer

LINE = "    self.assertEqual(measured, expected)\n"
BEHIND = "l(measured, expected)\n"


@pytest.fixture
def loaded(tokenizer: Tokenizer) -> LoadedModel:
    return LoadedModel(
        None,  # type: ignore[arg-type]
        tokenizer,
        Vocabulary(tokenizer.vocabulary_bytes),
        masks=3,
        pace=Pace({1: 1.0, 2: 1.01, 3: 1.02}, (0.8, 0.7, 0.6)),
    )


def found(
    loaded: LoadedModel,
    prefix: str,
    suffix: str = "\n",
    context: tuple[ContextFile, ...] = (),
) -> str:
    """What is looked up, behind the piece of a word that has to be written again."""
    prompt = build_prompt(loaded.tokenizer, prefix, suffix, context)
    start = start_of(loaded, prompt, [], "", finder(loaded, prompt))
    assert (start.source is Source.LOOKUP) == bool(start.tokens)
    assert not start.trusted
    written = b"".join(map(loaded.vocabulary.bytes_of, start.tokens))
    assert written.startswith(prompt.owed) or not written
    return written[len(prompt.owed) :].decode()


def test_what_followed_the_same_text_is_found_wherever_the_model_reads_it(
    loaded: LoadedModel,
) -> None:
    typed = "    self.assertEqua"
    other = ContextFile(path="a.py", text=LINE)
    for text in (
        found(loaded, LINE + typed),
        found(loaded, typed, suffix="\n" + LINE),
        found(loaded, typed, context=(other,)),
    ):
        assert text.startswith(BEHIND)
    assert found(loaded, typed) == ""


def test_of_several_places_one_counts_that_spells_what_is_typed(loaded: LoadedModel) -> None:
    before = "    self.assertTrue(one)\n    self.assertFalse(two)\n    self."
    assert found(loaded, before + "assertT").startswith("rue(one)")
    assert found(loaded, before + "assertF").startswith("alse(two)")
    assert found(loaded, before + "assertX") == ""


def test_what_is_believed_comes_first(loaded: LoadedModel) -> None:
    prompt = build_prompt(loaded.tokenizer, LINE + "    self.assertEqua", "\n")
    find = finder(loaded, prompt)
    believed = list(range(MOST_BELIEVED + 5))

    start = start_of(loaded, prompt, believed, "l(1)\n", find)
    assert (start.source, list(start.tokens)) == (Source.CONTEXT, believed[:MOST_BELIEVED])

    start = start_of(loaded, prompt, [], "l(1)\n", find)
    assert start.source is Source.TEXT
    assert loaded.tokenizer.decode(list(start.tokens)) == prompt.owed.decode() + "l(1)\n"
    assert start_of(loaded, prompt, [], "", find).source is Source.LOOKUP
    assert start_of(loaded, prompt, [], "", None).source is Source.NOWHERE


def test_beliefs_are_trusted_only_by_a_pace_that_knows_what_slots_cost(
    loaded: LoadedModel,
) -> None:
    prompt = build_prompt(loaded.tokenizer, "x = ", "\n")
    costly = Pace({1: 1.0, 2: 1.5, 3: 2.0}, (0.8, 0.7, 0.6))
    for pace, trusted in ((costly, True), (None, False)):
        one = LoadedModel(
            None,  # type: ignore[arg-type]
            loaded.tokenizer,
            loaded.vocabulary,
            masks=3,
            pace=pace,
        )
        assert start_of(one, prompt, [1, 2], "", None).trusted is trusted
    assert finder(one, prompt) is None
