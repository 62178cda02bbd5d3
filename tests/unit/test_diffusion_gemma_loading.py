"""A folder is loaded exactly as published, or refused in one line that says what is wrong."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_diffusion_gemma import tiny_network, tiny_tokenizer_json, write_tiny

from midfill.inference.errors import MidfillError, UsageError, WeightsCorrupt
from midfill.inference.fillers.diffusion_gemma import open_diffusion_gemma
from midfill.inference.models.diffusion_gemma import loading
from midfill.inference.models.diffusion_gemma.loading import load_model
from midfill.inference.models.diffusion_gemma.rule import denoising_rule, refuse_useless
from midfill.inference.models.options import Options, Weights
from midfill.inference.models.quantised.quantise import quantise
from midfill.inference.models.reference import ModelReference, Place
from midfill.inference.progress import nobody_listens
from midfill.inference.samplers.confidence_threshold import ConfidenceThreshold
from midfill.inference.samplers.entropy_bound import EntropyBound
from midfill.inference.uniform.canvas import UniformCanvas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transformers import DiffusionGemmaForBlockDiffusion

    from midfill.inference.models.diffusion_gemma.loading import LoadedNetwork

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
FLOAT32 = Options(weights=Weights.FLOAT32)
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("published"))


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    return shutil.copytree(published, tmp_path / "model")


def load(folder: Path, options: Options = FLOAT32) -> LoadedNetwork:
    return load_model(folder, options, CPU, nobody_listens)


def change_json(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def test_the_weights_are_those_of_the_folder(published: Path) -> None:
    loaded = load(published).model.network.state_dict()
    original = tiny_network().state_dict()
    assert all(torch.equal(tensor, original[name]) for name, tensor in loaded.items())
    assert {name for name in original if "vision" not in name} == set(loaded)


def test_context_and_canvas_share_one_set_of_weights(published: Path) -> None:
    network = load(published).model.network
    assert (
        network.model.encoder.language_model.layers[0].mlp.up_proj.weight
        is network.model.decoder.layers[0].mlp.up_proj.weight
    )


def test_weights_are_held_as_asked_for(published: Path) -> None:
    model = load(published, Options(weights=Weights.BFLOAT16)).model
    assert model.network.dtype == torch.bfloat16


@pytest.mark.parametrize("weights", [Weights.INT8, Weights.INT4])
def test_quantised_weights_predict_nearly_the_same(published: Path, weights: Weights) -> None:
    if weights is Weights.INT4:
        pytest.importorskip("bitsandbytes")
    exact, packed = load(published).model, load(published, Options(weights=weights)).model
    ids = torch.arange(10, 18)[None]
    positions = torch.arange(5, 13, dtype=torch.int32)[None]
    states = []
    for model in (exact, packed):
        context = model.new_context()
        model.encode(list(range(20, 25)), context)
        masks = {"full_attention": None, "sliding_attention": None}
        belief = torch.zeros_like(model.embed(ids))
        states.append(model.step(ids, belief, positions, masks, context.view()).float())
    similar = torch.nn.functional.cosine_similarity(*states, dim=-1)
    assert similar.min() > (0.98 if weights is Weights.INT8 else 0.8)
    assert not torch.equal(*states)


def in_bfloat16(folder: Path) -> Path:
    change_tensors(folder, lambda t: t.update({name: w.bfloat16() for name, w in t.items()}))
    change_json(folder / "config.json", dtype="bfloat16")
    return folder


@pytest.mark.parametrize("weights", [Weights.INT8, Weights.INT4])
def test_what_is_quantised_is_not_converted_first(
    folder: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed from the file's own type, it computes as if it had been converted and then packed."""
    if weights is Weights.INT4:
        pytest.importorskip("bitsandbytes")
    in_bfloat16(folder)
    monkeypatch.setattr(loading, "dtype_of", lambda *_: torch.float32)
    types: list[torch.dtype] = []

    def noted(network: DiffusionGemmaForBlockDiffusion, *rest: object) -> None:
        types.extend(parameter.dtype for parameter in network.parameters())
        quantise(network, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "quantise", noted)
    packed = load(folder, Options(weights=weights)).model
    assert set(types) == {torch.bfloat16}
    converted = load(folder).model
    quantise(converted.network, weights, CPU)
    assert packed.network.dtype == torch.float32
    scales = [model.network.model.decoder.embed_tokens.embed_scale for model in (packed, converted)]
    assert torch.equal(*scales)

    ids, predictions = list(range(20, 40)), []
    canvas = UniformCanvas.blank(4, CPU)
    for model in (packed, converted):
        context = model.new_context()
        model.encode(ids, context)
        predictions.append(model.behind(context).predict(canvas, canvas.pinned, None))
    torch.testing.assert_close(*predictions, rtol=1e-5, atol=1e-5)


