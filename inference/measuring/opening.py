"""From the name of an autoregressive model to the model in memory.

Only `transformers`' own architectures are used, and only safetensors are read: nothing that a
model's repository holds is ever run.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midfill.inference.downloads.repository.ensuring import ensure_snapshot
from midfill.inference.errors import MidfillError, UsageError, WeightsCorrupt
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.hub_tokenizer import HubTokenizer
from midfill.inference.models.json_file import read_object
from midfill.inference.models.kind import read_config
from midfill.inference.models.options import Weights
from midfill.inference.models.reference import Place, model_reference
from midfill.inference.progress import Progress

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from midfill.inference.measuring.autoregressive import Autoregressive
    from midfill.inference.models.reference import ModelReference
    from midfill.inference.progress import ProgressListener


def against_reference(name: str) -> ModelReference:
    """Take the name of the model to compare with apart.

    Raises:
        UsageError: it is neither a folder nor on the hub, or its options ask for what is not done.
        MidfillError: `transformers` is missing.
    """
    reference = model_reference(name)
    if reference.place not in (Place.FOLDER, Place.HUB):
        raise UsageError(f"--against takes a hub id or a folder, not {name!r}")
    if reference.options.weights in (Weights.INT8, Weights.INT4):
        raise UsageError(f"--against {name}: weights are bfloat16 or float32 there")
    if find_spec("transformers") is None:
        raise MidfillError(
            "--against needs the package transformers: run `pip install 'midfill[models]'`"
        )
    return reference


def fetch_against(reference: ModelReference, listener: ProgressListener) -> Path:
    """The model's folder, pulled first where it is missing.

    Raises:
        MidfillError: it cannot be had.
    """
    if reference.place is Place.FOLDER:
        return Path(reference.location)
    return ensure_snapshot(reference.location, reference.options.revision, listener)


def open_against(
    folder: Path, reference: ModelReference, device: torch.device, listener: ProgressListener
) -> Autoregressive:
    """Load the model.

    Raises:
        UsageError: it is of a kind that `transformers` has no code for.
        WeightsCorrupt: it is damaged.
        OutOfMemory: it does not fit.
    """
    from midfill.inference.measuring.autoregressive import Autoregressive

    fields = read_config(folder)
    tokenizer = HubTokenizer(folder)
    listener(Progress(f"loading {reference.name}"))
    with memory_errors():
        model = _load(folder, fields, reference.options.weights, device)
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 0
    needed = reference.options.prefix_tokens + reference.options.suffix_tokens + 256
    if 0 < longest < needed:
        raise UsageError(
            f"--against {reference.name} has {longest} positions, too few for {needed}; "
            "add prefix-tokens= and suffix-tokens= to its name"
        )
    begin = _begin(folder, model)
    return Autoregressive(model, tokenizer, begin, reference.options, reference.name)


def _load(
    folder: Path, fields: dict[str, Any], weights: Weights, device: torch.device
) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
    from transformers.utils import logging as transformers_logging

    from midfill.inference.models.dtypes import dtype_of

    model_type = str(fields.get("model_type"))
    native = model_type in CONFIG_MAPPING
    if not native or CONFIG_MAPPING[model_type] not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UsageError(
            f"the model in {folder} is of type {model_type[:60]!r}, which transformers has no "
            "autoregressive model for; its own code is not run"
        )
    if not any(folder.glob("*.safetensors")):
        raise UsageError(f"{folder} has no safetensors, and other weights are not read")
    if fields.get("quantization_config"):
        raise UsageError(f"the weights in {folder} are quantised; take the full ones")
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        # What names code of the repository is left out, so that nobody is asked whether to run it.
        config = CONFIG_MAPPING[model_type].from_dict(
            {name: value for name, value in fields.items() if name != "auto_map"}
        )
        read: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype_of(weights, device),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (MemoryError, MidfillError):
        raise
    except Exception as error:  # damage shows in exceptions of many kinds
        raise WeightsCorrupt(
            f"the model in {folder} cannot be read ({type(error).__name__}); pull it again"
        ) from error
    model, report = read
    if missing := sorted(report["missing_keys"]):
        raise WeightsCorrupt(
            f"half a checkpoint: {folder} lacks {missing[0]} and {len(missing) - 1} more; "
            "pull the model again"
        )
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded.requires_grad_(False)


def _begin(folder: Path, model: PreTrainedModel) -> tuple[int, ...]:
    """What the tokenizer puts in front of every text."""
    wanted = bool(read_object(folder / "tokenizer_config.json").get("add_bos_token"))
    token = model.config.get_text_config().bos_token_id
    return (token,) if wanted and isinstance(token, int) else ()
