"""What is known already is found again, and nothing else is."""

from __future__ import annotations

from finals import fill
from hypothesis import given
from hypothesis import strategies as st

from midfill.lsp.suggestion_cache import SECONDS, Spot, SuggestionCache, after_accepting


def spot(marked: str, uri: str = "file:///a.py") -> Spot:
    at = marked.index("|")
    return Spot(uri, marked.replace("|", "", 1), at, at)


def test_a_place_gets_back_what_was_said_of_it() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\ny"), fill("1"))
    assert cache.get(spot("x = |\ny")) == fill("1")


def test_another_prefix_suffix_or_document_is_another_place() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\ny"), fill("1"))
    for other in ("z = |\ny", "x = |\nz", "x =|\ny"):
        assert cache.get(spot(other)) is None
    assert cache.get(spot("x = |\ny", "file:///b.py")) is None


def test_typed_text_that_agrees_leaves_the_rest() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\n"), fill("call(a)"))
    rest = cache.get(spot("x = cal|\n"))
    assert rest is not None
    assert rest.text == "l(a)"
    assert cache.get(spot("x = col|\n")) is None
    assert cache.get(spot("x = call(a)|\n")) is None


def test_an_alternative_that_was_typed_becomes_the_suggestion() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\n"), fill("first", "second", "send"))
    rest = cache.get(spot("x = se|\n"))
    assert rest is not None
    assert (rest.text, rest.alternatives) == ("cond", ("nd",))


def test_the_longest_of_several_rests_is_taken() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\n"), fill("call()"))
    cache.put(spot("x = c|\n"), fill("all(a, b)"))
    rest = cache.get(spot("x = ca|\n"))
    assert rest is not None
    assert rest.text == "ll(a, b)"


def test_brackets_that_the_editor_closes_are_not_suggested_again() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\ny"), fill("call([a, 'b'])"))
    for typed, rest in (
        ("x = call(|)\ny", "[a, 'b']"),
        ("x = call([|])\ny", "a, 'b'"),
        ("x = call([a, '|'])\ny", "b"),
    ):
        known = cache.get(spot(typed))
        assert known is not None
        assert known.text == rest


def test_behind_a_bracket_closed_by_the_editor_only_what_it_holds_is_suggested() -> None:
    cache = SuggestionCache()
    cache.put(spot("|\n"), fill("open(name).read()"))
    known = cache.get(spot("open(|)\n"))
    assert known is not None
    assert known.text == "name"


def test_marks_behind_the_cursor_that_close_nothing_typed_make_it_another_place() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |\ny"), fill("call(a)"))
    for other in ("x = call|)\ny", "x = call(|]\ny", "x = call(|) + 1\ny", "x = call(|)\nz"):
        assert cache.get(spot(other)) is None


@given(st.text("ab()[]{}'\" ", min_size=1, max_size=12), st.integers(1, 11))
def test_whatever_the_editor_closes_the_rest_agrees_with_the_fill(text: str, keys: int) -> None:
    cache = SuggestionCache()
    cache.put(spot("|\nz"), fill(text))
    typed, closed = text[:keys], ""
    for key in typed:
        if closed.startswith(key):
            closed = closed[1:]
        elif key in "([{":
            closed = ")]}"["([{".index(key)] + closed
    known = cache.get(spot(f"{typed}|{closed}\nz"))
    if known:
        assert text.startswith(typed + known.text + closed[:1])


def test_what_was_accepted_leads_to_the_next_place() -> None:
    at = spot("x = |\ny\n")
    assert after_accepting(at, "call()") == spot("x = call()|\ny\n")


def test_a_fill_is_forgotten_with_time_and_with_its_document() -> None:
    now = 0.0
    cache = SuggestionCache(lambda: now)
    cache.put(spot("x = |"), fill("1"))
    now = SECONDS + 1
    assert cache.get(spot("x = |")) is None
    cache.put(spot("x = |"), fill("1"))
    cache.forget("file:///a.py")
    assert cache.get(spot("x = |")) is None


def test_nothing_visible_is_not_worth_remembering() -> None:
    cache = SuggestionCache()
    cache.put(spot("x = |"), fill("  "))
    assert cache.get(spot("x = |")) is None


TEXT = st.text(alphabet="ab\n", max_size=8)


@given(TEXT, TEXT, TEXT.filter(str.strip), TEXT)
def test_what_is_found_continues_the_text_as_the_fill_does(
    before: str, after: str, text: str, typed: str
) -> None:
    cache = SuggestionCache()
    whole = before + after
    cache.put(Spot("u", whole, len(before), len(before)), fill(text))
    at = len(before) + len(typed)
    found = cache.get(Spot("u", before + typed + after, at, at))
    if text.startswith(typed) and text[len(typed) :].strip():
        assert found is not None
        assert typed + found.text == text
    else:
        assert found is None
