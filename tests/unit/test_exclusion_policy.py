"""Who decides whether a file may be read, and that whatever is wrong, it is decided safely."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.exclusion.ignore_file import MOST_BYTES, MOST_LINES, read_ignore_file
from midfill.inference.exclusion.policy import ExclusionPolicy, UserRules

if TYPE_CHECKING:
    from pathlib import Path


class Workspace:
    """A folder, and what is said about files in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.complaints: list[str] = []
        self.rules = UserRules()
        self._policy: ExclusionPolicy | None = None

    def write(self, name: str, text: str | bytes = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def reason(self, name: str, *, is_folder: bool = False) -> str | None:
        self._policy = self._policy or ExclusionPolicy(self.rules, self.complaints.append)
        path = os.path.join(self.folder, name)  # noqa: PTH118 -- as it is asked for
        return self._policy.reason_against(path, [str(self.folder)], is_folder=is_folder)

    def forget(self) -> None:
        assert self._policy is not None
        self._policy.ignore_files.forget()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return Workspace(folder)


def test_an_ordinary_file_may_be_read(workspace: Workspace) -> None:
    assert workspace.reason("src/main.py") is None
    assert workspace.complaints == []


@pytest.mark.parametrize("name", [".gitignore", ".midfillignore"])
def test_ignore_files_hold_for_their_folder_and_what_is_in_it(
    workspace: Workspace, name: str
) -> None:
    path = workspace.write(f"src/{name}", "# ours\n/mine.py\nout/\n*.log\n!kept.log\n")
    assert workspace.reason("src/mine.py") == f"line 2 of {path}"
    assert workspace.reason("src/a/out/b.py") == f"line 3 of {path}"
    assert workspace.reason("src/out", is_folder=True) == f"line 3 of {path}"
    assert workspace.reason("src/a/b.log")
    assert workspace.reason("src/kept.log") is None
    assert workspace.reason("src/a/mine.py") is None
    assert workspace.reason("mine.py") is None


def test_the_innermost_ignore_file_decides(workspace: Workspace) -> None:
    workspace.write(".midfillignore", "*.py\n")
    workspace.write("a/.midfillignore", "!*.py\n")
    workspace.write("a/b/.midfillignore", "c.py\n")
    assert workspace.reason("c.py")
    assert workspace.reason("a/c.py") is None
    assert workspace.reason("a/b/c.py")


def test_what_lies_in_an_excluded_folder_cannot_be_taken_in_again(workspace: Workspace) -> None:
    workspace.write(".midfillignore", "private/\n!private/a.py\n")
    workspace.write("private/.midfillignore", "!*\n")
    assert workspace.reason("private/a.py")
    assert workspace.reason("private/deep/a.py")


def test_a_midfillignore_overrules_a_gitignore_and_never_the_other_way(
    workspace: Workspace,
) -> None:
    workspace.write(".gitignore", "generated/\n!private.py\n")
    workspace.write(".midfillignore", "!generated/\nprivate.py\n")
    workspace.write("src/.gitignore", "!private.py\n")
    assert workspace.reason("generated/a.py") is None
    assert workspace.reason("private.py")
    assert workspace.reason("src/private.py")


def test_no_file_of_the_workspace_lifts_a_built_in_pattern(workspace: Workspace) -> None:
    for name in (".midfillignore", ".gitignore"):
        workspace.write(name, "!.env\n!*\n!**/*.key\n")
    assert workspace.reason(".env") == "*.env is a built-in pattern of files with secrets"
    assert workspace.reason("a/server.key")
    assert workspace.reason(".ssh/anything")
    assert workspace.reason(".ssh/.env.example")
    assert workspace.reason(".env.example") is None


def test_the_user_lifts_built_in_patterns_and_gitignores(workspace: Workspace) -> None:
    workspace.rules = UserRules(include=("config/.env", ".ssh/config", "made/"))
    workspace.write(".gitignore", ".env\nmade/\n")
    assert workspace.reason("config/.env") is None
    assert workspace.reason(".ssh/config") is None
    assert workspace.reason("made/a.py") is None
    assert workspace.reason(".env")
    assert workspace.reason(".ssh/id_rsa")


def test_the_user_does_not_lift_a_midfillignore_or_their_own_exclusion(
    workspace: Workspace,
) -> None:
    workspace.rules = UserRules(exclude=("own.py",), include=("*",))
    workspace.write(".midfillignore", "private.py\n")
    assert workspace.reason("private.py")
    assert workspace.reason("own.py") == "the setting midfill.exclude names it"
    assert workspace.reason(".env") is None


def test_the_user_excludes_by_paths_in_the_folder_and_by_absolute_ones(
    workspace: Workspace,
) -> None:
    absolute = workspace.folder / "far"
    workspace.rules = UserRules(exclude=("src/*.SQL", f"{absolute.as_posix()}/", "bad\\"))
    assert workspace.reason("src/a.sql")
    assert workspace.reason("other/src/a.sql") is None
    assert workspace.reason("far/a.py")
    assert workspace.complaints == ["midfill.exclude has no valid pattern at place 3."]


def test_what_git_ignores_may_be_read_if_the_user_says_so(workspace: Workspace) -> None:
    workspace.rules = UserRules(gitignore=False)
    workspace.write(".gitignore", "a.py\n.env\n")
    workspace.write(".midfillignore", "b.py\n")
    assert workspace.reason("a.py") is None
    assert workspace.reason("b.py")
    assert workspace.reason(".env")


def test_outside_of_folders_and_repositories_gitignores_do_not_count(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / ".midfillignore").write_text("b.py\n")
    policy = ExclusionPolicy()
    assert policy.reason_against(str(tmp_path / "a.py")) is None
    assert policy.reason_against(str(tmp_path / "b.py"))
    assert policy.reason_against(str(tmp_path / ".env"))
    (tmp_path / ".git").mkdir()
    assert policy.reason_against(str(tmp_path / "a.py"))


def test_a_repository_around_the_open_folder_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/src/made.py\n")
    (tmp_path / "src").mkdir()
    reason = ExclusionPolicy().reason_against(
        str(tmp_path / "src" / "made.py"), [str(tmp_path / "src")]
    )
    assert reason


@pytest.mark.parametrize("name", [".env", "deep/../.env", "./.env", "innocent/../.env"])
def test_a_path_is_judged_by_where_it_leads(workspace: Workspace, name: str) -> None:
    assert workspace.reason(name)


def test_links_are_judged_by_every_name_on_the_way(workspace: Workspace) -> None:
    workspace.write(".midfillignore", "private/\n")
    workspace.write("private/a.py")
    workspace.write("plain.txt")
    links = {
        "to_secret.py": ".env",
        "to_folder": "private",
        "to_link.py": "to_secret.py",
        ".env": "plain.txt",
        "nowhere.py": "private/nothing.py",
        "id_rsa_link": "plain.txt",
        "fine.py": "plain.txt",
    }
    for name, target in links.items():
        (workspace.folder / name).symlink_to(target)
    for name in ("to_secret.py", "to_folder/a.py", "to_link.py", ".env", "nowhere.py"):
        assert workspace.reason(name), name
    assert workspace.reason("id_rsa_link")
    assert workspace.reason("fine.py") is None
    assert workspace.reason("plain.txt") is None


def test_dots_behind_a_link_lead_out_of_its_target(workspace: Workspace) -> None:
    workspace.write("private/deep/a.py")
    workspace.write("private/b.py")
    workspace.write(".midfillignore", "/private/b.py\n")
    (workspace.folder / "link").symlink_to("private/deep")
    (workspace.folder / "private" / "c.py").symlink_to("../.env")
    assert workspace.reason("link/../b.py")
    assert workspace.reason("link/../c.py")
    assert workspace.reason("link/../d.py") is None


def test_links_in_a_circle_are_excluded(workspace: Workspace) -> None:
    (workspace.folder / "a").symlink_to("b")
    (workspace.folder / "b").symlink_to("a")
    assert workspace.reason("a") == "its links lead in a circle"
    assert workspace.reason("a/c.py") == "its links lead in a circle"


def test_a_linked_workspace_folder_is_the_folder_itself(workspace: Workspace) -> None:
    workspace.write(".gitignore", "made.py\n")
    link = workspace.folder.parent / "link"
    link.symlink_to(workspace.folder)
    policy = ExclusionPolicy()
    assert policy.reason_against(str(link / "made.py"), [str(link)])
    assert policy.reason_against(str(workspace.folder / "made.py"), [str(link)])


def test_an_ignore_file_counts_as_it_is_now(workspace: Workspace) -> None:
    assert workspace.reason("a.py") is None
    path = workspace.write(".midfillignore", "a.py\n")
    assert workspace.reason("a.py")
    workspace.write(".midfillignore", "another.py\n")
    assert workspace.reason("a.py") is None
    path.unlink()
    assert workspace.reason("another.py") is None


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    path.write_bytes((b"#" * 99 + b"\n") * (MOST_BYTES // 100 + 1))


def endless(path: Path) -> None:
    path.write_bytes(b"#\n" * (MOST_LINES + 1))


@pytest.mark.parametrize("spoil", [fifo, dangling, circle, huge, endless])
@pytest.mark.parametrize("name", [".gitignore", ".midfillignore"])
def test_while_an_ignore_file_cannot_be_known_nothing_is_read(
    workspace: Workspace, name: str, spoil: object
) -> None:
    path = workspace.write(f"src/{name}", "b.py\n")
    assert callable(spoil)
    spoil(path)
    assert workspace.reason("src/a.py") == f"{path} could not be read"
    assert workspace.reason("src/deep/a.py")
    assert workspace.reason("a.py") is None
    [complaint] = workspace.complaints
    assert str(path) in complaint
    path.unlink()
    assert workspace.reason("src/a.py") is None


def test_while_an_ignore_file_may_not_be_read_nothing_else_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    path = workspace.write(".midfillignore", "b.py\n")
    monkeypatch.setattr(type(path), "open", refuse)
    assert workspace.reason("a.py") == f"{path} could not be read"
    assert workspace.complaints == [
        f"{path} cannot be read (Permission denied): "
        "until that is put right, nothing beside or below it is read."
    ]


def test_an_ignore_file_is_complained_of_once_until_it_changes(workspace: Workspace) -> None:
    path = workspace.write(".midfillignore", b"good.py\nbad\\\n\xfc.py\n")
    for _ in range(3):
        assert workspace.reason("good.py")
        workspace.forget()
        assert workspace.reason("fine.py") is None
    assert workspace.complaints == [f"{path} has no valid pattern in line 2: only the others hold."]
    workspace.write(".midfillignore", b"good.py\nx\n\xfc.py\n")
    assert workspace.reason("good.py")
    assert workspace.complaints[1:] == [
        f"{path} is not UTF-8 in line 3: what is meant there may not hold."
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_ignore_files_may_be_written_by_any_editor(
    workspace: Workspace, encoding: str, line_break: str
) -> None:
    workspace.write(".midfillignore", f"ä.py{line_break}b.py{line_break}".encode(encoding))
    assert workspace.reason("ä.py")
    assert workspace.reason("b.py")
    assert workspace.complaints == []


def test_a_folder_called_like_an_ignore_file_is_none(workspace: Workspace) -> None:
    (workspace.folder / ".gitignore").mkdir()
    assert workspace.reason("a.py") is None
    assert workspace.complaints == []


def test_a_folder_that_is_gone_changes_nothing(workspace: Workspace) -> None:
    assert workspace.reason("gone/deep/a.py") is None
    assert workspace.reason("gone/.env")
    workspace.folder.rmdir()
    assert workspace.reason("gone/deep/a.py") is None
    assert workspace.reason("gone/.env")


def test_a_path_that_cannot_be_looked_at_is_excluded(workspace: Workspace) -> None:
    assert workspace.reason("x" * 300 + "/a.py")
    assert workspace.reason(".env\0.py")


@given(st.binary(max_size=60), st.text(max_size=20))
def test_no_ignore_file_is_too_strange_to_judge_by(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("strange")
    (folder / ".midfillignore").write_bytes(b"private.py\n" + content)
    assert read_ignore_file(folder / ".midfillignore") is not None
    policy = ExclusionPolicy(complain=lambda _: None)
    policy.reason_against(f"{folder}/{name}")
    if b"!" not in content:
        assert policy.reason_against(f"{folder}/private.py")
    assert policy.reason_against(f"{folder}/.env")
