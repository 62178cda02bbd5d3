"""Settings are read forgivingly, and what is wrong with them is said."""

from __future__ import annotations

import pytest

from midfill.inference.exclusion.policy import UserRules
from midfill.lsp.settings import ReadSettings, Settings, read_settings


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (None, Settings()),
        ({}, Settings(model="embedded", enabled=True)),
        ({"model": "some/model"}, Settings(model="some/model")),
        ({"enabled": False}, Settings(enabled=False)),
        ({"minimumConfidence": 0.5}, Settings(minimum_confidence=0.5)),
        ({"minimumConfidence": 0}, Settings(minimum_confidence=0.0)),
        ({"exclude": ["*.sql"]}, Settings(exclusion=UserRules(exclude=("*.sql",)))),
        ({"include": [".env"]}, Settings(exclusion=UserRules(include=(".env",)))),
        ({"excludeGitignored": False}, Settings(exclusion=UserRules(gitignore=False))),
        ({"model": " embedded ", "enabled": True}, Settings()),
    ],
)
def test_settings_default_where_they_are_not_given(options: object, settings: Settings) -> None:
    assert read_settings(options) == ReadSettings(settings)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "must be an object"),
        ({"model": 3}, "midfill.model must be"),
        ({"model": "  "}, "midfill.model must be"),
        ({"model": None}, "midfill.model must be"),
        ({"enabled": "yes"}, "midfill.enabled must be true or false"),
        ({"minimumConfidence": 1.5}, "midfill.minimumConfidence must be a number from 0 to 1"),
        ({"minimumConfidence": True}, "midfill.minimumConfidence must be"),
        ({"minimumConfidence": "0.5"}, "midfill.minimumConfidence must be"),
        ({"minimumConfidence": float("nan")}, "midfill.minimumConfidence must be"),
        ({"exclude": "*.sql"}, "midfill.exclude must be a list of patterns"),
        ({"include": None}, "midfill.include must be a list of patterns"),
        ({"excludeGitignored": "no"}, "midfill.excludeGitignored must be true or false"),
        ({"modle": "embedded"}, "no setting called 'midfill.modle'"),
    ],
)
def test_a_wrong_setting_is_named_and_left_at_its_default(options: object, complaint: str) -> None:
    found = read_settings(options)
    assert found.settings == Settings()
    assert len(found.complaints) == 1
    assert complaint in found.complaints[0]


def test_patterns_that_are_right_hold_beside_wrong_ones() -> None:
    found = read_settings({"exclude": ["*.sql", 3, "own/"], "include": [None]})
    assert found.settings.exclusion == UserRules(exclude=("*.sql", "own/"))
    assert found.complaints == (
        "midfill.exclude must be a list of patterns: the others hold.",
        "midfill.include must be a list of patterns: the others hold.",
    )


def test_a_right_setting_counts_beside_a_wrong_one() -> None:
    found = read_settings({"model": "some/model", "enabled": 1, "colour": "red"})
    assert found.settings == Settings(model="some/model")
    assert len(found.complaints) == 2
