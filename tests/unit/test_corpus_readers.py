"""Reading a corpus, and a repository, and what both say when there is nothing to learn from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from midfill.inference.errors import MidfillError
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.licence_evidence import Licence
from midfill.inference.training.corpus.manifest import write_corpus
from midfill.inference.training.corpus.package_record import TakenFile
from midfill.inference.training.corpus.packages import Package
from midfill.inference.training.corpus.reader import read_corpus
from midfill.inference.training.corpus.repository import read_repository
from midfill.inference.training.corpus.selection import CorpusFile, Selection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def code(name: str) -> str:
    return "".join(f"def {name}_{i}(x):\n    return {name}.get(x, {i})\n" for i in range(12))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    files = [
        CorpusFile(
            Package("pypi", name, "1", split, ("python",)),
            Licence("MIT", "", True),
            TakenFile(f"{name}/a.py", "python", code(name) + "# \u2028 \x85 é\n"),
        )
        for name, split in (("one", "train"), ("two", "held-out"), ("three", "train"))
    ]
    write_corpus(folder, Selection(tuple(files), {}), [], [])
    return folder


def test_a_corpus_is_read_as_it_was_written(corpus: Path) -> None:
    read = read_corpus(corpus)
    assert [text.package for text in read.train] == ["one", "three"]
    assert [(text.path, text.language) for text in read.held_out] == [("two/a.py", "python")]
    assert read.train[0].text == code("one") + "# \u2028 \x85 é\n"


def remove_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def remove_folder(folder: Path) -> None:
    remove_all(folder)
    folder.rmdir()


def be_a_file(folder: Path) -> None:
    remove_folder(folder)
    folder.write_text("")


def flip(folder: Path) -> None:
    path = folder / "files.jsonl"
    path.write_bytes(path.read_bytes().replace(b"one", b"eno", 1))


def cut(folder: Path) -> None:
    path = folder / "files.jsonl"
    path.write_bytes(path.read_bytes()[:-10])


def bad_lines(folder: Path) -> None:
    write_manifest(folder, b'{"package": "x"}\n')


def no_training(folder: Path) -> None:
    write_manifest(folder, b"")


def write_manifest(folder: Path, content: bytes) -> None:
    import hashlib

    (folder / "files.jsonl").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (folder / "corpus.json").write_text(json.dumps({"format": 1, "sha256": digest}))


def unreadable(folder: Path) -> None:
    (folder / "files.jsonl").unlink()
    (folder / "files.jsonl").mkdir()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (remove_folder, "there is no corpus"),
        (be_a_file, "is not a folder"),
        (remove_all, "is empty"),
        (lambda folder: (folder / "corpus.json").unlink(), "incomplete"),
        (lambda folder: (folder / "files.jsonl").unlink(), "incomplete"),
        (lambda folder: (folder / "corpus.json").write_text("{"), "damaged corpus.json"),
        (lambda folder: (folder / "corpus.json").write_text("[]"), "damaged corpus.json"),
        (
            lambda folder: (folder / "corpus.json").write_text('{"format": 9, "sha256": ""}'),
            "from another Midfill",
        ),
        (flip, "is damaged"),
        (cut, "is damaged"),
        (bad_lines, "damaged files.jsonl"),
        (no_training, "no files to train on"),
        (unreadable, "cannot be read"),
    ],
)
def test_whatever_is_wrong_with_a_corpus_is_said_in_one_line(
    corpus: Path, harm: Callable[[Path], object], words: str
) -> None:
    harm(corpus)
    with pytest.raises(CorpusUnusable, match=words) as raised:
        read_corpus(corpus)
    assert isinstance(raised.value, MidfillError)
    assert raised.value.code == "corpus-unusable"
    assert str(corpus) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_that_may_not_be_read_is_said_in_one_line(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(corpus), "iterdir", refuse)
    for read in (read_corpus, read_repository):
        with pytest.raises(CorpusUnusable, match=r"cannot be read \(Permission denied\)"):
            read(corpus)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    files = {
        **{f"src/module{i}.py": code(f"m{i}") for i in range(20)},
        "web/app.ts": code("app"),
        ".gitignore": "*.log.py\n/out/\nsecret*.py\n",
        "src/.gitignore": "!secret_but_fine.py\nlocal.py\n",
        ".midfillignore": "private/\n",
        "src/secret_but_fine.py": code("fine"),
        "src/secret.log.py": code("log"),
        "src/local.py": code("local"),
        "out/made.py": code("made"),
        "src/out/kept.py": code("kept"),
        "private/mine.py": code("mine"),
        "secrets.py": code("secrets"),
        "src/id_rsa_key.py": code("rsa"),
        ".venv/lib.py": code("venv"),
        "node_modules/x/index.js": code("x"),
        "src/copy.py": code("m3"),
        "src/user_pb2.py": code("proto"),
        "src/huge.py": code("huge") * 900,
        "README.md": code("readme"),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "src/binary.py").write_bytes(b"\0\xff" * 500)
    (folder / "src/link.py").symlink_to(tmp_path / "elsewhere.py")
    (folder / "src/loop").symlink_to(folder)
    (tmp_path / "elsewhere.py").write_text(code("elsewhere"))
    return folder


def test_a_repository_gives_its_own_sources_only(repository: Path) -> None:
    read = read_repository(repository)
    paths = {text.path for text in (*read.train, *read.held_out)}
    expected = {f"src/module{i}.py" for i in range(20)} - {"src/module3.py"}
    assert paths == expected | {
        *("src/copy.py", "web/app.ts", "src/secret_but_fine.py", "src/out/kept.py")
    }
    assert {text.package for text in read.train} == {"shop"}


def test_a_tenth_of_a_repository_is_held_out_and_the_seed_says_which(repository: Path) -> None:
    one, same, other = (read_repository(repository, seed) for seed in (1, 1, 2))
    assert len(one.held_out) == 2
    assert not {text.path for text in one.train} & {text.path for text in one.held_out}
    assert one == same
    assert one.held_out != other.held_out


def test_a_folder_inside_a_repository_obeys_the_rules_around_it(repository: Path) -> None:
    (repository / ".git").mkdir()
    read = read_repository(repository / "src")
    paths = {text.path for text in (*read.train, *read.held_out)}
    assert "secret_but_fine.py" in paths
    assert "secret.log.py" not in paths


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_files_to_learn_from_are_an_error(tmp_path: Path, count: int) -> None:
    for i in range(count):
        (tmp_path / f"{i}.py").write_text(code(f"m{i}"))
    (tmp_path / "tiny.py").write_text("x = 1\n")
    with pytest.raises(CorpusUnusable, match=f"has {count or 'no'} source file") as raised:
        read_repository(tmp_path)
    assert "\n" not in str(raised.value)


def test_two_files_are_one_to_train_on_and_one_to_hold_out(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"{i}.py").write_text(code(f"m{i}"))
    read = read_repository(tmp_path)
    assert (len(read.train), len(read.held_out)) == (1, 1)


def test_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(code("a"))
    with pytest.raises(CorpusUnusable, match="is not a folder"):
        read_repository(tmp_path / "a.py")
    with pytest.raises(CorpusUnusable, match="does not exist"):
        read_repository(tmp_path / "b")
