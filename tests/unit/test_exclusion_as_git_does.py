"""What Git says of a file that it ignores, and what the policy says."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.exclusion.policy import ExclusionPolicy

GIT = shutil.which("git")

NAMES = st.sampled_from(["a", "b", "a.py", "b.log", "out", "x y", "Ä"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PIECES = st.sampled_from(["a", "b", "*", "**", "*.py", "?", "[ab]", "out", "x y", "\\a", "Ä"])
PATTERNS = st.builds(
    lambda negated, start, pieces, end: negated + start + "/".join(pieces) + end,
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(PIECES, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " ", "/**"]),
)
IGNORE_FILES = st.lists(PATTERNS | st.sampled_from(["", "# a", "\\#a", "\\!a"]), max_size=4)


@pytest.mark.skipif(GIT is None, reason="Git is not installed")
@given(st.sets(PATHS, max_size=8), IGNORE_FILES, IGNORE_FILES)
def test_what_git_ignores_is_excluded_and_nothing_else(
    paths: set[str], outer: list[str], inner: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "repository"
        files = _written(folder, paths)
        (folder / ".gitignore").write_text("\n".join(outer) + "\n")
        if (folder / "a").is_dir():
            (folder / "a" / ".gitignore").write_text("\n".join(inner) + "\n")
        policy = ExclusionPolicy()
        excluded = {
            file for file in files if policy.reason_against(str(folder / file), [str(folder)])
        }
        assert excluded == _ignored_by_git(folder, files)


def _written(folder: Path, paths: set[str]) -> list[str]:
    """The paths that could be written: a file cannot be a folder as well."""
    folder.mkdir()
    files = []
    for path in sorted(paths):
        file = folder / path
        if not any(parent.is_file() for parent in file.parents) and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            files.append(path)
    return files


def _ignored_by_git(folder: Path, files: list[str]) -> set[str]:
    assert GIT is not None
    environment = {"HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin"}
    subprocess.run([GIT, "init", "-q", str(folder)], check=True, env=environment)
    result = subprocess.run(
        [GIT, "check-ignore", "-z", "--no-index", "--stdin"],
        cwd=folder,
        input="\0".join(files).encode(),
        capture_output=True,
        env=environment,
        check=False,
    )
    assert result.returncode in (0, 1), result.stderr
    return {one.decode() for one in result.stdout.split(b"\0") if one}
