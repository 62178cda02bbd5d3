"""The native operations, which are compiled on installation; `pyproject.toml` has all the rest.

Without a C++ compiler Midfill is installed all the same, and computes in plain torch.
"""

from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("kernels", "native")

setup(
    ext_modules=[
        Extension(
            "midfill.kernels.native._native",
            [str(NATIVE / "midfill_native.cpp")],
            depends=[
                str(path) for end in ("hpp", "inc") for path in sorted(NATIVE.glob(f"*.{end}"))
            ],
            language="c++",
            # No -march: the file itself compiles for several instruction sets.
            extra_compile_args=[
                "-O3",
                "-std=c++17",
                "-fvisibility=hidden",
                "-fno-math-errno",
                "-fno-trapping-math",
                # Every instruction set rounds floats at the same places, so all of them write the
                # same text.
                "-ffp-contract=off",
                "-Wno-psabi",
                "-pthread",
            ],
            extra_link_args=["-pthread"],
            optional=True,
        )
    ]
)
