"""Whatever an editor does, the tracker knows where accepted text is, and ends every suggestion."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from midfill.lsp.acceptance.agreement import agreement
from midfill.lsp.acceptance.edit import Edit, applied, edit_between, trimmed
from midfill.lsp.acceptance.following import Following, Turn, follow
from midfill.lsp.acceptance.offer import Circumstances, Offer, Source, Trigger
from midfill.lsp.acceptance.outcome import TAKEN, Outcome
from midfill.lsp.acceptance.region import Region
from midfill.lsp.acceptance.tracker import Tracker

CIRCUMSTANCES = Circumstances(1e9, "python", Trigger.AUTOMATIC, Source.ENGINE, 0.5, 1, 8)
URIS = ("file:///a.py", "file:///b.py")

texts = st.text("ab()\n \t\r😀", max_size=6)
parts = st.text("ab()\n ", min_size=1, max_size=12)
cuts = st.floats(0, 1)


def span(length: int, one: float, other: float) -> tuple[int, int]:
    start, end = sorted((round(one * length), round(other * length)))
    return start, end


@given(texts, texts)
def test_the_smallest_edit_between_two_texts_makes_one_of_the_other(old: str, new: str) -> None:
    edit = edit_between(old, new)
    assert edit.applied_to(old) == new
    removed = old[edit.start : edit.end]
    assert not removed or not edit.text or (removed[0], removed[-1]) != (edit.text[0],) * 2


@given(texts, cuts, cuts, texts)
def test_a_trimmed_edit_does_the_same(old: str, one: float, other: float, new: str) -> None:
    start, end = span(len(old), one, other)
    edit = Edit(start, end, new)
    assert trimmed(edit, old[start:end]).applied_to(old) == edit.applied_to(old)


@given(texts, texts)
def test_agreeing_parts_are_the_same_but_for_indentation(text: str, target: str) -> None:
    there, reached = agreement(text, target)
    assert text[:there].split() == target[:reached].split()
    assert agreement(target, text) == (reached, there)


@given(texts)
def test_a_text_agrees_with_itself(text: str) -> None:
    assert agreement(text, text) == (len(text), len(text))


@dataclass(frozen=True)
class Cell:
    """A character, and whether it belongs to the text that is followed."""

    character: str
    inside: bool


def true_edit(cells: list[Cell], edit: Edit) -> list[Cell]:
    """The cells after an edit: what is written between two that belong to it does so as well."""
    inside = [at for at, cell in enumerate(cells) if cell.inside]
    belongs = False
    if inside:
        first, last = inside[0], inside[-1] + 1
        within = first <= edit.start and edit.end <= last
        at_border = edit.start == edit.end and edit.start in (first, last)
        belongs = within and not at_border
    written = [Cell(character, belongs) for character in edit.text]
    return cells[: edit.start] + written + cells[edit.end :]


edits = st.lists(st.tuples(cuts, cuts, st.text("xyz", max_size=5)), max_size=8)


@given(texts, parts, texts, edits)
def test_a_region_is_where_its_characters_are(
    before: str, text: str, after: str, made: list[tuple[float, float, str]]
) -> None:
    cells = [Cell(character, False) for character in before]
    cells += [Cell(character, True) for character in text]
    cells += [Cell(character, False) for character in after]
    region = Region.of(len(before), text)
    for one, other, new in made:
        edit = Edit(*span(len(cells), one, other), new)
        if edit.start < region.start and region.end < edit.end:
            return  # written anew all around: where it is then is a guess
        cells = true_edit(cells, edit)
        region = region.after(edit)
        assert region.text == "".join(cell.character for cell in cells if cell.inside)
        if region.text:
            assert cells[region.start].inside
            assert region.start == [cell.inside for cell in cells].index(True)
        assert 0 <= region.start <= len(cells)
        assert 0 <= region.kept <= 1


def offer_of(
    name: str, uri: str, text: str, start: int, end: int, choices: tuple[str, ...], known: int = 3
) -> Offer:
    return Offer(
        name,
        uri,
        None,
        start,
        text[start:end],
        choices,
        CIRCUMSTANCES,
        after=text[end : end + known],
    )


@given(texts, cuts, cuts, st.tuples(parts), edits)
def test_a_suggestion_knows_what_is_at_its_place(
    text: str, one: float, other: float, choices: tuple[str], made: list[tuple[float, float, str]]
) -> None:
    suggestion = Following.of(offer_of("1", URIS[0], text, *span(len(text), one, other), choices))
    for first, second, new in made:
        edit = Edit(*span(len(text), first, second), new)
        text = edit.applied_to(text)
        followed = follow(suggestion, [edit], 1.0)
        suggestion = followed.now
        if followed.turn in (Turn.AGAINST, Turn.INSERTED, Turn.TYPED):
            return
        assert text[suggestion.start : suggestion.end] == suggestion.text
        assert text.startswith(suggestion.after, suggestion.end)
        assert suggestion.typed + suggestion.taken <= max(map(len, suggestion.targets))


@given(texts, cuts, parts, st.booleans())
def test_whatever_is_inserted_whole_is_in_the_document(
    text: str, cut: float, suggested: str, compared: bool
) -> None:
    at = round(cut * len(text))
    suggestion = Following.of(offer_of("1", URIS[0], text, at, at, (suggested,), known=64))
    whole = text[:at] + suggested + text[at:]
    edit = edit_between(text, whole) if compared else Edit(at, at, suggested)
    followed = follow(suggestion, [edit], 10.0)
    region = followed.now.region
    assert followed.turn in (Turn.INSERTED, Turn.TYPED)
    assert applied([edit], text) == whole
    assert whole[region.start : region.end] == region.text


class AnyEditor(RuleBasedStateMachine):
    """Two documents with random edits, offers, acceptances, messages and pauses."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outcomes: list[Outcome] = []
        self.tracker = Tracker(self.outcomes.append, lambda: self.now)
        self.texts = dict.fromkeys(URIS, "def f(a):\n    return a\n")
        self.last: dict[str, Offer] = {}
        self.begun = 0
        self.names = 0

    @rule(uri=st.sampled_from(URIS), made=st.lists(st.tuples(cuts, cuts, texts), max_size=3))
    def edit(self, uri: str, made: list[tuple[float, float, str]]) -> None:
        told = []
        for one, other, new in made:
            text = self.texts[uri]
            start, end = span(len(text), one, other)
            edit = Edit(start, min(end, start + 8), new)
            self.texts[uri] = edit.applied_to(text)
            told.append(edit)
        self.tracker.changed(uri, told)
        self.last.pop(uri, None)

    @rule(
        uri=st.sampled_from(URIS),
        one=cuts,
        length=st.integers(0, 3),
        choices=st.lists(parts, min_size=1, max_size=3),
    )
    def offer(self, uri: str, one: float, length: int, choices: list[str]) -> None:
        text = self.texts[uri]
        start = round(one * len(text))
        self.names += 1
        end = min(start + length, len(text))
        offer = offer_of(str(self.names), uri, text, start, end, tuple(choices))
        self.begun += self.tracker.offered(offer)
        self.last[uri] = offer

    @rule(uri=st.sampled_from(URIS))
    def accept(self, uri: str) -> None:
        if offer := self.last.pop(uri, None):
            self._insert(offer, offer.texts[-1])

    @rule(uri=st.sampled_from(URIS), share=cuts)
    def accept_a_part(self, uri: str, share: float) -> None:
        """Then the rest is offered, as it is to somebody who types through."""
        if offer := self.last.get(uri):
            text = offer.texts[0]
            cut = round(share * len(text))
            self._insert(offer, text[:cut])
            if text[cut:]:
                self.names += 1
                at = offer.start + cut
                rest = offer_of(str(self.names), uri, self.texts[uri], at, at, (text[cut:],))
                self.begun += self.tracker.offered(rest)
                self.last[uri] = rest
            else:
                del self.last[uri]

    def _insert(self, offer: Offer, text: str) -> None:
        edit = Edit(offer.start, offer.end, text)
        self.texts[offer.uri] = edit.applied_to(self.texts[offer.uri])
        self.tracker.changed(offer.uri, [edit])

    @rule(name=st.integers(1, 40), what=st.integers(0, 2), length=st.integers(-2, 20))
    def tell(self, name: int, what: int, length: int) -> None:
        if what == 0:
            self.tracker.accepted(str(name))
        elif what == 1:
            self.tracker.shown(str(name))
        else:
            self.tracker.partially_accepted(str(name), length)

    @rule(seconds=st.sampled_from([0.05, 0.2, 1.0, 5.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tracker.tick()

    @precondition(lambda self: self.outcomes)
    @rule(uri=st.sampled_from(URIS))
    def close(self, uri: str) -> None:
        self.tracker.closed(uri)
        self.last.pop(uri, None)

    @invariant()
    def nothing_is_due_that_has_not_been_told(self) -> None:
        self.tracker.tick()
        assert self.tracker.due is None or self.tracker.due > self.now

    @invariant()
    def every_accepted_text_is_where_the_tracker_says(self) -> None:
        for uri, waiting in self.tracker._ended.items():
            for ended in waiting:
                if ended.ending in TAKEN and ended.region:
                    region, text = ended.region, self.texts[uri]
                    assert text[region.start : region.end] == region.text

    @invariant()
    def outcomes_make_sense(self) -> None:
        for outcome in self.outcomes:
            assert outcome.typed >= 0
            assert outcome.taken >= 0
            assert outcome.seconds >= 0
            assert outcome.kept is None or 0 <= outcome.kept <= 1
            assert (outcome.kept is None) == (outcome.exact is None)

    def teardown(self) -> None:
        self.tracker.close()
        assert len(self.outcomes) == self.begun
        assert len({outcome.key for outcome in self.outcomes}) == self.begun
        assert not self.tracker._by_id


TestAnyEditor = AnyEditor.TestCase