def test_a_checkpoint_in_two_files_is_read(published: Path, folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, inside in parts.items():
        save_file({n: tensors[n] for n in inside}, folder / file, metadata={"format": "pt"})
    (folder / WEIGHTS).unlink()
    weight_map = {name: file for file, inside in parts.items() for name in inside}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    one, other = load(folder).model.network, load(published).model.network
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
    (folder / "b.safetensors").unlink()
    with pytest.raises(WeightsCorrupt, match=r"half a checkpoint: .* lacks b\.safetensors"):
        load(folder)


def another_type(folder: Path) -> None:
    change_json(folder / "config.json", model_type="gpt2")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def damaged_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def nonsense_in_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = "many"
    (folder / "config.json").write_text(json.dumps(config))


def quantised_already(folder: Path) -> None:
    change_json(folder / "config.json", quantization_config={"quant_method": "fp8"})


def not_causal(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["use_bidirectional_attention"] = "all"
    (folder / "config.json").write_text(json.dumps(config))


def missing_tensor(folder: Path) -> None:
    change_tensors(folder, lambda t: t.pop("model.decoder.norm.weight"))  # type: ignore[arg-type,return-value]


def extra_tensor(folder: Path) -> None:
    change_tensors(folder, lambda t: t.update({"model.decoder.adapter": torch.zeros(2)}))


def wrong_shape(folder: Path) -> None:
    change_tensors(folder, lambda t: t.update({"model.decoder.norm.weight": torch.zeros(7)}))


def pickle_only(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


def no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def cut_short(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def change_text_config(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= fields
    (folder / "config.json").write_text(json.dumps(config))


def no_soft_cap(folder: Path) -> None:
    change_text_config(folder, final_logit_softcapping=None)


def soft_cap_of_zero(folder: Path) -> None:
    change_text_config(folder, final_logit_softcapping=0)


def more_experts_than_there_are(folder: Path) -> None:
    change_text_config(folder, top_k_experts=5)


def weights_that_are_no_numbers(folder: Path) -> None:
    change_tensors(folder, lambda t: t["model.decoder.norm.weight"].fill_(float("nan")))  # type: ignore[arg-type,return-value]


def marker_behind_the_vocabulary(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    for added in tokenizer["added_tokens"]:
        if added["content"] == "<turn|>":
            added["id"] = 5000
    tokenizer["model"]["vocab"]["<turn|>"] = 5000
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


SETTINGS: list[tuple[dict[str, object], str]] = [
    ({"t_max": 0.0}, "t_max cannot be 0.0"),
    ({"t_max": 0.8, "t_min": float("nan")}, "t_min cannot be nan"),
    ({"t_max": float("inf"), "t_min": 0.1}, "t_max cannot be inf"),
    ({"confidence_threshold": float("inf")}, "confidence_threshold cannot be inf"),
    ({"max_denoising_steps": True}, "max_denoising_steps cannot be True"),
    ({"max_denoising_steps": 10**30}, "max_denoising_steps cannot be 1000"),
    (
        {
            "sampler_config": {
                "_cls_name": "EntropyBoundSamplerConfig",
                "entropy_bound": float("inf"),
            }
        },
        "entropy_bound cannot be inf",
    ),
]


@pytest.mark.parametrize(("settings", "message"), SETTINGS, ids=lambda given: str(given)[:40])
def test_settings_that_no_canvas_can_be_denoised_with_are_damage(
    folder: Path, settings: dict[str, object], message: str
) -> None:
    (folder / "generation_config.json").write_text(json.dumps(settings))
    with pytest.raises(WeightsCorrupt, match=f"generation_config.json is damaged: {message}"):
        load(folder)


def damaged_settings(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"max_denoising_steps": "many"}')


def other_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(tiny_tokenizer_json(without=("<|channel>",)))


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


FAULTS: dict[Callable[[Path], None], tuple[type[MidfillError], str]] = {
    another_type: (UsageError, "is of type 'gpt2', which is not supported"),
    no_config: (UsageError, "has no config.json"),
    damaged_config: (WeightsCorrupt, "config.json is damaged"),
    nonsense_in_config: (WeightsCorrupt, "config.json is damaged"),
    quantised_already: (UsageError, "quantised already"),
    not_causal: (UsageError, "not causal"),
    missing_tensor: (WeightsCorrupt, "lacks the tensor model.decoder.norm.weight"),
    extra_tensor: (WeightsCorrupt, "has the tensor model.decoder.adapter"),
    wrong_shape: (WeightsCorrupt, "has the shape (7,), but config.json asks for (32,)"),
    pickle_only: (UsageError, "only in a pickle (pytorch_model.bin)"),
    no_weights: (UsageError, "has no weights"),
    cut_short: (WeightsCorrupt, "damaged or cut short"),
    no_soft_cap: (WeightsCorrupt, "final_logit_softcapping cannot be None"),
    soft_cap_of_zero: (WeightsCorrupt, "final_logit_softcapping cannot be 0"),
    more_experts_than_there_are: (WeightsCorrupt, "top_k_experts cannot be 5"),
    weights_that_are_no_numbers: (WeightsCorrupt, "compute no numbers"),
    marker_behind_the_vocabulary: (WeightsCorrupt, "has 5001 tokens, but the model only 384"),
    damaged_settings: (WeightsCorrupt, "generation_config.json is damaged"),
    other_tokenizer: (WeightsCorrupt, "has no token <|channel>"),
    no_tokenizer: (WeightsCorrupt, "has no tokenizer"),
}


def open_folder(folder: Path, options: Options) -> None:
    reference = ModelReference(str(folder), Place.FOLDER, str(folder), "", options)
    open_diffusion_gemma(folder, reference, CPU, nobody_listens)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_faulty_folder_is_refused_in_one_line(
    fault: Callable[[Path], None], folder: Path
) -> None:
    kind, message = FAULTS[fault]
    fault(folder)
    with pytest.raises(kind) as refused:
        open_folder(folder, FLOAT32)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_code_in_the_folder_is_never_run(folder: Path) -> None:
    (folder / "modeling_custom.py").write_text("raise SystemExit('executed')")
    change_json(
        folder / "config.json", auto_map={"AutoModel": "modeling_custom.Model", "AutoConfig": "x.Y"}
    )
    assert load(folder).model.vocabulary == 384


def test_a_canvas_longer_than_the_model_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"has 4096 positions, too few for canvas=256"):
        open_folder(folder, Options(canvas=256, prefix_tokens=3500))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_p": 0.9}, "takes no option top-p"),
        ({"cache": "none"}, "takes no option cache"),
        ({"block": 8}, "takes no option block"),
        ({"length": "expand-delete"}, "was not taught length=expand-delete"),
        ({"length": "search", "suffix": "prompt"}, "the answer says where it ends"),
        ({"length": "search"}, "suffix=prompt, the default, the answer says where it ends"),
        ({"length": "fixed"}, "leave out length=fixed"),
        ({"suffix": "pinned", "suffix_tokens": 0}, "suffix=pinned there has to be something"),
        ({"suffix": "both", "suffix_tokens": 0}, "ask for more than suffix-tokens=0"),
    ],
)
def test_options_without_effect_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        refuse_useless(Options.model_validate(options))


def test_it_denoises_as_published_unless_told_otherwise(folder: Path) -> None:
    plain = denoising_rule(load(folder).published, Options())
    assert (plain.steps, plain.sampler) == (48, EntropyBound(0.1))
    (folder / "generation_config.json").write_text(
        json.dumps(
            {
                "max_denoising_steps": 12,
                "sampler_config": {"_cls_name": "EntropyBoundSamplerConfig", "entropy_bound": 0.3},
                "t_min": 0.2,
                "t_max": 0.5,
                "stability_threshold": 2,
                "confidence_threshold": 0.01,
            }
        )
    )
    published = load(folder).published
    rule = denoising_rule(published, Options())
    assert (rule.steps, rule.sampler, rule.greedy) == (12, EntropyBound(0.3), False)
    assert (rule.temperature.first, rule.temperature.last) == (0.5, 0.2)
    assert (rule.stopping.stability, rule.stopping.confidence) == (2, 0.01)
    told = denoising_rule(published, Options(steps=5, threshold=0.7, temperature=1.0))
    assert (told.steps, told.sampler) == (5, EntropyBound(0.7))
    assert (told.temperature.first, told.temperature.last) == pytest.approx((1.0, 0.4))
    assert denoising_rule(published, Options(temperature=0.0)).greedy
    confident = denoising_rule(published, Options.model_validate({"sampler": "confidence"}))
    assert confident.sampler == ConfidenceThreshold(0.9)
