"""Which files of the workspace an import means.

Nothing is installed, built or asked of other tools: names are looked for where each language's
own rules, and the usual layouts of its projects, put them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from midfill.lsp.context.import_statements import Import
    from midfill.lsp.context.readable_files import ReadableFiles

MOST_IN_FOLDER = 8
"""Files of a package that is a folder."""

_SCRIPT_ENDINGS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_SCRIPT_WRITTEN = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
"""TypeScript imports a file by the name that it will have."""

_GO_MODULE = re.compile(r"^\s*module\s+\"?([^\s\"]+)", re.M)
_JAVA_SOURCES = ("src/main/java", "src/test/java", "src/java", "src", "")
_C_INCLUDES = ("", "include", "src", "inc", "lib")


def targets_of(one: Import, path: str, grammar: str, files: ReadableFiles) -> tuple[str, ...]:
    """The files that an import in the file at ``path`` means; none if they are not in reach.

    Args:
        grammar: of the importing file.
        files: those that may be read.
    """
    finder = _FINDERS.get(grammar)
    if finder is None:
        return ()
    found = dict.fromkeys(
        os.path.normpath(candidate) for candidate in finder(one, Path(path), files)
    )
    found.pop(os.path.normpath(path), None)
    return tuple(found)


def _first(candidates: Iterable[Path], files: ReadableFiles) -> Iterator[str]:
    yield from (str(path) for path in candidates if files.is_file(str(path)))


def _one(candidates: Iterable[Path], files: ReadableFiles) -> Iterator[str]:
    found = next(_first(candidates, files), None)
    if found is not None:
        yield found


def _folders_above(path: Path, files: ReadableFiles) -> list[Path]:
    """The folders around a file from the inside out, as far as the workspace goes."""
    return [
        folder
        for folder in path.parents
        if any(folder.is_relative_to(top) for top in files.folders)
    ]


def _python(one: Import, path: Path, files: ReadableFiles) -> Iterator[str]:
    parts = [part for part in one.target.split(".") if part]
    if one.up:
        if one.up > len(path.parents):
            return
        roots = [path.parents[one.up - 1]]
    else:
        above = _folders_above(path, files)
        roots = [*reversed(above), *(folder / "src" for folder in above)]
    for root in roots:
        base = root.joinpath(*parts)
        found = list(_one(_python_files(base), files)) if parts or one.up else []
        found += [file for name in one.names for file in _one(_python_files(base / name), files)]
        if found:
            yield from found
            return


def _python_files(base: Path) -> Iterator[Path]:
    yield base / "__init__.py"
    if base.name:
        yield base.with_name(f"{base.name}.py")
        yield base.with_name(f"{base.name}.pyi")


def _script(one: Import, path: Path, files: ReadableFiles) -> Iterator[str]:
    target = one.target
    if target.startswith("."):
        bases = [path.parent / target]
    elif target.startswith(("@/", "~/")):
        above = _folders_above(path, files)
        bases = [folder / middle / target[2:] for folder in above for middle in ("src", "")]
    else:
        return
    for base in bases:
        found = list(_one(_script_files(base), files))
        if found:
            yield from found
            return


def _script_files(base: Path) -> Iterator[Path]:
    for written in _SCRIPT_WRITTEN.get(base.suffix, ()):
        yield base.with_suffix(written)
    if base.suffix in _SCRIPT_ENDINGS:
        yield base
    if base.name:
        yield from (base.with_name(base.name + ending) for ending in _SCRIPT_ENDINGS)
    yield from (base / f"index{ending}" for ending in _SCRIPT_ENDINGS)


def _go(one: Import, path: Path, files: ReadableFiles) -> Iterator[str]:
    for folder in _folders_above(path, files):
        text = files.read(str(folder / "go.mod"))
        found = _GO_MODULE.search(text) if text is not None else None
        if found is None:
            continue
        module = found[1]
        if one.target == module or one.target.startswith(f"{module}/"):
            package = folder / one.target.removeprefix(module).lstrip("/")
            sources = files.files_in(str(package), ".go", 2 * MOST_IN_FOLDER)
            yield from [file for file in sources if not file.endswith("_test.go")][:MOST_IN_FOLDER]
        return


def _rust(one: Import, path: Path, files: ReadableFiles) -> Iterator[str]:
    first, *rest = one.target.split("::")
    here = path.parent if path.name in ("mod.rs", "lib.rs", "main.rs") else path.with_suffix("")
    match first:
        case "crate":
            base = _crate_sources(path, files)
        case "self":
            base = here
        case "super":
            base = here.parent
            while rest and rest[0] == "super":
                base, rest = base.parent, rest[1:]
        case _:
            base, rest = _other_crate(first, path, files), [*rest]
    if base is None:
        return
    names = [name for name in one.names if name != "*"]
    for length in range(len(rest), -1, -1):
        module = base.joinpath(*rest[:length])
        found = [
            file
            for name in (names if length == len(rest) else ())
            for file in _one(_rust_files(module / name), files)
        ]
        found += _one(_rust_files(module), files)
        if found:
            yield from found
            return


def _rust_files(module: Path) -> Iterator[Path]:
    if module.name:
        yield module.with_name(f"{module.name}.rs")
    yield from (module / name for name in ("mod.rs", "lib.rs", "main.rs"))


def _crate_sources(path: Path, files: ReadableFiles) -> Path | None:
    above = _folders_above(path, files)
    crate = next((folder for folder in above if files.is_file(str(folder / "Cargo.toml"))), None)
    return crate / "src" if crate is not None else None


def _other_crate(name: str, path: Path, files: ReadableFiles) -> Path | None:
    """The sources of another crate of the same workspace, by the name of its folder."""
    for folder in _folders_above(path, files):
        for middle in ("", "crates"):
            for written in dict.fromkeys((name, name.replace("_", "-"))):
                crate = folder / middle / written
                if files.is_file(str(crate / "Cargo.toml")):
                    return crate / "src"
    return None


def _java(one: Import, path: Path, files: ReadableFiles) -> Iterator[str]:
    parts = one.target.split(".")
    for folder in _folders_above(path, files):
        for middle in _JAVA_SOURCES:
            base = folder.joinpath(middle, *parts)
            if one.names == ("*",):
                found = files.files_in(str(base), ".java", MOST_IN_FOLDER)
            else:
                # A nested class lies in the file of the one around it.
                found = list(
                    _one((base.with_suffix(".java"), base.parent.with_suffix(".java")), files)
                )
            if found:
                yield from found
                return


def _c(one: Import, path: Path, files: ReadableFiles) -> Iterator[str]:
    above = _folders_above(path, files)
    candidates = [path.parent / one.target]
    candidates += [folder / middle / one.target for folder in above for middle in _C_INCLUDES]
    yield from _one(candidates, files)


_FINDERS: dict[str, Callable[[Import, Path, ReadableFiles], Iterator[str]]] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "tsx": _script,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _c,
    "cpp": _c,
}
