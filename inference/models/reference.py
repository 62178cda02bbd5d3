"""What a model is called: ``embedded``, a folder, a hub id, or a server; with its options.

::

    embedded
    ./checkpoints/my-model,canvas=128
    Dream-org/DreamOn-v0-7B,weights=int8
    vllm:http://gpu-box:8000#google/diffusiongemma-26B-A4B-it,suffix=both

Never imports torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from midfill.inference.errors import UsageError
from midfill.inference.models.options import Options, parse_options

EMBEDDED = "embedded"
VLLM = "vllm:"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
"""Owner and repository, as the hub allows them."""


class Place(StrEnum):
    """Where a model is."""

    EMBEDDED = "embedded"
    FOLDER = "folder"
    HUB = "hub"
    VLLM = "vllm"


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model's name, taken apart.

    Attributes:
        name: as it was given; what replies, sockets and logs carry.
        place: where the model is.
        location: the folder's path, the hub id, or the server's base address.
        served_name: what a server calls the model; empty elsewhere, or where the server has one.
        options: how it is to fill.
    """

    name: str
    place: Place
    location: str
    served_name: str
    options: Options


def model_reference(name: str) -> ModelReference:
    """Take a model's name apart.

    Raises:
        UsageError: no model can be called that, or its options are wrong.
    """
    plain, *pairs = name.split(",")
    if _is_folder(name):  # a path may hold commas
        plain, pairs = name, []
    if plain == EMBEDDED:
        if pairs:
            raise UsageError(f"the model {EMBEDDED!r} takes no options, not {pairs[0]!r}")
        return ModelReference(name, Place.EMBEDDED, plain, "", Options())
    options = parse_options(pairs)
    if plain.startswith(VLLM):
        address, _, served_name = plain.removeprefix(VLLM).partition("#")
        return ModelReference(name, Place.VLLM, _base_address(address), served_name, options)
    if _is_folder(plain):
        location = str(Path(plain).expanduser().absolute())
        return ModelReference(name, Place.FOLDER, location, "", options)
    if plain.startswith((".", "/", "~")) or "\\" in plain:
        raise UsageError(f"there is no folder {plain!r} with a model in it")
    if HUB_ID.fullmatch(plain):
        return ModelReference(name, Place.HUB, plain, "", options)
    raise UsageError(
        f"there is no model {plain!r}; a model is {EMBEDDED!r}, a hub id such as "
        "'Dream-org/DreamOn-v0-7B', a folder, or 'vllm:URL#NAME'"
    )


def _is_folder(name: str) -> bool:
    try:
        return name != "" and Path(name).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a zero byte
        return False


def _base_address(address: str) -> str:
    """A server's address without the ``/v1`` that people copy along.

    Raises:
        UsageError: it is no HTTP address, or holds a password.
    """
    try:
        parts = urlsplit(address)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        port_is_right, parts = False, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise UsageError(
            "a vLLM server is named vllm:URL#NAME, such as vllm:http://localhost:8000#my-model"
        )
    if parts.username or parts.password or parts.query:
        raise UsageError(
            "a vLLM server's address may hold no key: put it in MIDFILL_VLLM_API_KEY, "
            "or in the keyring"
        )
    return address.rstrip("/").removesuffix("/v1")
