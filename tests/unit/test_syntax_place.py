"""What the cursor stands in, in every language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.syntax.grammars import grammar_for
from midfill.inference.syntax.parsing import parse
from midfill.inference.syntax.place import Place, place_at


def place(language: str, marked: str) -> Place:
    grammar = grammar_for(language)
    assert grammar is not None
    offset = marked.index("|")
    return place_at(parse(marked.replace("|", "", 1), grammar), offset)


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("python", "x = 1  # com|"),
        ("python", "x = 1  # com|\ny = 2\n"),
        ("javascript", "// c|\nlet x = 1\n"),
        ("javascript", "/* a| */"),
        ("go", "// c|"),
        ("rust", "// c|"),
        ("java", "/** d|\n * e */\nclass A {}"),
        ("c", "// c|"),
        ("csharp", "// c|"),
        ("ruby", "# c|"),
        ("php", "<?php // c|"),
        ("shellscript", "# c|"),
        ("lua", "-- c|"),
        ("html", "<!-- c| -->"),
        ("css", "/* c| */"),
        ("sql", "-- c|"),
        ("yaml", "# c|"),
        ("toml", "# c|"),
    ],
)
def test_comments_are_comments(language: str, marked: str) -> None:
    assert place(language, marked) is Place.COMMENT


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("python", 'x = "a|b"'),
        ("python", 'x = "ab|'),
        ("python", "x = 'ab|\ny = 1\n"),
        ("python", '"""doc|\n"""'),
        ("javascript", '"a|"'),
        ("javascript", 'let x = "a|'),
        ("javascript", "`a|`"),
        ("go", "y := `r|`"),
        ("go", 'x := "a|'),
        ("rust", 'let a = "b|";'),
        ("java", 'String s = "a|";'),
        ("c", 'char *s = "a|";'),
        ("cpp", 'auto s = R"(a|)";'),
        ("csharp", 'var s = "a|";'),
        ("ruby", 'x = "a|"'),
        ("php", '<?php $a = "b|";'),
        ("shellscript", 'x="a|"'),
        ("lua", 'x = "a|"'),
    ],
)
def test_strings_are_strings(language: str, marked: str) -> None:
    assert place(language, marked) is Place.STRING


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("python", "x = |"),
        ("python", "|"),
        ("python", 'f"{a|}"'),
        ("python", 'x = "a"|'),
        ("python", "x = 1  # done\n|"),
        ("python", "it(|"),
        ("javascript", "`a${b|}`"),
        ("javascript", "/* a */|"),
        ("javascript", "f('a', |"),
        ("csharp", 'var s = $"a{b|}";'),
        ("ruby", 'x = "a#{b|}"'),
        ("shellscript", 'x="$(ls |)"'),
        ("rust", "fn f<'a>(x: &'a| str) {}"),
        ("rust", "fn f<'a>(x: &'a|"),
        ("json", '{"a": "b|"}'),
        ("yaml", 'a: "b|"'),
        ("html", "<p>it's| </p>"),
        ("markdown", "it's text|"),
    ],
)
def test_everything_else_is_code(language: str, marked: str) -> None:
    assert place(language, marked) is Place.CODE


@given(st.text(alphabet="ab\"'#/*\\\n{}é𝄞", max_size=40), st.data())
def test_any_text_has_a_place_everywhere(text: str, data: st.DataObject) -> None:
    language = data.draw(st.sampled_from(["python", "javascript", "rust", "html"]))
    parsed = parse(text, language)
    for offset in range(len(text) + 1):
        assert place_at(parsed, offset) in Place
