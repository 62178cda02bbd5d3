from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.service.facade.fim_prompt import Hole, read_prompt
from midfill.inference.service.facade.markers import ALL, FAMILIES, HoleMarkers
from midfill.inference.wire import ContextFile

WRITTEN = {
    "Qwen": "<|fim_prefix|>def f(<|fim_suffix|>):\n    pass\n<|fim_middle|>",
    "StarCoder": "<fim_prefix>def f(<fim_suffix>):\n    pass\n<fim_middle>",
    "DeepSeek": "<｜fim▁begin｜>def f(<｜fim▁hole｜>):\n    pass\n<｜fim▁end｜>",
    "Code Llama": "<PRE> def f( <SUF>):\n    pass\n <MID>",
    "Codestral": "[SUFFIX]):\n    pass\n[PREFIX]def f(",
    "GLM": "<|code_prefix|>def f(<|code_suffix|>):\n    pass\n<|code_middle|>",
    "suffix before prefix": "<fim_suffix>):\n    pass\n<fim_prefix>def f(<fim_middle>",
    "prefix behind middle": "<|fim_prefix|><|fim_suffix|>):\n    pass\n<|fim_middle|>def f(",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_the_markers_of_every_family_are_read(written: str) -> None:
    assert read_prompt(written) == Hole("def f(", "):\n    pass\n")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.prefix)
def test_an_incomplete_set_of_markers_is_text(family: HoleMarkers) -> None:
    text = f"a = '{family.prefix}'\nb = "

    assert read_prompt(text) == Hole(text)


def test_files_of_a_repository_become_context_in_their_order() -> None:
    prompt = (
        "<|repo_name|>shop\n<|file_sep|>lib/a.py\nA = 1\n<|file_sep|>lib/b.py\nB = 2\n"
        "<|file_sep|>main.py\n<|fim_prefix|>print(<|fim_suffix|>)<|fim_middle|>"
    )

    assert read_prompt(prompt) == Hole(
        "print(",
        ")",
        (
            ContextFile(path="lib/a.py", text="A = 1\n"),
            ContextFile(path="lib/b.py", text="B = 2\n"),
        ),
    )


def test_files_at_the_beginning_of_the_prefix_become_context() -> None:
    prompt = (
        "<fim_prefix><repo_name>shop\n<file_sep>a.py\nA = 1\n<file_sep>main.py\nprint("
        "<fim_suffix>)<fim_middle>"
    )

    assert read_prompt(prompt) == Hole("print(", ")", (ContextFile(path="a.py", text="A = 1\n"),))


def test_of_several_sets_the_last_complete_one_counts() -> None:
    file = WRITTEN["Qwen"]

    assert read_prompt(f"{file}\n{WRITTEN['StarCoder']}") == Hole("def f(", "):\n    pass\n")
    assert read_prompt(f"<|fim_prefix|>{file}x<|fim_suffix|>y<|fim_middle|>").suffix == "y"


def _without_markers(text: str) -> bool:
    return not any(marker in text for marker in ALL)


plain = st.text(st.sampled_from("ab<|>[]_ \n"), max_size=40).filter(_without_markers)


@given(plain, plain, st.sampled_from(FAMILIES))
def test_what_was_written_with_markers_is_read_back(
    prefix: str, suffix: str, family: HoleMarkers
) -> None:
    prompt = _written(prefix, suffix, family)
    if any(prompt.count(marker) != 1 for marker in _markers(family)):
        return  # text and marker have run together to another marker

    assert read_prompt(prompt) == Hole(prefix, suffix)


pieces = st.lists(st.one_of(plain, st.sampled_from(ALL)), max_size=12).map("".join)


@given(pieces)
def test_any_mixture_of_text_and_markers_is_read(prompt: str) -> None:
    hole = read_prompt(prompt)

    assert len(hole.prefix) + len(hole.suffix) <= len(prompt)
    assert hole.prefix in prompt or hole.suffix in prompt


@given(pieces, plain, plain)
def test_what_stands_before_a_last_set_does_not_change_its_hole(
    before: str, prefix: str, suffix: str
) -> None:
    prompt = f"<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>"
    if prompt.count("<|fim_") != 3:
        return

    hole = read_prompt(f"{before}\n{prompt}")

    assert (hole.prefix, hole.suffix) == (prefix, suffix)


def _written(prefix: str, suffix: str, family: HoleMarkers) -> str:
    blank = " " if family.blanks else ""
    if not family.middle:
        return f"{family.suffix}{suffix}{family.prefix}{prefix}"
    return f"{family.prefix}{blank}{prefix}{blank}{family.suffix}{suffix}{blank}{family.middle}"


def _markers(family: HoleMarkers) -> list[str]:
    return [marker for marker in (family.prefix, family.suffix, family.middle) if marker]
