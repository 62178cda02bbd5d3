"""Licences as cards give them, and how much memory the known models take."""

from __future__ import annotations

import pytest

from midfill.inference.downloads.repository.licence import Licence, licence_of
from midfill.inference.models.known import KNOWN, known_model
from midfill.inference.models.machine_memory import Fit, Memory, fits, weight_bytes
from midfill.inference.models.options import Weights
from midfill.inference.models.reference import Place, model_reference

PAGE = "https://hub/owner/name"


@pytest.mark.parametrize(
    ("given", "permissive"),
    [
        ("apache-2.0", True),
        ("MIT", True),
        (["mit", "apache-2.0"], True),
        (["mit", "cc-by-nc-4.0"], False),
        ("gemma", False),
        ("openrail", False),
        ("cc-by-nc-4.0", False),
        ("other", False),
        ("", False),
        (None, False),
        ([], False),
    ],
)
def test_only_what_asks_for_nothing_is_permissive(given: object, permissive: bool) -> None:
    assert licence_of(given, None, None, (), PAGE).permissive is permissive


def test_a_licence_of_its_own_has_a_name_and_a_link() -> None:
    assert licence_of("other", "their-own", "https://there/terms", (), PAGE) == Licence(
        "other", "their-own", "https://there/terms", "https://there/terms"
    )
    assert licence_of("other", "their-own", "LICENSE.md", (), PAGE).link == (
        f"{PAGE}/blob/main/LICENSE.md"
    )
    assert licence_of("gemma", None, None, (), PAGE).link == PAGE


def test_without_a_card_the_hubs_own_tag_counts() -> None:
    assert licence_of(None, None, None, ("code", "license:mit"), PAGE).id == "mit"


def test_a_permissive_identifier_is_not_hidden_behind_another_name() -> None:
    """A name of its own does not make a licence what it is called."""
    assert not licence_of("other", "apache-2.0", None, (), PAGE).permissive


def test_what_a_card_says_cannot_steer_a_terminal() -> None:
    assert licence_of("other", "nice\x1b[2J\nlicence", None, (), PAGE).name == "nice [2J licence"


def test_a_tag_cannot_steer_a_terminal_either() -> None:
    licence = licence_of(None, None, None, ["license:\x1b]0;title\x07\nApache-2.0\u202e"], PAGE)

    assert licence.id == "]0;title apache-2.0"
    assert licence.name.isprintable()
    assert not licence.permissive


def test_a_licence_is_the_same_whichever_mirror_it_is_read_from() -> None:
    card = ("other", "their-own", "LICENSE", ())
    here, there = licence_of(*card, PAGE), licence_of(*card, "https://mirror/owner/name")

    assert here.link != there.link
    assert here.is_same(there)
    assert not here.is_same(licence_of("other", "their-own", "TERMS", (), PAGE))
    assert not here.is_same(licence_of("other", "another", "LICENSE", (), PAGE))
    assert licence_of("gemma", None, None, (), PAGE).is_same(
        licence_of("gemma", None, None, (), "https://mirror/owner/name")
    )


def test_known_models_are_called_as_the_hub_calls_them() -> None:
    for model in KNOWN:
        assert model_reference(model.repository).place is Place.HUB
        assert known_model(model.repository) is model
        assert 0 < model.unquantised < model.parameters
    assert len({model.repository for model in KNOWN}) == len(KNOWN)
    assert known_model("tests/unknown") is None


def test_the_biggest_model_takes_what_was_published_for_it() -> None:
    """About 52 GB in bfloat16 with its tower for pictures, which is not loaded."""
    gemma = known_model("google/diffusiongemma-26B-A4B-it")
    assert gemma is not None
    assert 50e9 < gemma.bytes.bfloat16 < 52e9
    assert 25.5e9 < gemma.bytes.int8 < 28e9
    assert 14e9 < gemma.bytes.int4 < 16.8e9


def test_the_most_exact_form_that_fits_is_chosen_for_each_memory() -> None:
    model = weight_bytes(8_000_000_000, 1_000_000_000)
    small, card = Memory("memory", 12 * 10**9), Memory("card", 24 * 10**9)
    tiny, old = Memory("tiny", 4 * 10**9), Memory("old", 24 * 10**9, Weights.FLOAT32)

    assert fits(model, (small, card, tiny, old)) == (
        Fit(small, Weights.INT8),
        Fit(card, Weights.BFLOAT16),
        Fit(old, Weights.INT8),
    )


def test_room_is_left_for_what_runs_beside_the_weights() -> None:
    exactly = weight_bytes(1_000_000_000)

    assert fits(exactly, [Memory("m", exactly.bfloat16)]) != (
        Fit(Memory("m", exactly.bfloat16), Weights.BFLOAT16),
    )
    assert fits(exactly, [Memory("m", exactly.int4)]) == ()
