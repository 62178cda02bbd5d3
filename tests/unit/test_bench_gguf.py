"""GGUF files that llama.cpp is given: other people's, and the embedded model quantised anew."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest

from midfill.inference.errors import MidfillError, NoSpace, UsageError
from midfill.inference.measuring.replay import requantise as module
from midfill.inference.measuring.replay.gguf_markers import read_markers
from midfill.inference.measuring.replay.llama_cpp import beginning_with, need_llama_cpp, written
from midfill.inference.measuring.replay.peers import SameWeights, find_peers, is_peer
from midfill.inference.measuring.replay.prompts import Sides
from midfill.inference.measuring.replay.requantise import (
    Quantisation,
    parse_quantisations,
    quantised_file,
    requantise,
)
from midfill.inference.progress import Progress, nobody_listens

if TYPE_CHECKING:
    from pathlib import Path

QWEN = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
DEEPSEEK = ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"]
SIDES = Sides("before", "behind")
VALUES = np.random.default_rng(5).standard_normal((48, 64)).astype(np.float32)


def write_gguf(
    path: Path, tokens: list[str], numbers: dict[str, int] | None = None, begin: int | None = None
) -> Path:
    """A small file with a vocabulary, two matrices, a head and a norm."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_token_list(["a", "b", *tokens])
    writer.add_token_scores([0.5, -1.5, *[0.0] * len(tokens)])
    writer.add_context_length(4096)
    writer.add_rope_freq_base(1e6)
    writer.add_string("tokenizer.chat_template", "{{ 'ä' }}")
    for key, value in (numbers or {}).items():
        writer.add_uint32(f"tokenizer.ggml.{key}", value)
    if begin is not None:
        writer.add_add_bos_token(True)
        writer.add_bos_token_id(begin)
    q8 = gguf.quants.quantize(VALUES, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.ffn_up.weight", q8, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.ffn_down.weight", VALUES)
    writer.add_tensor("blk.0.attn_norm.weight", VALUES[0])
    writer.add_tensor("output.weight", q8, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    "keys",
    [
        ("fim_pre_token_id", "fim_suf_token_id", "fim_mid_token_id"),
        ("prefix_token_id", "suffix_token_id", "middle_token_id"),
        (),
    ],
)
def test_markers_are_found_by_number_and_by_name(tmp_path: Path, keys: tuple[str, ...]) -> None:
    path = write_gguf(tmp_path / "m.gguf", QWEN, {key: 2 + n for n, key in enumerate(keys)})

    assert read_markers(path).prompt(SIDES).pieces == [2, 3, "behind", 4, "before"]


