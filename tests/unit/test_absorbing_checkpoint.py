"""What is read of a checkpoint besides its weights, and what is said of bad ones."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tiny_absorbing as tiny
import torch
from safetensors.torch import save_file

from midfill.inference.errors import MidfillError, UsageError, WeightsCorrupt
from midfill.inference.models.absorbing.checkpoint import read_checkpoint
from midfill.inference.models.absorbing.families import FAMILIES, supported_model_types
from midfill.inference.models.absorbing.special_tokens import SpecialTokens
from midfill.inference.models.kind import ABSORBING, DIFFUSION_GEMMA, kind_of
from midfill.inference.models.options import Length

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from midfill.inference.models.absorbing.checkpoint import AbsorbingCheckpoint

END, IM_END, BOS, MASK, EXPAND = tiny.END, tiny.IM_END, tiny.BOS, tiny.MASK, tiny.EXPAND


def load(folder: Path) -> AbsorbingCheckpoint:
    return read_checkpoint(folder, dtype=torch.float32, device=torch.device("cpu"))


TOKENS = {
    "Dream": SpecialTokens(MASK, END, END, bos=BOS),
    "DiffuCoder": SpecialTokens(MASK, END, 308, bos=BOS),
    "DreamOn": SpecialTokens(MASK, END, END, bos=BOS, expand=EXPAND, delete=END),
    "Open-dCoder": SpecialTokens(BOS, END, END),
    "LLaDA": SpecialTokens(MASK, END, END),
    "CoDA": SpecialTokens(309, IM_END, END),
    "CoDA, tied": SpecialTokens(309, IM_END, END),
    "Tiny-A2D of Qwen2.5": SpecialTokens(309, IM_END, IM_END),
    "Tiny-A2D of Qwen3": SpecialTokens(309, IM_END, IM_END),
}

SHIFTED = {"Dream", "DiffuCoder", "DreamOn", "Open-dCoder", "CoDA", "CoDA, tied"}

LONGEST = {
    **dict.fromkeys(("Dream", "DiffuCoder", "DreamOn"), 2048),
    "LLaDA": 4096,
    **dict.fromkeys(("CoDA", "CoDA, tied"), 40960),
    **dict.fromkeys(("Open-dCoder", "Tiny-A2D of Qwen2.5", "Tiny-A2D of Qwen3"), 32768),
}


@pytest.mark.parametrize("name", tiny.MODELS)
def test_what_there_is_to_know_comes_from_the_model_s_own_files(name: str, tmp_path: Path) -> None:
    loaded = load(tiny.MODELS[name].write(tmp_path))

    assert loaded.tokens == TOKENS[name]
    assert loaded.shift == (name in SHIFTED)
    assert loaded.longest == LONGEST[name]
    resizes = name == "DreamOn"
    assert loaded.length is (Length.EXPAND_DELETE if resizes else Length.SEARCH)
    assert name.startswith({"Dream": "D"}.get(loaded.family, loaded.family))
    assert kind_of(tmp_path) == ABSORBING


def test_expand_and_delete_are_found_by_the_marker_where_no_file_says_their_ids(
    tmp_path: Path,
) -> None:
    loaded = load(tiny.dreamon(ids_in_generation_config=False).write(tmp_path))

    assert loaded.family == "DreamOn"
    assert (loaded.tokens.expand, loaded.tokens.delete) == (EXPAND, END)


def test_nothing_but_text_and_what_ends_or_resizes_a_hole_may_stand_in_it(tmp_path: Path) -> None:
    loaded = load(tiny.dreamon().write(tmp_path))

    text = set(range(256 + len(tiny.MERGES)))
    assert loaded.banned == set(range(tiny.VOCABULARY)) - text - {END, EXPAND}
    assert {MASK, BOS, tiny.IM_START, IM_END, tiny.FIM, tiny.VOCABULARY - 1} <= loaded.banned


def test_of_several_end_tokens_the_first_is_taken(tmp_path: Path) -> None:
    model = tiny.tiny_a2d("qwen2").with_config(eos_token_id=[IM_END, END])

    assert load(model.write(tmp_path)).tokens.end == IM_END


def test_supported_types_are_those_of_the_families() -> None:
    assert supported_model_types() == (
        "qwen2",
        "Dream",
        "llada",
        "CoDA",
        "a2d-qwen2",
        "a2d-qwen3",
    )
    assert {backbone for family in FAMILIES for backbone in family.backbones.values()} == {
        "qwen2",
        "qwen3",
        "llama",
    }


def test_diffusion_gemma_is_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "diffusion_gemma"}')

    assert kind_of(tmp_path) == DIFFUSION_GEMMA


@pytest.mark.parametrize("read", [kind_of, load])
@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("gpt2", "which is not supported; supported are"),
        (None, "which is not supported; supported are"),
        ("sdar", "because it sees nothing to the right of a block"),
        ("lladamoe", "because transformers has no native architecture"),
        ("llama", "because Llama is not a diffusion model"),
    ],
)
def test_an_unknown_type_is_answered_with_what_is_supported(
    read: Callable[[Path], object], model_type: str | None, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))

    with pytest.raises(UsageError, match=reason) as caught:
        read(tmp_path)

    message = str(caught.value)
    assert f"type {str(model_type)!r}" in message
    assert "diffusion_gemma, qwen2, Dream, llada, CoDA, a2d-qwen2, a2d-qwen3" in message
    assert "\n" not in message


def edited(model: tiny.Tiny, name: str, tensor: torch.Tensor | None) -> tiny.Tiny:
    """The same with another tensor, or without it."""
    tensors = {**model.tensors}
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    return replace(model, tensors=tensors)


def without_marker(model: tiny.Tiny, marker: str) -> tiny.Tiny:
    return replace(model, markers={k: v for k, v in model.markers.items() if k != marker})


GATE = "model.layers.1.mlp.gate_proj.weight"

BAD_MODELS: dict[str, tuple[tiny.Tiny, type[MidfillError], str]] = {
    "wrong shape": (
        edited(tiny.dream(), GATE, torch.zeros(tiny.INNER, tiny.WIDTH - 1)),
        WeightsCorrupt,
        f"tensor {GATE} has the shape 48×31, but config.json asks for 48×32",
    ),
    "missing tensor": (
        edited(tiny.dream(), GATE, None),
        WeightsCorrupt,
        f"half a checkpoint: tensor {GATE} missing",
    ),
    "missing layers": (
        tiny.dream().with_config(num_hidden_layers=4),
        WeightsCorrupt,
        r"tensor model\.layers\.2\.\S+ and 23 more missing",
    ),
    "missing head": (
        edited(tiny.dream(), "lm_head.weight", None),
        WeightsCorrupt,
        r"tensor lm_head\.weight missing",
    ),
    "unexpected tensor": (
        edited(tiny.dream(), "model.extra.weight", torch.zeros(3)),
        WeightsCorrupt,
        r"tensor model\.extra\.weight that the model does not know",
    ),
    "unexpected tensor of LLaDA": (
        edited(tiny.llada(), "model.transformer.blocks.0.gate.weight", torch.zeros(3)),
        WeightsCorrupt,
        r"tensor model\.transformer\.blocks\.0\.gate\.weight that the model does not know",
    ),
    "quantised tensor": (
        edited(tiny.dream(), GATE, torch.zeros(tiny.INNER, tiny.WIDTH, dtype=torch.int8)),
        UsageError,
        f"tensor {GATE} in model.safetensors is of type I8: quantised",
    ),
    "no mask token": (
        without_marker(tiny.dream(), "<|mask|>"),
        UsageError,
        r"no mask token <\|mask\|>, so this is no Dream model",
    ),
    "ordinary Qwen2": (
        without_marker(tiny.open_dcoder(), "<M>"),
        UsageError,
        "no mask token <M>, so this is no Open-dCoder model",
    ),
    "no mask id": (
        tiny.llada().with_config(mask_token_id=None),
        UsageError,
        "no mask_token_id, so this is no LLaDA model",
    ),
    "contradicting mask ids": (
        tiny.dream().with_config(mask_token_id=MASK - 3),
        WeightsCorrupt,
        f"mask token is {MASK - 3}, the tokenizer {MASK}",
    ),
    "mask that is text": (
        tiny.llada().with_config(mask_token_id=65),
        WeightsCorrupt,
        "mask token is 65, which the tokenizer has as text",
    ),
    "mask beyond the embedding": (
        replace(tiny.coda(), markers=tiny.QWEN_MARKERS).with_config(mask_token_id=5000),
        WeightsCorrupt,
        "the mask token has the id 5000, but the model has 320 tokens",
    ),
    "an id that is none": (
        tiny.llada().with_config(eos_token_id="<|endoftext|>"),
        WeightsCorrupt,
        "eos_token_id of the model's configuration is no token id",
    ),
    "no end token": (
        without_marker(tiny.dream(), "<|endoftext|>").with_config(eos_token_id=None),
        WeightsCorrupt,
        "no eos_token_id",
    ),
    "tokenizer of another model": (
        tiny.dream().with_config(vocab_size=100),
        WeightsCorrupt,
        "but the model only 100; they are not of the same model",
    ),
    "no width": (tiny.dream().with_config(hidden_size=None), WeightsCorrupt, "lacks hidden_size"),
    "a width that is none": (
        tiny.dream().with_config(hidden_size="32"),
        WeightsCorrupt,
        "no positive whole number for hidden_size",
    ),
    "heads that do not divide": (
        tiny.llada().with_config(n_heads=5),
        WeightsCorrupt,
        "divides a width of 32 among 5 heads",
    ),
    "heads of another width": (
        tiny.dream().with_config(num_attention_heads=3, num_key_value_heads=1),
        WeightsCorrupt,
        "has the shape 16, but config.json asks for 10; they are not of the same model",
    ),
    "key heads that do not divide": (
        tiny.dream().with_config(num_key_value_heads=3),
        WeightsCorrupt,
        "4 heads of width 8 and 3 key heads, which cannot be",
    ),
    "a width of heads that cannot turn": (
        tiny.coda().with_config(head_dim=15),
        WeightsCorrupt,
        "4 heads of width 15",
    ),
    "no rotary base": (
        tiny.dream().with_config(rope_theta=None),
        WeightsCorrupt,
        "no positive number for rope_theta",
    ),
    "scaled positions": (
        tiny.dream().with_config(rope_scaling={"type": "yarn", "factor": 4.0}),
        UsageError,
        r"scaled rotary positions \(yarn\)",
    ),
    "sliding windows": (
        tiny.open_dcoder().with_config(use_sliding_window=True),
        UsageError,
        "use_sliding_window 'True': not supported",
    ),
    "more layers than can be": (
        tiny.dream().with_config(num_hidden_layers=10**9),
        WeightsCorrupt,
        "asks for 1000000000 layers",
    ),
    "another LLaDA": (
        tiny.llada().with_config(alibi=True),
        UsageError,
        "alibi 'True', which LLaDA 8B has not",
    ),
    "LLaDA-MoE": (
        tiny.llada().with_config(architectures=["LLaDAMoEModelLM"]),
        UsageError,
        "mixture of experts",
    ),
    "bd3lm": (
        tiny.tiny_a2d("qwen3").with_config(_name_or_path="x/Qwen3-0.6B-diffusion-bd3lm-v0.1"),
        UsageError,
        "see nothing to the right of a block; take the mdlm one",
    ),
    "Dream with blocks": (
        tiny.dream().with_config(block_size=32),
        UsageError,
        "Dream models with a block size see nothing to the right",
    ),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_bad_model_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    model, kind, message = BAD_MODELS[name]

    with pytest.raises(kind, match=message) as caught:
        load(model.write(tmp_path))

    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_a_folder_called_bd3lm_is_refused_too(tmp_path: Path) -> None:
    folder = tmp_path / "dllm-hub--Qwen3-0.6B-diffusion-bd3lm-v0.1" / "0123abcd"

    with pytest.raises(UsageError, match="take the mdlm one"):
        load(tiny.tiny_a2d("qwen3").write(folder))


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _config_cut_short(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "Dr')


def _config_is_a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def _generation_config_cut_short(folder: Path) -> None:
    (folder / "generation_config.json").write_text("{")


def _missing_shard(folder: Path) -> None:
    (folder / "model-00002-of-00003.safetensors").unlink()


def _cut_short(folder: Path) -> None:
    path = folder / "model-00002-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _header_damaged(folder: Path) -> None:
    path = folder / "model-00002-of-00003.safetensors"
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])


def _index_names_a_tensor_too_many(folder: Path) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["model.more.weight"] = "model-00001-of-00003.safetensors"
    path.write_text(json.dumps(index))


def _index_leads_elsewhere(folder: Path) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["lm_head.weight"] = "../other.safetensors"
    path.write_text(json.dumps(index))


def _a_tensor_twice(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    name = next(iter(content["weight_map"]))
    save_file({name: torch.zeros(2)}, folder / "more.safetensors")
    index.unlink()


def _only_pickles(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Bomb(folder / "exploded")))


def _no_weights(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()


class _Bomb:
    """What a pickle could do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self._path), "w"))


