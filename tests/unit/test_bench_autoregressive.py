"""The model that is compared with: what it reads, what it keeps, and what it is refused for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tiny_absorbing import END, FIM
from tiny_autoregressive import FIM_PREFIX, FIM_SUFFIX, autoregressive, write_autoregressive

from midfill.inference.errors import UsageError, WeightsCorrupt
from midfill.inference.measuring.opening import against_reference, open_against
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.progress import nobody_listens
from midfill.inference.wire import InfillRequest

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.measuring.autoregressive import Autoregressive

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
PREFIX, SUFFIX = "def total(values):\n    retu", "\n\n\ndef other():\n    return 1\n"


def opened(folder: Path, options: str = "") -> Autoregressive:
    reference = against_reference(f"{folder},weights=float32{options}")
    return open_against(folder, reference, CPU, nobody_listens)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_autoregressive(tmp_path_factory.mktemp("ar"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Autoregressive:
    return opened(folder)


def request(prefix: str = PREFIX) -> InfillRequest:
    return InfillRequest(prefix=prefix, suffix=SUFFIX)


def written(model: Autoregressive) -> list[int]:
    """What stands behind the prompt in its cache; all but the last token of it."""
    return model._cached


def test_it_is_shown_both_sides_where_it_has_markers(model: Autoregressive, folder: Path) -> None:
    encode = HubTokenizer(folder).encode

    assert model.fills_in_the_middle
    assert model.prompt(request()) == [
        FIM_PREFIX,
        FIM_SUFFIX,
        *encode(SUFFIX),
        FIM,
        *encode(PREFIX),
    ]


def test_it_is_shown_the_prefix_alone_where_it_has_none(tmp_path: Path) -> None:
    folder = write_autoregressive(tmp_path / "plain", fim=False)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"add_bos_token": True}))
    model = opened(folder)

    assert not model.fills_in_the_middle
    assert model.prompt(request()) == [END, *HubTokenizer(folder).encode(PREFIX)]


def test_windows_bound_what_it_reads(folder: Path) -> None:
    model = opened(folder, ",prefix-tokens=16,suffix-tokens=4")

    assert len(model.prompt(request(PREFIX * 40))) <= 16 + 4 + 3


def test_it_writes_as_many_tokens_as_it_is_told_to_and_greedily(model: Autoregressive) -> None:
    model.forget()
    fill = model.fill(request(), 7)
    prompt = torch.tensor([model.prompt(request())])
    network: Any = model._model
    for _ in range(6):
        best = network(input_ids=prompt, use_cache=False).logits[0, -1].argmax()
        prompt = torch.cat([prompt, best[None, None]], dim=1)

    assert (fill.tokens, fill.steps, len(fill.step_seconds)) == (7, 7, 1)
    assert written(model) == prompt[0].tolist()
    assert model.fill(request(), 0).tokens == 1


@pytest.mark.parametrize("next_prefix", [PREFIX, PREFIX + "r", PREFIX[:-4], "import os\n"])
def test_what_is_kept_of_the_last_fill_changes_nothing(
    model: Autoregressive, next_prefix: str
) -> None:
    model.forget()
    model.fill(request(next_prefix), 9)
    wanted = written(model)
    model.forget()
    model.fill(request(), 12)

    seen: list[int] = []
    network: Any = model._model
    hook = network.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    model.fill(request(next_prefix), 9)
    hook.remove()

    assert written(model) == wanted
    assert seen[0] < len(model.prompt(request(next_prefix)))


def refusal(name: str) -> str:
    with pytest.raises(UsageError) as caught:
        against_reference(name)
    return str(caught.value)


def test_only_models_that_can_be_opened_here_are_taken(folder: Path) -> None:
    assert "hub id or a folder" in refusal("embedded")
    assert "hub id or a folder" in refusal("vllm:http://localhost:8000#m")
    assert "bfloat16 or float32" in refusal(f"{folder},weights=int8")
    assert "no folder" in refusal("./nothing-here")


def test_a_model_whose_code_is_its_own_is_refused_and_its_code_not_run(tmp_path: Path) -> None:
    folder = write_autoregressive(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own_kind", "auto_map": {"AutoModelForCausalLM": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('it was run')")

    with pytest.raises(UsageError, match=r"'own_kind'.*its own code is not run"):
        opened(folder)


def test_code_beside_a_native_architecture_is_not_run(tmp_path: Path) -> None:
    folder = write_autoregressive(tmp_path / "native")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('it was run')")

    assert opened(folder).fill(request(), 3).tokens == 3


def test_half_a_checkpoint_and_pickles_are_refused(tmp_path: Path) -> None:
    whole = autoregressive()
    some = {name: values for name, values in whole.tensors.items() if "layers.1" not in name}
    whole.tensors.clear()
    whole.tensors.update(some)
    folder = whole.write(tmp_path / "half")
    with pytest.raises(WeightsCorrupt, match="half a checkpoint"):
        opened(folder)

    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match="no safetensors"):
        opened(folder)


def test_a_model_with_too_few_positions_is_refused(tmp_path: Path) -> None:
    folder = autoregressive().with_config(max_position_embeddings=600).write(tmp_path / "short")

    with pytest.raises(UsageError, match="600 positions, too few for 1536"):
        opened(folder)
    assert opened(folder, ",prefix-tokens=128,suffix-tokens=64").fill(request(), 2).tokens == 2