def test_a_model_that_reads_the_prefix_first_is_given_it_first(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", DEEPSEEK, begin=1)
    assert read_markers(path).prompt(SIDES).pieces == [1, 2, "before", 3, "behind", 4]

    path = write_gguf(tmp_path / "c.gguf", ["[PREFIX]", "[SUFFIX]"])
    assert read_markers(path).prompt(SIDES).pieces == [3, "behind", 2, "before"]


def test_numbers_without_a_token_are_not_believed(tmp_path: Path) -> None:
    numbers = {"fim_pre_token_id": 2, "fim_suf_token_id": 3, "fim_mid_token_id": 4_000_000}
    with pytest.raises(UsageError, match="no markers for filling in the middle"):
        read_markers(write_gguf(tmp_path / "m.gguf", ["c", "d"], numbers))


def test_files_that_are_no_models_are_refused_in_one_line(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "m.gguf", QWEN).read_bytes()
    for content in (b"", b"GGUF", b"PK\x03\x04", whole[:200], b"x" * 100):
        file = tmp_path / "bad.gguf"
        file.write_bytes(content)
        with pytest.raises(UsageError, match="not an intact GGUF file") as caught:
            read_markers(file)
        assert "model pull" not in str(caught.value)


def test_peers_are_known_by_their_names() -> None:
    assert all(map(is_peer, ("llama.cpp", "a/b.gguf", "B.GGUF", "http://localhost:1#m")))
    assert not any(map(is_peer, ("Qwen/Qwen2.5-Coder-7B", "./folder", "embedded")))


def test_peers_that_cannot_be_had_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_peers([str(tmp_path / "nothing.gguf")])
    with pytest.raises(UsageError, match=r"takes llama\.cpp, FILE\.gguf or URL#MODEL"):
        find_peers(["http://localhost:1#m", "owner/model"])

    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    file = write_gguf(tmp_path / "m.gguf", QWEN)
    for name in ("llama.cpp", str(file)):
        with pytest.raises(MidfillError, match=r"pip install 'midfill\[bench\]'"):
            find_peers([name])


def test_the_same_peer_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", sys)

    assert find_peers(["llama.cpp", "llama.cpp"]) == (SameWeights(),)
    assert find_peers(["llama.cpp,healing=off"]) == (SameWeights(healing=False),)
    assert need_llama_cpp() is sys


def test_answers_of_llama_cpp_are_taken_apart_or_refused() -> None:
    answer = {
        "choices": [{"text": " x"}],
        "usage": {"completion_tokens": 3},
        "timings": {"prompt_n": 5, "prompt_ms": 20.0, "predicted_ms": 40.0},
    }
    found = written(answer, 0.1)
    assert (found.text, found.tokens, found.steps, found.read, found.ms) == (" x", 3, 3, 5, 100)
    assert found.stages == {"prompt": 20.0, "tokens": 40.0}

    with pytest.raises(MidfillError, match="refuses: too long"):
        written({"error": {"message": "too long"}}, 0.1)
    for broken in (None, [], {}, "text", {**answer, "timings": None}, {**answer, "choices": []}):
        with pytest.raises(MidfillError, match="form that is not known"):
            written(broken, 0.1)


def test_what_is_owed_is_no_part_of_the_suggestion() -> None:
    timings = {"prompt_n": 5, "prompt_ms": 20.0, "predicted_ms": 40.0}
    answer = {"choices": [{"text": " return x"}], "usage": {"completion_tokens": 3}}
    answer["timings"] = timings

    assert written(answer, 0.1, " ret").text == "urn x"
    assert written(answer, 0.1, " returns").text == ""


def test_a_grammar_spells_what_is_owed() -> None:
    assert beginning_with(" re") == r'root ::= " re" [^\x00]*'
    assert beginning_with('\\"ä') == r'root ::= "\\\"ä" [^\x00]*'
    assert beginning_with("\t") == r'root ::= "\U00000009" [^\x00]*'


def test_quantisations_are_named_between_commas() -> None:
    assert parse_quantisations("q8_0, Q4_0,Q8_0") == (Quantisation.Q8_0, Quantisation.Q4_0)
    for wrong in ("", ",", "Q2_K", "Q4_0 Q8_0"):
        with pytest.raises(UsageError, match="--quantisations"):
            parse_quantisations(wrong)


@pytest.mark.parametrize("quantisation", [Quantisation.Q4_0, Quantisation.Q8_0])
def test_matrices_are_quantised_and_the_rest_is_copied(
    tmp_path: Path, quantisation: Quantisation
) -> None:
    source = write_gguf(tmp_path / "m.gguf", QWEN, {"fim_pre_token_id": 2}, begin=1)
    target = tmp_path / "new.gguf"
    seen: list[Progress] = []
    requantise(source, target, quantisation, seen.append)

    old, new = gguf.GGUFReader(source), gguf.GGUFReader(target)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in new.tensors}
    assert kinds == {
        "blk.0.ffn_up.weight": quantisation.name,
        "blk.0.ffn_down.weight": quantisation.name,
        "blk.0.attn_norm.weight": "F32",
        "output.weight": "Q8_0",
    }
    for before, after in zip(old.tensors, new.tensors, strict=True):
        assert (before.name, before.shape.tolist()) == (after.name, after.shape.tolist())
        one, other = (
            gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in (before, after)
        )
        if after.name in ("output.weight", "blk.0.attn_norm.weight"):
            assert (one == other).all()
        else:
            error = 0.2 if quantisation is Quantisation.Q4_0 else 0.02
            assert np.abs(one - other).mean() < error
    written_anew = {"general.file_type", "general.quantization_version"}
    for name, value in old.fields.items():
        if not name.startswith("GGUF.") and name not in written_anew:
            assert new.fields[name].contents() == value.contents(), name
            assert new.fields[name].types == value.types, name
    assert [progress.fraction for progress in seen][:: len(seen) - 1] == [0.0, 1.0]


def test_a_file_is_written_once_and_never_by_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "ROOM", 1000)
    published = write_gguf(tmp_path / "small-q4_k_m.gguf", QWEN)
    folder = tmp_path / "cache" / "bench"

    def interrupted(progress: Progress) -> None:
        if progress.fraction:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantised_file(published, Quantisation.Q4_0, interrupted)
    assert list(folder.iterdir()) == []

    file = quantised_file(published, Quantisation.Q4_0, nobody_listens)
    assert file == folder / "small-q4_0.gguf"
    before = file.stat().st_mtime_ns
    assert quantised_file(published, Quantisation.Q4_0, nobody_listens) == file
    assert file.stat().st_mtime_ns == before
    assert quantised_file(published, Quantisation.Q4_K_M, nobody_listens) == published


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDFILL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "ROOM", 10**18)
    published = write_gguf(tmp_path / "small-q4_k_m.gguf", QWEN)

    with pytest.raises(NoSpace):
        quantised_file(published, Quantisation.Q8_0, nobody_listens)
