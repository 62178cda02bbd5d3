"""The layout is the architecture: who may import whom, checked on the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lsp", "inference", "kernels")

TORCH_FREE = (
    "midfill.inference.postprocess",
    "midfill.inference.syntax",
    "midfill.inference.wire",
    "midfill.inference.dead_peers",
    "midfill.inference.endpoint",
    "midfill.inference.text",
    "midfill.inference.errors",
    "midfill.inference.exclusion",
    "midfill.inference.failures",
    "midfill.inference.progress",
    "midfill.inference.quiet_errors",
    "midfill.inference.server_sent_events",
    "midfill.inference.transport",
    "midfill.inference.version",
)
"""What the language server may share with the engine."""

COMMANDS = (
    "bench_command",
    "calibrate_command",
    "cli",
    "corpus_command",
    "doctor",
    "doctor_checks",
    "eval_command",
    "fill_command",
    "model_commands",
    "serve_command",
    "token_command",
    "train_command",
    "train_end_command",
)
"""Modules of the command line; they may import the engine, but only when it is needed."""

FOR_COMMANDS = (
    "midfill.inference.downloads",
    "midfill.inference.instructions",
    "midfill.inference.models.catalog",
    "midfill.inference.torch_report",
)
"""What commands may import besides, at once: where models are, what the machine is."""


def modules() -> dict[str, Path]:
    found = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(("midfill", *parts)).removesuffix(".__init__")
            found[name] = path
    return found


MODULES = modules()


def imports(module: str, *, lazy: bool) -> set[str]:
    """Modules of ours that a module imports: when it is imported, or also later, inside functions.

    What stands under ``if TYPE_CHECKING`` is imported by nobody.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                found.add(child.module)
                found.update(
                    f"{child.module}.{alias.name}"
                    for alias in child.names
                    if f"{child.module}.{alias.name}" in MODULES
                )
            visit(child)

    visit(ast.parse(MODULES[module].read_text()))
    return {name for name in found if name.startswith("midfill.")}


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("midfill.lsp")))
def test_the_language_server_shares_only_torch_free_modules_with_the_engine(module: str) -> None:
    command = module.rpartition(".")[2] in COMMANDS
    for imported in imports(module, lazy=not command):
        if imported.startswith("midfill.inference."):
            allowed = TORCH_FREE + FOR_COMMANDS if command else TORCH_FREE
            assert imported.startswith(allowed), f"{module} imports {imported}"
        assert not imported.startswith("midfill.kernels")


@pytest.mark.parametrize("module", sorted(m for m in MODULES if "midfill.lsp" not in m))
def test_data_flows_one_way(module: str) -> None:
    for imported in imports(module, lazy=True):
        assert not imported.startswith("midfill.lsp")
        if module.startswith("midfill.kernels"):
            assert imported.startswith("midfill.kernels")


def test_no_imports_are_circular() -> None:
    graph = {module: imports(module, lazy=False) & MODULES.keys() for module in MODULES}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path[path.index(module) :], module))
        if module in done:
            return
        for imported in graph[module]:
            walk(imported, (*path, module))
        done.add(module)

    for module in graph:
        walk(module, ())


@pytest.mark.parametrize("module", TORCH_FREE + FOR_COMMANDS)
def test_shared_modules_never_bring_torch_along(module: str) -> None:
    program = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
