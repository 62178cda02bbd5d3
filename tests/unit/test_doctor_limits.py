"""What containers and users are held to, read from faked control groups and from real limits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from midfill.lsp.doctor_limits import ControlGroups, threads_of_user_left

if TYPE_CHECKING:
    from pathlib import Path

GIGABYTE = 2**30


def groups(tmp_path: Path, listing: str, files: dict[str, str]) -> ControlGroups:
    root = tmp_path / "groups"
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    (tmp_path / "listing").write_text(listing)
    return ControlGroups(tmp_path / "listing", root)


V2 = "0::/user/session\n"
V1 = "9:name=systemd:/\n8:pids:/box\n4:memory:/box\n1:cpu,cpuacct:/box\n0::/\n"


def test_no_groups_are_no_limits(tmp_path: Path) -> None:
    nothing = ControlGroups(tmp_path / "none", tmp_path / "nowhere")
    assert (nothing.cores(), nothing.memory(), nothing.threads()) == (None, None, None)


def test_groups_without_limits_are_none(tmp_path: Path) -> None:
    free = groups(
        tmp_path,
        V2,
        {
            "user/session/cpu.max": "max 100000",
            "user/session/memory.max": "max",
            "user/session/memory.current": "7",
            "user/session/pids.max": "max",
            "user/session/pids.current": "7",
        },
    )
    assert (free.cores(), free.memory(), free.threads()) == (None, None, None)


def test_the_narrowest_group_around_a_process_counts(tmp_path: Path) -> None:
    nested = groups(
        tmp_path,
        V2,
        {
            "user/session/cpu.max": "400000 100000",
            "user/cpu.max": "150000 100000",
            "user/session/pids.max": "max",
            "user/session/pids.current": "3",
            "user/pids.max": "20",
            "user/pids.current": "15",
            "memory.max": str(2 * GIGABYTE),
            "memory.current": str(GIGABYTE),
            "memory.stat": f"anon 5\ninactive_file {GIGABYTE // 2}",
        },
    )
    assert nested.cores() == 1.5
    assert nested.threads() == 5
    assert nested.memory() == 1.5 * GIGABYTE


def test_groups_of_version_1_have_a_folder_for_each_kind(tmp_path: Path) -> None:
    old = groups(
        tmp_path,
        V1,
        {
            "cpu/box/cpu.cfs_quota_us": "50000",
            "cpu/box/cpu.cfs_period_us": "100000",
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "pids/box/pids.max": "9",
            "pids/box/pids.current": "4",
            "memory/box/memory.limit_in_bytes": str(GIGABYTE),
            "memory/box/memory.usage_in_bytes": str(GIGABYTE // 4),
            "memory/box/memory.stat": f"total_inactive_file {GIGABYTE // 8}",
        },
    )
    assert old.cores() == 0.5
    assert old.threads() == 5
    assert old.memory() == GIGABYTE * 7 // 8


def test_a_path_of_the_host_that_a_container_does_not_see_falls_back_to_the_root(
    tmp_path: Path,
) -> None:
    inside = groups(tmp_path, "0::/../../kubepods/pod7\n", {"cpu.max": "200000 100000"})
    assert inside.cores() == 2


def as_somebody_else(*command: str) -> list[str]:
    """As a user of its own who may read everything; as this one, if it is no administrator."""
    if os.getuid() != 0:
        return list(command)
    reads = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return ["setpriv", "--reuid=54321", "--clear-groups", *reads, "--", *command]


linux_alone = pytest.mark.skipif(
    sys.platform != "linux" or (os.getuid() == 0 and shutil.which("setpriv") is None),
    reason="sets limits as Linux has them; as root it needs setpriv",
)


@linux_alone
def test_the_limit_of_a_user_is_found_where_it_is_set() -> None:
    script = (
        "import resource\n"
        "from midfill.lsp.doctor_limits import threads_of_user_left\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))\n"
        "print(threads_of_user_left())\n"
    )
    found = subprocess.run(
        as_somebody_else(sys.executable, "-c", script), capture_output=True, text=True, check=True
    )
    assert int(found.stdout) <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="users have no such limit")
def test_the_administrator_is_held_to_no_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert threads_of_user_left() is None


@linux_alone
def test_the_doctor_itself_tells_of_one_core_and_few_threads(tmp_path: Path) -> None:
    script = (
        "import os, resource\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (5, 5))\n"
        "from midfill.lsp.doctor_checks import Machine, check_cores, check_threads\n"
        "import json, dataclasses\n"
        "machine = Machine()\n"
        "found = [check_cores(machine), check_threads(machine)]\n"
        "print(json.dumps([dataclasses.asdict(finding) for finding in found]))\n"
    )
    said = subprocess.run(
        as_somebody_else(sys.executable, "-c", script), capture_output=True, text=True, check=True
    )
    cores, threads = json.loads(said.stdout)
    assert (cores["status"], cores["value"][:2]) == ("slow", "1,")
    assert threads["status"] == "slow"
    assert "the engine wants 8" in threads["value"]
