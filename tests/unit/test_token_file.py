from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from midfill.inference.errors import UsageError
from midfill.inference.service.callers import digest_of, whose
from midfill.inference.service.token_file import HASHED, TokenFile, new_token, revoke

if TYPE_CHECKING:
    from pathlib import Path


def names(tokens: TokenFile) -> list[str]:
    return [credential.name for credential in tokens()]


def test_a_new_token_is_good_and_stands_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "tokens"

    token = new_token(file, "ann")
    other = new_token(file, "bob@example.org")

    tokens = TokenFile(file)
    assert [whose(each, tokens()).name for each in (token, other)] == ["ann", "bob@example.org"]
    assert whose(HASHED + digest_of(token).hex(), tokens()) is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text()
    assert len(token) >= 43
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


def test_a_new_token_leaves_the_rest_of_the_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# ours\nann alpha")
    file.chmod(0o640)

    token = new_token(file, "bob")

    assert file.read_text().startswith("# ours\nann alpha\nbob sha256:")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert whose("alpha", TokenFile(file)()).name == "ann"
    assert whose(token, TokenFile(file)()).name == "bob"


def test_a_token_is_revoked_while_the_server_runs(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# ours\n")
    ann, bob = new_token(file, "ann"), new_token(file, "bob")
    tokens = TokenFile(file)

    revoke(file, "ann")
    assert whose(ann, tokens()) is None
    assert whose(bob, tokens()).name == "bob"

    revoke(file, "bob")
    assert names(tokens) == []
    assert file.read_text() == "# ours\n"


def test_the_last_token_of_a_file_without_comments_is_revoked_too(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    new_token(file, "ann")
    tokens = TokenFile(file)

    revoke(file, "ann")

    assert names(tokens) == []


@pytest.mark.parametrize("name", ["", "two words", "#ann", "a/b", "a\nb", "x" * 65])
def test_what_is_no_name_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name"):
        new_token(tmp_path / "tokens", name)
    assert not (tmp_path / "tokens").exists()


def test_a_name_has_one_token(tmp_path: Path) -> None:
    new_token(tmp_path / "tokens", "ann")
    before = (tmp_path / "tokens").read_text()

    with pytest.raises(UsageError, match="revoke it first"):
        new_token(tmp_path / "tokens", "ann")
    with pytest.raises(UsageError, match="bob has no token"):
        revoke(tmp_path / "tokens", "bob")

    assert (tmp_path / "tokens").read_text() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no token"),
        ("# nobody\n", "holds no token"),
        ("ann\n", "line 1: write NAME TOKEN"),
        ("ann alpha\nann beta\n", "line 2: ann has a token already"),
        ("ann sha256:abc\n", "64 hexadecimal digits"),
        (f"ann sha256:{'ab' * 31}\n", "64 hexadecimal digits"),
    ],
)
def test_a_file_that_says_something_else_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(text)

    with pytest.raises(UsageError, match=words) as refused:
        TokenFile(tmp_path / "tokens")

    assert "alpha" not in str(refused.value)
    assert "beta" not in str(refused.value)


def test_what_goes_bad_later_changes_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tokens"
    file.write_text("ann alpha\n")
    file.chmod(0o600)
    tokens = TokenFile(file)

    for text in ("a line of words\n", " \n", None):
        caplog.clear()
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        assert [names(tokens) for _ in range(5)] == [["ann"]] * 5
    assert caplog.text.count("stay good") <= 1

    file.write_text("bob beta\n")
    assert names(tokens) == ["bob"]
    assert json.dumps(caplog.text).count("beta") == 0


def test_a_file_that_everybody_can_read_is_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tokens"
    file.write_text("ann alpha\n")

    file.chmod(0o600)
    TokenFile(file).warn_of_readers()
    assert caplog.text == ""
    file.chmod(0o644)
    TokenFile(file).warn_of_readers()
    assert "chmod 600" in caplog.text
