"""What a model may be called, and the options behind its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.errors import UsageError
from midfill.inference.models.options import (
    Caching,
    Length,
    Options,
    SlotScore,
    SuffixView,
    Weights,
    choices_of,
    parse_options,
)
from midfill.inference.models.reference import Place, model_reference

if TYPE_CHECKING:
    from pathlib import Path


def test_the_embedded_model_takes_no_options() -> None:
    assert model_reference("embedded").place is Place.EMBEDDED
    with pytest.raises(UsageError, match="takes no options, not 'canvas=32'"):
        model_reference("embedded,canvas=32")


def test_a_hub_id_is_told_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_reference("Dream-org/DreamOn-v0-7B").place is Place.HUB
    (tmp_path / "Dream-org" / "DreamOn-v0-7B").mkdir(parents=True)

    here = model_reference("Dream-org/DreamOn-v0-7B,canvas=32")

    assert here.place is Place.FOLDER
    assert here.location == str(tmp_path / "Dream-org" / "DreamOn-v0-7B")
    assert here.options.canvas == 32
    assert here.name == "Dream-org/DreamOn-v0-7B,canvas=32"


def test_a_folder_may_hold_commas(tmp_path: Path) -> None:
    folder = tmp_path / "mine, and yours"
    folder.mkdir()

    assert model_reference(str(folder)).location == str(folder)


def test_a_server_is_named_by_its_address_and_its_own_name() -> None:
    named = model_reference("vllm:http://box:8000/v1/#google/gemma,suffix=both,canvas=128")

    assert named.place is Place.VLLM
    assert named.location == "http://box:8000"
    assert named.served_name == "google/gemma"
    assert (named.options.suffix, named.options.canvas) == (SuffixView.BOTH, 128)
    assert model_reference("vllm:https://box").served_name == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt-9000", "a model is 'embedded', a hub id such as"),
        ("", "there is no model ''"),
        ("./nowhere", "there is no folder './nowhere'"),
        ("/nowhere/at/all", "there is no folder"),
        ("~/models/mine", "there is no folder"),
        ("vllm:box:8000", "is named vllm:URL#NAME"),
        ("vllm:", "is named vllm:URL#NAME"),
        ("vllm:ftp://box", "is named vllm:URL#NAME"),
        ("vllm:http://box:99999", "is named vllm:URL#NAME"),
        ("vllm:http://user:secret@box", "put it in MIDFILL_VLLM_API_KEY"),
        ("vllm:http://box?key=secret", "put it in MIDFILL_VLLM_API_KEY"),
        ("a/b,colour=blue", "there is no model option 'colour=blue'; there are: suffix"),
        ("a/b,canvas", "there is no model option 'canvas'"),
        ("a/b,canvas=33", "canvas=33: input should be 32, 64, 128 or 256"),
        ("a/b,canvas=wide", "model option canvas=wide"),
        ("a/b,top-p=0", "model option top-p=0"),
        ("a/b,weights=int3", "model option weights=int3"),
        ("a/b,", "there is no model option ''"),
    ],
)
def test_what_is_wrong_with_a_name_is_one_clear_line(name: str, said: str) -> None:
    with pytest.raises(UsageError) as refusal:
        model_reference(name)

    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_options_are_read_with_hyphens_or_underscores() -> None:
    assert parse_options(["top-p=0.9", "prefix_tokens=2048"]) == Options(
        top_p=0.9, prefix_tokens=2048
    )


@given(
    st.sampled_from(SlotScore),
    st.sampled_from(Length),
    st.sampled_from(Caching),
    st.sampled_from(Weights),
    st.sampled_from([32, 64, 128, 256]),
    st.integers(1, 512),
)
def test_every_value_that_an_option_shows_is_read_back(
    sampler: SlotScore, length: Length, cache: Caching, weights: Weights, canvas: int, steps: int
) -> None:
    pairs = (
        *(f"sampler={sampler}", f"length={length}", f"cache={cache}", f"weights={weights}"),
        *(f"canvas={canvas}", f"steps={steps}"),
    )

    assert parse_options(pairs) == Options.model_validate(
        {
            "sampler": sampler,
            "length": length,
            "cache": cache,
            "weights": weights,
            "canvas": canvas,
            "steps": steps,
        }
    )


def test_options_with_a_few_values_can_be_compared() -> None:
    assert choices_of("suffix") == tuple(SuffixView)
    assert choices_of("sampler") == tuple(SlotScore)
    assert choices_of("canvas") == (32, 64, 128, 256)
    assert Length.AUTO not in choices_of("length")
    assert choices_of("steps") == choices_of("colour") == ()
