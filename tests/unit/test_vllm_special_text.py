"""Text of a file spells no special token, whichever the served model has."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vllm_server import (
    CODE_LLAMA_MARKERS,
    CODESTRAL_MARKERS,
    DEEPSEEK_MARKERS,
    GEMMA_MARKERS,
    QWEN_MARKERS,
    State,
    ToyTokenizer,
    serve,
)

from midfill.inference.vllm.client import Client
from midfill.inference.vllm.patience import Patience
from midfill.inference.vllm.server_tokenizer import ServerTokenizer
from midfill.inference.vllm.special_text import harmless_pieces, spelling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MORE = {
    "Qwen": (
        QWEN_MARKERS,
        ("<|vision_start|>", "<|object_ref_start|>", "<tool_call>", "</tool_call>", "<think>"),
    ),
    "Gemma": (
        GEMMA_MARKERS,
        ("<|tool>", "<tool|>", "<image|>", '<|"|>', "<start_of_image>", "<unused12>", "<h1>"),
    ),
    "DeepSeek": (DEEPSEEK_MARKERS, ("<｜User｜>", "<｜tool▁calls▁begin｜>", "<|EOT|>")),
    "Codestral": (
        CODESTRAL_MARKERS,
        ("[INST]", "[/INST]", "[TOOL_CALLS]", "[control_8]", "<unk>", "[MIDDLE]"),
    ),
    "Code Llama": (CODE_LLAMA_MARKERS, ("<unk>", "<FILL_ME>", "<0x0A>")),
    "others": (QWEN_MARKERS, ("<|reserved_special_token_247|>", "[gMASK]", "<sop>", "<s>")),
}
KNOWN = {"<|fim_prefix|>": 1, "<|turn>": 2, "[PREFIX]": 3, "▁<PRE>": 4, "<": 5}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client(serve(State(ToyTokenizer(QWEN_MARKERS))).url, None)
    yield made
    made.close()


@pytest.mark.parametrize("family", MORE)
def test_no_special_token_of_a_model_can_be_forged(family: str, client: Client) -> None:
    markers, more = MORE[family]
    toy = ToyTokenizer((*markers, *more))
    serve(State(toy))
    known = {name: toy.markers[name] for name in markers}
    tokenizer = ServerTokenizer(client, "toy", known, [])
    chance = random.Random(3)
    fragments = [*markers, *more, "<", "<|", "|>", ">", "[", "\n", " ", "x = ", "<div>", "｜", "é"]
    patience = Patience.of(30)
    for spaced in (False, True):
        for _ in range(2):
            text = "".join(chance.choices(fragments, k=40))
            ids = tokenizer.encode(text, patience, spaced=spaced)
            assert not set(ids) & set(toy.markers.values())
            assert toy.decode(ids) == text


def test_what_is_no_token_of_the_model_is_left_whole(client: Client) -> None:
    server = serve(State(ToyTokenizer((*QWEN_MARKERS, "<div>"))))
    tokenizer = ServerTokenizer(client, "toy", {}, [])
    text = "Vec<String> <div> a[INDEX] = <T>"
    for _ in range(3):
        tokenizer.encode(text, Patience.of(30))
    sent = [body["prompt"] for body in server.bodies("/tokenize")]
    assert sorted(sent) == sorted(
        ["<String>", "<div>", "[INDEX]", "<T>", "\n", "\nVec<String> <", "\ndiv> a[INDEX] = <T>"]
    )
    tokenizer.forget()
    tokenizer.encode(text, Patience.of(30))
    assert len(server.bodies("/tokenize")) > len(sent)


def test_typing_behind_special_text_sends_only_what_is_new(client: Client) -> None:
    server = serve(State(ToyTokenizer(QWEN_MARKERS)))
    tokenizer = ServerTokenizer(client, "toy", server.tokenizer.markers, [])
    text = "<|im_start|> and <|im_end|>\nx"
    tokenizer.encode(text, Patience.of(30))
    before = len(server.bodies("/tokenize"))
    tokenizer.encode(f"{text} =", Patience.of(30))
    assert [body["prompt"] for body in server.bodies("/tokenize")[before:]] == ["\n|im_end|>\nx ="]


@given(
    st.lists(st.sampled_from([*KNOWN, "<|x|>", "<b>", "</s>", "[INST]", "<|a [INST] b>", "y", " "]))
)
def test_pieces_put_together_are_the_text(parts: list[str]) -> None:
    text = "".join(parts)
    asked: list[str] = []

    def single_tokens(names: Collection[str]) -> dict[str, bool]:
        asked.extend(names)
        return {name: name != "<b>" for name in names}

    pieces = harmless_pieces(text, spelling(KNOWN), single_tokens)
    assert "".join(pieces) == text
    assert all(pieces)
    forged = ("<|fim_prefix|>", "<|turn>", "[PREFIX]", "▁<PRE>", "<|x|>", "</s>", "[INST]")
    assert not [name for name in forged if any(name in piece for piece in pieces)]
    assert set(asked) <= {"<b>", "[INST]", "<PRE>"}
    if "<" not in text.replace("<b>", ""):
        assert pieces.count("b>") == 0
