"""What a request gets of other files, from a real document store and a real folder."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
from context_workspace import Workspace, functions
from serving import eventually

from midfill.inference.exclusion.policy import ExclusionPolicy, UserRules
from midfill.lsp.context.recent_edits import LineChange
from midfill.lsp.context.refreshing import Refreshing
from midfill.lsp.context.sources import ContextSettings

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.lsp.context.errands import Errand, Findings

CANARY = "c4n4ry"

BASKET = (
    "def add_item(basket, item):\n    return basket\n\n\ndef total_price(basket):\n    return 0\n"
)
APP = "from basket import add_item, total_price\n\n\ndef main():\n    basket = []\n    add_item(\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.write("basket.py", BASKET)
    return workspace


def test_the_definitions_behind_the_imports_are_in_the_context(workspace: Workspace) -> None:
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)

    assert workspace.context(uri, 5) == {
        "basket.py": "def add_item(basket, item): ...\ndef total_price(basket): ..."
    }


def test_definitions_that_are_found_late_come_with_the_next_request(workspace: Workspace) -> None:
    uri = workspace.open("app.py", APP)
    assert workspace.context(uri, 5) == {}
    workspace.look_up(uri)

    assert "basket.py" in workspace.context(uri, 5)


def test_typing_leaves_the_context_as_it_is(workspace: Workspace) -> None:
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    before = workspace.context(uri, 5)
    for n in range(20):
        workspace.clock.now += 0.2
        workspace.replace(uri, 5, 5, "    total_price(" + "x" * n)
        assert workspace.context(uri, 5) == before


def test_an_edit_that_makes_a_definition_false_drops_it_at_once(workspace: Workspace) -> None:
    other = workspace.open("basket.py")
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    assert "add_item" in workspace.context(uri, 5)["basket.py"]

    workspace.replace(other, 0, 0, "def add_item(basket, item, count):")

    assert workspace.context(uri, 5) == {}


def test_an_edit_elsewhere_in_the_file_leaves_it(workspace: Workspace) -> None:
    other = workspace.open("basket.py")
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    before = workspace.context(uri, 5)

    workspace.replace(other, 5, 5, "    return sum(basket)")

    assert workspace.context(uri, 5) == before


def test_a_file_written_on_the_disk_is_not_shown_as_it_was(workspace: Workspace) -> None:
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    assert workspace.context(uri, 5)

    workspace.write("basket.py", "def add_item(everything, changed): ...\n")

    assert workspace.context(uri, 5) == {}


def test_an_import_that_is_added_brings_its_definitions(workspace: Workspace) -> None:
    workspace.write("prices.py", "def discount(price, percent): ...\n")
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    workspace.context(uri, 5)
    workspace.replace(uri, 1, 1, "from prices import discount\n")
    workspace.look_up(uri)

    assert workspace.context(uri, 6)["prices.py"] == "def discount(price, percent): ..."


def test_coming_from_another_file_brings_what_was_edited_there(workspace: Workspace) -> None:
    other = workspace.open("other.py", functions("other", 10))
    workspace.context(other, 8)
    workspace.replace(other, 8, 8, "def freshly_written(argument):")
    uri = workspace.open("app.py", "x = 1\n")

    assert "freshly_written" in workspace.context(uri, 0)["other.py"]


def test_a_document_excluded_meanwhile_is_dropped_from_the_context(workspace: Workspace) -> None:
    workspace.open("basket.py")
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    assert workspace.context(uri, 5)

    workspace.write(".midfillignore", "basket.py\n")

    assert workspace.context(uri, 5) == {}


def test_a_file_excluded_meanwhile_is_dropped_from_the_context(workspace: Workspace) -> None:
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    assert workspace.context(uri, 5)

    workspace.write(".midfillignore", "basket.py\n")

    assert workspace.context(uri, 5) == {}


@pytest.mark.parametrize("route", ["import", "open", "edited", "link", "visited then excluded"])
def test_no_byte_of_an_excluded_file_comes_into_the_context(
    route: str, workspace: Workspace
) -> None:
    secret = f"def add_item(basket, {CANARY}): ...\n" * 3
    workspace.write("secrets/basket.py" if route != "link" else "secrets/real.py", secret)
    workspace.write(".midfillignore", "secrets/\n")
    text = f"from secrets.basket import add_item\nfrom linked import add_item\n{APP}"
    if route == "link":
        (workspace.folder / "linked.py").symlink_to("secrets/real.py")
    if route == "visited then excluded":
        workspace.write(".midfillignore", "")
        workspace.open("secrets/basket.py")
        workspace.look_up(workspace.open("other.py", text))
        workspace.write(".midfillignore", "secrets/\n")
    if route in ("open", "edited"):
        excluded = workspace.open("secrets/basket.py", secret)
        if route == "edited":
            workspace.sources.changed(excluded, ())
            workspace.sources.copied(secret, excluded)
    uri = workspace.open("app.py", text)
    workspace.look_up(uri)
    context = workspace.context(uri, 7)
    workspace.clock.now += 10
    later = workspace.context(uri, 7)

    assert CANARY not in str(context)
    assert CANARY not in str(later)


def test_with_a_budget_of_nothing_there_is_no_context(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, ContextSettings(tokens=0))
    workspace.write("basket.py", BASKET)
    workspace.open("other.py", functions("other", 9))
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)

    assert workspace.context(uri, 5) == {}


def test_other_settings_hold_from_the_next_request_on(workspace: Workspace) -> None:
    workspace.sources.go_by(ContextSettings(tokens=0))
    workspace.open("one.py", functions("shared", 5))
    uri = workspace.open("app.py", f"{APP}value_shared_2 result_shared_2 shared_2\n")
    workspace.look_up(uri)
    assert workspace.context(uri, 6) == {}

    workspace.sources.go_by(ContextSettings(tokens=400, imports=False))
    assert set(workspace.context(uri, 6)) == {"one.py"}
    workspace.sources.go_by(ContextSettings(tokens=400, visited=False))
    assert set(workspace.context(uri, 6)) == {"basket.py"}


def test_what_the_settings_come_to_exclude_is_dropped(workspace: Workspace) -> None:
    workspace.open("other.py", functions("shared", 5))
    uri = workspace.open("app.py", f"{APP}value_shared_2 result_shared_2 shared_2\n")
    workspace.look_up(uri)
    assert set(workspace.context(uri, 6)) == {"basket.py", "other.py"}

    rules = UserRules(exclude=("basket.py", "other.py"))
    for excluded in workspace.store.go_by(ExclusionPolicy(rules)):
        workspace.sources.forget(excluded)

    assert workspace.context(uri, 6) == {}
    workspace.look_up(uri)
    workspace.clock.now += 10
    assert workspace.context(uri, 6) == {}


def test_nothing_is_known_any_more_of_a_file_that_is_to_be_forgotten(workspace: Workspace) -> None:
    other = workspace.open("basket.py")
    uri = workspace.open("app.py", APP)
    workspace.look_up(uri)
    known = workspace.runner._finder._known
    assert str(workspace.folder / "basket.py") in known

    workspace.write(".midfillignore", "basket.py\n")
    workspace.sources.forget(other)
    workspace.look_up(workspace.open("imports_nothing.py", "x = 1\n"))

    assert str(workspace.folder / "basket.py") not in known


def test_a_document_that_is_not_open_has_no_context(workspace: Workspace) -> None:
    assert workspace.context(workspace.uri("never.py"), 0) == {}


def test_a_document_without_a_grammar_gets_what_was_visited(workspace: Workspace) -> None:
    text = functions("shared", 5)
    workspace.open("one.unknown", text)
    uri = workspace.open("two.unknown", "value_shared_2 result_shared_2 shared_2\n")
    workspace.look_up(uri)

    assert "shared_2" in workspace.context(uri, 0)["one.unknown"]


def test_a_key_costs_the_same_at_both_ends_of_ten_thousand_lines(workspace: Workspace) -> None:
    text = "from basket import add_item, total_price\n" + functions("many", 2500)
    uri = workspace.open("many.py", text)
    workspace.look_up(uri)
    taken: dict[int, list[float]] = {2: [], 9990: []}
    for line, times in taken.items():
        assert workspace.context(uri, line)
        for n in range(20):
            workspace.clock.now += 0.1
            workspace.replace(uri, line, line, f"add_item({n}")
            began = time.perf_counter()
            assert workspace.context(uri, line)
            times.append(time.perf_counter() - began)

    print({line: f"{1e3 * min(times):.2f} ms" for line, times in taken.items()})
    assert all(min(times) < 0.003 for times in taken.values())


def test_a_piece_of_the_document_itself_is_dropped_when_it_is_edited(workspace: Workspace) -> None:
    uri = workspace.open("long.py", functions("long", 60) + "long_59(value_long_59)\n")
    context = workspace.context(uri, 0)
    assert "long.py" in context
    line = next(
        number
        for number, text in enumerate(workspace.texts.lines_of(uri) or ())
        if text.strip() and text in context["long.py"]
    )
    workspace.replace(uri, line, line, "something_else = 1")

    assert context["long.py"] not in workspace.context(uri, 0).values()


async def test_looking_up_in_the_background_leaves_the_event_loop_alone(
    workspace: Workspace,
) -> None:
    uri = workspace.open("app.py", APP)
    threads = []

    class Watched:
        def run(self, errand: Errand) -> Findings:
            threads.append(threading.get_ident())
            return workspace.runner.run(errand)

    refreshing = Refreshing(workspace.sources, Watched(), settled=0.01)  # type: ignore[arg-type]
    for _ in range(5):
        refreshing.ask(uri)
    await eventually(lambda: workspace.context(uri, 5))
    await refreshing.close()

    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_a_look_up_that_fails_does_not_end_those_after_it(workspace: Workspace) -> None:
    uri = workspace.open("app.py", APP)
    failures = [RuntimeError("stumbled")]

    class Stumbling:
        def run(self, errand: Errand) -> Findings:
            if failures:
                raise failures.pop()
            return workspace.runner.run(errand)

    refreshing = Refreshing(workspace.sources, Stumbling(), settled=0.01)  # type: ignore[arg-type]
    refreshing.ask(uri)
    await eventually(lambda: not failures)
    await asyncio.sleep(0.05)
    refreshing.changed(uri, [LineChange(4, 4, 1)])  # a line that imports nothing
    await asyncio.sleep(0.05)
    assert workspace.context(uri, 5) == {}
    refreshing.changed(uri, [LineChange(0, 0, 1)])
    await eventually(lambda: workspace.context(uri, 5))
    await refreshing.close()
