"""Removing copies and evaluation problems."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from midfill.inference.errors import UsageError
from midfill.inference.training.corpus.contamination import overlap_with, problems_in_folder
from midfill.inference.training.corpus.deduplication import duplicates
from midfill.inference.training.corpus.licence_evidence import Licence
from midfill.inference.training.corpus.package_record import PackageRecord, TakenFile
from midfill.inference.training.corpus.packages import Package, read_package_list
from midfill.inference.training.corpus.registries import REGISTRIES
from midfill.inference.training.corpus.selection import PACKAGE_SHARE, select

if TYPE_CHECKING:
    from pathlib import Path

PROBLEM = '''
def closest_pair_sum(numbers: list[int], target: int) -> int:
    """Return the sum of two different numbers in the list that comes closest to the target."""
    best = None
    for i, first in enumerate(numbers):
        for second in numbers[i + 1:]:
            if best is None or abs(first + second - target) < abs(best - target):
                best = first + second
    return best
'''


def program(name: str, lines: int = 60) -> str:
    return "".join(f"{name}_{i} = {name}_start.{name}{i}({i}, step={i})\n" for i in range(lines))


def record(name: str, split: str, **files: str) -> PackageRecord:
    package = Package("pypi", name, "1", split, ("python",))
    taken = tuple(TakenFile(f"{path}.py", "python", text) for path, text in files.items())
    return PackageRecord(package, Licence("MIT", "", True), taken)


def nobody(share: float) -> None:
    pass


def test_copies_are_found_whether_exact_or_nearly_so() -> None:
    original = program("tree")
    texts = [
        original,
        program("leaf"),
        original.replace("\n", "  \n\n"),
        original.replace("tree_30 ", "tree_thirty "),
        original[: len(original) // 2] + program("root"),
    ]
    assert duplicates(texts) == {2: "exact duplicate", 3: "near duplicate"}


def test_texts_of_less_than_a_run_of_tokens_are_copies_only_if_equal() -> None:
    assert duplicates(["", "a b", "a c", "a b"]) == {3: "exact duplicate"}


def test_the_copy_to_train_on_gives_way_to_the_one_held_out() -> None:
    text = program("tree")
    records = [
        record("aaa", "train", a=text, b=program("own")),
        record("zzz", "held-out", a=text.replace("tree_9 ", "tree_nine ")),
    ]
    selection = select(records, overlap_with([]), ("python",), nobody)
    assert sorted((one.package.name, one.file.path) for one in selection.files) == [
        ("aaa", "b.py"),
        ("zzz", "a.py"),
    ]
    assert selection.dropped == {"near duplicate": 1}


def test_the_selection_does_not_depend_on_the_order_of_fetching() -> None:
    records = [record(f"p{i}", "train", a=program(f"v{i}"), b=program("same")) for i in range(8)]
    one = select(records, overlap_with([]), ("python",), nobody)
    other = select(records[::-1], overlap_with([]), ("python",), nobody)
    assert one == other
    assert [file.package.name for file in one.files] != sorted(f.package.name for f in one.files)


def test_no_package_gives_more_than_its_share() -> None:
    big = {f"f{i}": program(f"name{i}", 2500) for i in range(12)}
    selection = select([record("big", "train", **big)], overlap_with([]), ("python",), nobody)
    assert sum(len(one.file.text) for one in selection.files) <= PACKAGE_SHARE
    assert selection.dropped["over the package's share"] == 12 - len(selection.files)


def test_a_file_with_a_problem_in_it_is_dropped_however_it_is_laid_out() -> None:
    overlap = overlap_with([PROBLEM])
    relaid = PROBLEM.replace("    ", "\t").replace("best = None", "best   =   None").upper()
    assert overlap.contaminates(program("tree") + PROBLEM)
    assert overlap.contaminates(program("tree") + relaid)
    assert not overlap.contaminates(program("tree"))


def test_common_code_does_not_count_as_a_problem() -> None:
    overlap = overlap_with(
        ["x = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "a b c d e f g h i j"]
    )
    assert not overlap.contaminates("y = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]")
    assert not overlap.contaminates("a b c d e f g h i j k")
    assert not overlap.contaminates("")


def test_problems_are_all_the_strings_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    line = json.dumps({"prompt": "one", "tests": [{"input": "two"}], "n": 3}).encode()
    (tmp_path / "inner" / "a.jsonl.gz").write_bytes(gzip.compress(line))
    (tmp_path / "b.jsonl").write_bytes(b'{"x": "three"}\n\n')
    assert sorted(problems_in_folder(tmp_path)) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("name", "data"), [("a.jsonl", b"{"), ("a.jsonl.gz", b"{}"), ("a.txt", b"")]
)
def test_unreadable_problems_are_an_error_in_one_line(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError) as raised:
        problems_in_folder(tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_list_of_packages_is_sound() -> None:
    listed = read_package_list()
    keys = [package.key for package in (*listed.packages, *listed.benchmarks)]
    repeated = {key for key in keys if keys.count(key) > 1}
    assert not repeated
    assert listed.benchmarks
    for package in listed.packages:
        assert package.registry in REGISTRIES
        assert package.split in ("train", "held-out")
        assert package.languages
        assert package.version
    for language in ("python", "javascript", "typescript", "go", "rust", "java", "c"):
        splits = {package.split for package in listed.of_languages((language,))}
        assert splits == {"train", "held-out"}, language