BAD_FILES: dict[str, tuple[Callable[[Path], None], type[MidfillError], str]] = {
    "no config.json": (_no_config, UsageError, r"has no config\.json"),
    "half a config.json": (_config_cut_short, WeightsCorrupt, r"config\.json is damaged"),
    "config.json is a list": (_config_is_a_list, WeightsCorrupt, r"config\.json is damaged"),
    "half a generation_config.json": (
        _generation_config_cut_short,
        WeightsCorrupt,
        r"generation_config\.json is damaged",
    ),
    "a missing shard": (
        _missing_shard,
        WeightsCorrupt,
        r"half a checkpoint: .* lacks model-00002-of-00003\.safetensors",
    ),
    "a shard cut short": (
        _cut_short,
        WeightsCorrupt,
        r"model-00002-of-00003\.safetensors is damaged or cut short",
    ),
    "a damaged header": (_header_damaged, WeightsCorrupt, "is damaged or cut short"),
    "an index of more": (
        _index_names_a_tensor_too_many,
        WeightsCorrupt,
        r"tensor model\.more\.weight is not in model-00001-of-00003\.safetensors",
    ),
    "an index that leads elsewhere": (
        _index_leads_elsewhere,
        WeightsCorrupt,
        r"index\.json is damaged",
    ),
    "a tensor twice": (_a_tensor_twice, WeightsCorrupt, r"is in .* and in more\.safetensors"),
    "only pickles": (
        _only_pickles,
        UsageError,
        r"only in a pickle \(pytorch_model\.bin\), which can run code",
    ),
    "no weights": (_no_weights, UsageError, r"not a single \.safetensors file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_folder_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    spoil, kind, message = BAD_FILES[name]
    spoil(tiny.dream().write(tmp_path, shards=3))

    with pytest.raises(kind, match=message) as caught:
        load(tmp_path)

    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exploded").exists()


def test_code_in_the_folder_is_never_run(tmp_path: Path) -> None:
    folder = tiny.dream().write(tmp_path)
    for name in ("configuration_dream", "modeling_dream", "tokenization_dream"):
        (folder / f"{name}.py").write_text(f"open({str(folder / 'exploded')!r}, 'w')")

    load(folder)

    assert not (folder / "exploded").exists()


def test_the_kind_of_a_model_is_told_without_torch(tmp_path: Path) -> None:
    folder = tiny.dream().write(tmp_path)
    program = (
        "import sys, pathlib\n"
        "from midfill.inference.models.kind import kind_of\n"
        "print(kind_of(pathlib.Path(sys.argv[1])), 'torch' in sys.modules)"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )

    assert told.stdout.split() == [ABSORBING, "False"]
