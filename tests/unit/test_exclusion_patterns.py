"""Patterns as Git reads them, and the built-in ones, which know a secret by its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill.inference.exclusion.built_in import BUILT_IN, built_in_pattern
from midfill.inference.exclusion.patterns import MOST_WILDCARDS, Patterns


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        (["*.py"], "a/b.py", True),
        (["*.py", "!b.py"], "a/b.py", False),
        (["!b.py", "*.py"], "a/b.py", True),
        (["/b.py"], "b.py", True),
        (["/b.py"], "a/b.py", None),
        (["a/b.py"], "x/a/b.py", None),
        (["**/a/b.py"], "x/a/b.py", True),
        (["a/**/b.py"], "a/x/y/b.py", True),
        (["out/"], "out", None),
        (["out/"], "out/b.py", True),
        (["# b.py", "", "  "], "b.py", None),
        (["\\#b.py"], "#b.py", True),
        (["\\!b.py"], "!b.py", True),
        (["b.py  "], "b.py", True),
        (["[ab].py"], "b.py", True),
        (["?.py"], "ab.py", None),
        (["g\u0308.py"], "\u01f5.py".replace("\u01f5", "g\u0308"), True),
        (["\u00fc.py"], "u\u0308.py", True),
        (["private/"], "a\nb/private/c.py", True),
        ([], "b.py", None),
    ],
)
def test_patterns_mean_what_they_mean_to_git(
    lines: list[str], path: str, excluded: bool | None
) -> None:
    verdict = Patterns(lines).verdict(path)
    assert (None if verdict is None else verdict.excluded) == excluded


def test_a_folder_is_told_from_a_file() -> None:
    patterns = Patterns(["out/"])
    assert patterns.verdict("out", is_folder=True) is not None
    assert patterns.verdict("out") is None


def test_a_verdict_says_which_line_it_is_from() -> None:
    verdict = Patterns(["# none", "a.py", "*.py", "!c.py"]).verdict("b.py")
    assert verdict is not None
    assert verdict.line == 3


@pytest.mark.parametrize(
    "broken", ["b\\", "!", "[b-a].py", "[", "*a" * (MOST_WILDCARDS + 1), "x" * 5000]
)
def test_a_broken_line_is_named_and_the_others_hold(broken: str) -> None:
    patterns = Patterns(["private.py", broken, "*.secret"])
    assert patterns.broken == (2,)
    for path in ("private.py", "a/b.secret"):
        verdict = patterns.verdict(path)
        assert verdict is not None
        assert verdict.excluded


@given(st.lists(st.text(max_size=20), max_size=8), st.text(max_size=30))
def test_no_pattern_and_no_path_is_too_strange(lines: list[str], path: str) -> None:
    lines = [line.replace("\n", "") for line in lines]
    patterns = Patterns(lines)
    assert all(0 < number <= len(lines) for number in patterns.broken)
    verdict = patterns.verdict(path, is_folder=True)
    assert verdict is None or 0 < verdict.line <= len(lines)


SECRETS = [
    ".env", ".env.local", ".env.production", ".env~", ".envrc", "prod.env", "server.pem",
    "server.key", "server.key.bak", "store.p12", "store.pfx", "store.jks", "my.keystore", "a.kdbx",
    "id_rsa", "id_rsa.pub", "id_ed25519", "id_ed25519.old", ".netrc", "_netrc", ".npmrc", ".pypirc",
    ".git-credentials", ".htpasswd", "secrets.yaml", "secrets.py", "prod.tfvars", "kubeconfig",
    "terraform.tfstate", "client_secret_1.json", "tls.crt", ".ssh/config", ".aws/credentials",
    ".kube/config", ".config/gcloud/a.json", ".docker/config.json", ".cargo/credentials.toml",
]  # fmt: skip

NO_SECRETS = [
    ".env.example", ".env.sample", ".env.template", "environment.py", "env.py", "keys.py", "key.py",
    "keyboard.py", "secretary.py", "credentials.py", "token.go", "pem.c", "rsa.py", "ssh/client.py",
    "aws/credentials.py", "config.json", "docker/config.json", "main.tf", "Makefile", "",
]  # fmt: skip

folders = st.lists(st.sampled_from(["src", "home", "A b", "ü", "x.y"]), max_size=3).map("/".join)


@given(folders, st.sampled_from(SECRETS), st.booleans())
def test_secrets_are_known_by_their_names_in_any_case(folder: str, name: str, shout: bool) -> None:
    path = f"/{folder}/{name}"
    assert built_in_pattern(path.upper() if shout else path) in BUILT_IN
    assert built_in_pattern(path.replace("/", "\\")) in BUILT_IN


@given(folders, st.sampled_from(NO_SECRETS))
def test_ordinary_code_and_examples_are_no_secrets(folder: str, name: str) -> None:
    assert built_in_pattern(f"/{folder}/{name}") is None


def test_every_built_in_pattern_is_a_pattern_in_lower_case() -> None:
    assert Patterns(BUILT_IN).broken == ()
    assert [*BUILT_IN] == [pattern.lower() for pattern in BUILT_IN]
    assert len({*BUILT_IN}) == len(BUILT_IN)
