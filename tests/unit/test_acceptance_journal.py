"""From an answer to the editor to the records on the disk."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from midfill.inference.wire import Final, Milliseconds, Stop
from midfill.lsp.acceptance import history
from midfill.lsp.acceptance.counted import Event
from midfill.lsp.acceptance.database import read_counts, read_outcomes
from midfill.lsp.acceptance.edit import Edit
from midfill.lsp.acceptance.journal import Journal, offer_of, text_of
from midfill.lsp.acceptance.made import Made
from midfill.lsp.acceptance.messages import suggestion_in
from midfill.lsp.acceptance.offer import ACCEPTED, Latency, Source, Trigger
from midfill.lsp.acceptance.outcome import Ending
from midfill.lsp.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URI = "file:///a.py"
NOW = 1_800_000_000.0

FINAL = Final(
    text="compute(y)",
    confidence=0.7,
    stop=Stop.LINE_END,
    model="embedded",
    tokens=4,
    steps=2,
    ms=Milliseconds(encode=30, denoise=60, total=95),
)
MADE = Made(FINAL, Source.ENGINE, wait=0.1, engine=0.12)


def snapshot_of(marked: str, *, selected: str = "", replacing: int = 0) -> Snapshot:
    """What an editor shows whose cursor is at ``|``, behind so many characters to replace."""
    end = marked.index("|")
    start = end - replacing
    column = types.Position(0, start), types.Position(0, end)
    text = marked.replace("|", "")
    return Snapshot(URI, 1, "python", text, start, end, selected, types.Range(*column), False)


def items_of(snapshot: Snapshot, *texts: str) -> list[types.InlineCompletionItem]:
    return [types.InlineCompletionItem(text, range=snapshot.range) for text in texts]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(history, "GATHERING_SECONDS", 0.0)
    return tmp_path / "statistics" / "suggestions.sqlite3"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(file: Path, clock: Clock) -> Journal:
    return Journal(file, wanted=True, clock=clock, wall_clock=lambda: NOW)


async def test_an_answer_is_followed_to_its_record(
    journal: Journal, file: Path, clock: Clock
) -> None:
    snapshot = snapshot_of("x = |\n")
    [item] = journal.offered(snapshot, MADE, items_of(snapshot, "compute(y)"), 0.25)
    clock.now += 1
    journal.changed(URI, [Edit(4, 4, "compute(y)")])
    assert item.command is not None
    assert item.command.arguments is not None
    journal.accepted(item.command.arguments[0])
    journal.count(Event.SHOWN, snapshot)
    journal.close()
    [outcome] = read_outcomes(file, 0)
    assert outcome.ending is Ending.ACCEPTED
    assert outcome.confirmed
    about = outcome.circumstances
    assert (about.at, about.language, about.confidence) == (NOW, "python", 0.7)
    assert (about.trigger, about.source) == (Trigger.AUTOMATIC, Source.ENGINE)
    assert about.latency == Latency(
        wait=pytest.approx(100),
        engine=pytest.approx(120),
        encode=30,
        denoise=60,
        total=pytest.approx(250),
    )
    assert [one.event for one in read_counts(file, 0)] == [Event.SHOWN]


async def test_items_are_as_before_but_for_their_command(journal: Journal) -> None:
    snapshot = snapshot_of("x = |\n")
    items = items_of(snapshot, "compute(y)", "calculate(y)")
    sent = journal.offered(snapshot, MADE, items, 0.25)
    assert [(item.insert_text, item.range) for item in sent] == [
        (item.insert_text, item.range) for item in items
    ]
    commands = [item.command for item in sent]
    assert commands[0] == commands[1]
    assert commands[0] is not None
    assert commands[0].command == ACCEPTED
    journal.close()


async def test_an_outcome_is_recorded_when_its_time_has_come(file: Path) -> None:
    loop = asyncio.get_running_loop()
    hurried = Journal(file, wanted=True, clock=lambda: 100 * loop.time(), wall_clock=lambda: NOW)
    snapshot = snapshot_of("x = |\n")
    hurried.offered(snapshot, MADE, items_of(snapshot, "compute(y)"), 0.25)
    await asyncio.sleep(0.01)
    hurried.changed(URI, [Edit(4, 4, "?")])
    async with asyncio.timeout(10):
        while not (file.exists() and read_outcomes(file, 0)):
            await asyncio.sleep(0.01)
    [outcome] = read_outcomes(file, 0)
    assert outcome.ending is Ending.REJECTED
    hurried.close()


async def test_nothing_is_kept_while_it_is_off(file: Path, clock: Clock) -> None:
    off = Journal(file, wanted=False, clock=clock)
    snapshot = snapshot_of("x = |\n")
    [item] = off.offered(snapshot, MADE, items_of(snapshot, "compute(y)"), 0.25)
    assert item.command is None
    off.count(Event.ASKED, snapshot)
    off.changed(URI, [Edit(4, 4, "compute(y)")])
    off.closed(URI)
    off.close()
    assert not file.parent.exists()


async def test_switching_it_off_forgets_what_is_on_its_way(
    journal: Journal, file: Path, clock: Clock
) -> None:
    snapshot = snapshot_of("x = |\n")
    journal.offered(snapshot, MADE, items_of(snapshot, "compute(y)"), 0.25)
    journal.switch(wanted=False)
    journal.changed(URI, [Edit(4, 4, "compute(y)")])
    journal.switch(wanted=True)
    assert journal.on
    journal.offered(snapshot, MADE, items_of(snapshot, "other"), 0.25)
    clock.now += 1
    journal.closed(URI)
    journal.close()
    [outcome] = read_outcomes(file, 0)
    assert outcome.ending is Ending.IGNORED


def test_an_offer_says_what_is_added_to_the_entry_of_the_list() -> None:
    snapshot = snapshot_of("x = fo|)\n", selected="foobar", replacing=2)
    made = Made(FINAL, Source.MEMORY)
    offer = offer_of(snapshot, made, items_of(snapshot, "foobar(a,\n  b"), 0.002, NOW)
    assert (offer.start, offer.replaced, offer.selected) == (4, "fo", "foobar")
    assert offer.after == ")\n"
    about = offer.circumstances
    assert (about.lines, about.characters) == (2, len("(a,\n  b"))
    assert about.latency == Latency(total=2.0)


def test_a_snippet_is_what_it_inserts() -> None:
    assert text_of(types.InlineCompletionItem(types.StringValue("a"))) == "a"


def as_mapping(item: object) -> object:
    return {"item": item}


def as_object(item: object) -> object:
    if isinstance(item, dict):
        command = item.get("command")
        inner = SimpleNamespace(**command) if isinstance(command, dict) else command
        item = SimpleNamespace(command=inner)
    return SimpleNamespace(item=item)


@pytest.mark.parametrize("read", [as_mapping, as_object])
@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"command": {"command": ACCEPTED, "arguments": ["abc"]}}, "abc"),
        ({"command": {"command": "other.command", "arguments": ["abc"]}}, None),
        ({"command": {"command": ACCEPTED, "arguments": [3]}}, None),
        ({"command": {"command": ACCEPTED, "arguments": []}}, None),
        ({"command": {"command": ACCEPTED}}, None),
        ({"command": None}, None),
        ({}, None),
        (None, None),
        ("text", None),
    ],
)
def test_a_client_sends_back_an_item_of_ours_or_anything(
    read: Callable[[object], object], item: object, name: str | None
) -> None:
    assert suggestion_in(read(item)) == name
    assert suggestion_in(item) is None
