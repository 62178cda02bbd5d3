"""The files for running a team's server say nothing that the server does not understand."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from midfill.lsp.cli import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "midfill.service").read_text()
CONTAINER = (DEPLOY / "Containerfile").read_text()


def options_of_serve() -> set[str]:
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    return {option for parameter in serve.params for option in parameter.opts}


def given_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def test_the_unit_gives_options_that_there_are() -> None:
    (start,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", UNIT, re.MULTILINE)
    assert {"--host", "--token-file", "--tls-cert", "--tls-key"} <= given_in(start)
    assert given_in(start) <= options_of_serve()


def test_the_container_gives_options_that_there_are() -> None:
    start = CONTAINER[CONTAINER.index("ENTRYPOINT") :]
    assert {"--host", "--token-file", "--tls-cert", "--tls-key"} <= given_in(start)
    assert given_in(start) <= options_of_serve()
    assert re.search(r"^USER (?!0\b|root)", CONTAINER, re.MULTILINE)


def test_the_unit_cannot_write_its_tokens_and_names_the_file_that_it_lacks() -> None:
    assert not re.search(r"^(ConfigurationDirectory|ReadWritePaths)=", UNIT, re.MULTILINE)
    loaded = re.findall(r"^LoadCredential=[\w-]+:(.+)$", UNIT, re.MULTILINE)
    assert loaded
    assert loaded == re.findall(r"^AssertPathExists=(.+)$", UNIT, re.MULTILINE)


def test_the_container_is_built_from_every_package_and_from_nothing_that_is_not_there() -> None:
    copied = {
        name
        for names in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINER, re.MULTILINE)
        for name in names.split()
    }
    assert "." not in copied
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = project["tool"]["setuptools"]["package-dir"].values()
    assert {"pyproject.toml", "setup.py", project["project"]["readme"], *folders} <= copied
    assert set(project["project"]["license-files"]) <= copied


def test_a_token_can_be_revoked_in_the_container_and_it_has_time_to_drain() -> None:
    from midfill.inference.service.server import ServiceLimits

    (run,) = re.findall(r"^#   podman run --rm --read-only (?:.*\\\n)*.*$", CONTAINER, re.MULTILINE)
    assert re.findall(r":(/etc/midfill\S*?):ro", run) == ["/etc/midfill"]
    (stop,) = re.findall(r"--stop-timeout (\d+)", run)
    assert int(stop) > ServiceLimits().drain_within + 5


def test_the_unit_has_time_to_drain_and_leaves_no_text_on_disk() -> None:
    from midfill.inference.service.server import ServiceLimits

    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(stop) > ServiceLimits().drain_within + 5
    assert "\nLimitCORE=0\n" in UNIT
    assert "\nMemorySwapMax=0\n" in UNIT


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "midfill.service"
    unit.write_text(UNIT.replace("/opt/midfill/bin/midfill", shutil.which("true") or "/bin/true"))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
