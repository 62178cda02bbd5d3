"""In a long text the syntax is read from a statement on, and says the same as if all were read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.syntax import syntax_below
from midfill.inference.syntax.parsing import Parsed, parse
from midfill.inference.syntax.place import Place, place_at
from midfill.inference.syntax.syntax_below import FAR, NEAR, SyntaxBelow

PYTHON = "".join(
    f'def price_{n}(basket):\n    """Of all é in it."""\n    return of(basket, "{n}")  # now\n\n\n'
    for n in range(1000)
)
SCRIPT = "".join(
    f"// what {n} costs\nexport function price{n}(basket) {{\n  return `${{basket}} {n}`;\n}}\n"
    for n in range(1000)
)
STRAY = st.sampled_from(
    ["x", "#", '"', "'", '"""', "`", "(", "\n", "}", "é", "/*", "//", "def f(", ""]
)


def place(syntax: SyntaxBelow, text: str, offset: int, grammar: str = "python") -> Place:
    part = syntax.read(text, offset, grammar)
    assert part.parsed.text == text[part.start :]
    return place_at(part.parsed, offset - part.start)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """How many characters were read each time, and whether something of them was known."""
    found: list[tuple[int, bool]] = []

    def noting(text: str, grammar: str, previous: Parsed | None = None) -> Parsed:
        found.append((len(text), previous is not None))
        return parse(text, grammar, previous)

    monkeypatch.setattr(syntax_below, "parse", noting)
    return found


def test_somebody_who_stays_far_below_has_little_read(read: list[tuple[int, bool]]) -> None:
    syntax, text = SyntaxBelow(), PYTHON
    for _ in range(3):
        place(syntax, text, len(text))
        text += "x = 1\n"
    (whole, _), (part, known), (_, known_then) = read
    assert whole == len(PYTHON)
    assert part < NEAR + 1000
    assert not known
    assert known_then


def test_a_short_text_is_read_from_its_start(read: list[tuple[int, bool]]) -> None:
    syntax, text = SyntaxBelow(), PYTHON[: FAR // 2]
    for _ in range(2):
        place(syntax, text, len(text))
        text += "x = 1\n"
    assert [length for length, _ in read] == [FAR // 2, FAR // 2 + 6]


def test_what_changes_above_is_read_and_most_of_the_old_tree_is_used(
    read: list[tuple[int, bool]],
) -> None:
    syntax, text = SyntaxBelow(), PYTHON
    place(syntax, text, len(text))
    place(syntax, text, len(text))
    assert place(syntax, '"""' + text, len(text) + 3) is place_at(
        parse('"""' + text, "python"), len(text) + 3
    )
    assert read[-1] == (len(text) + 3, True)
    place(syntax, text, 100)
    assert read[-1] == (len(text), True)


def test_a_text_of_one_statement_is_read_as_a_whole(read: list[tuple[int, bool]]) -> None:
    text = "import os\n\nclass Shop:\n" + "".join(
        f"    def price_{n}(self): ...\n" for n in range(2000)
    )
    syntax = SyntaxBelow()
    for _ in range(2):
        place(syntax, text, len(text))
    assert [length for length, _ in read] == [len(text)] * 2


def test_a_grammar_whose_beginning_decides_is_read_from_there(
    read: list[tuple[int, bool]],
) -> None:
    text = "<?php\n" + "function f() { return 1; }\n" * 2000
    syntax = SyntaxBelow()
    for _ in range(2):
        assert place(syntax, text, len(text), "php") is Place.CODE
    assert [length for length, _ in read] == [len(text)] * 2


@pytest.mark.parametrize("reads", [1, 2])
def test_another_grammar_begins_anew(reads: int) -> None:
    syntax = SyntaxBelow()
    for _ in range(reads):
        place(syntax, PYTHON, len(PYTHON))
    text = PYTHON + "# here"
    assert place(syntax, text, len(text)) is Place.COMMENT
    assert place(syntax, text, len(text), "javascript") is Place.CODE


@pytest.mark.parametrize(
    ("text", "grammar"), [(PYTHON[:8000], "python"), (SCRIPT[:8000], "javascript")]
)
@given(edits=st.lists(st.tuples(st.integers(0, 7000), STRAY), min_size=1, max_size=6))
def test_the_place_is_as_if_all_had_been_read(
    text: str, grammar: str, edits: list[tuple[int, str]]
) -> None:
    syntax = SyntaxBelow(far=1200, near=300)
    place(syntax, text, len(text), grammar)
    for back, written in edits:
        at = max(0, len(text) - back)
        text = text[:at] + written + text[at:]
        offset = at + len(written)
        whole = place_at(parse(text, grammar), offset)
        assert place(syntax, text, offset, grammar) is whole
