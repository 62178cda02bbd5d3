"""What becomes of a suggestion, told from edits alone or with what some clients tell."""

from __future__ import annotations

import pytest
from acceptance_editor import URI, TrackedEditor

from midfill.lsp.acceptance.edit import Edit, edit_between
from midfill.lsp.acceptance.outcome import Ending


def test_a_suggestion_that_is_inserted_at_once_is_accepted() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    outcome = editor.end()
    assert outcome.ending is Ending.ACCEPTED
    assert (outcome.taken, outcome.typed) == (10, 0)
    assert (outcome.kept, outcome.exact) == (1.0, True)
    assert outcome.seconds == pytest.approx(1.0)


def test_an_outcome_waits_for_what_is_kept_after_half_a_minute() -> None:
    editor = TrackedEditor()
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    editor.wait(29)
    assert not editor.outcomes
    assert editor.tracker.due == pytest.approx(editor.now + 1)
    editor.wait(1)
    assert editor.outcomes
    assert editor.tracker.due is None


def test_its_rest_counts_after_some_of_it_was_typed() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.type("com")
    editor.wait(1)
    editor.insert("pute(y)")
    outcome = editor.end()
    assert outcome.ending is Ending.ACCEPTED
    assert (outcome.taken, outcome.typed) == (7, 3)
    assert outcome.exact


def test_typing_it_to_its_end_is_an_outcome_of_its_own() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.type("compute(y)")
    outcome = editor.end()
    assert outcome.ending is Ending.TYPED
    assert (outcome.taken, outcome.typed, outcome.kept) == (0, 10, None)


def test_typing_something_else_rejects_it() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.type("z")
    assert editor.end().ending is Ending.REJECTED


def test_typing_something_else_at_once_rejects_nothing_that_was_read() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)", after=0.05)
    editor.type("z")
    assert editor.end().ending is Ending.UNSEEN


def test_deleting_before_it_rejects_it() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.backspace()
    assert editor.end().ending is Ending.REJECTED


def test_taking_back_what_was_typed_of_it_leaves_it_there() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.type("com")
    editor.backspace(3)
    editor.insert("compute(y)")
    outcome = editor.end()
    assert (outcome.ending, outcome.taken, outcome.typed) == (Ending.ACCEPTED, 10, 0)


def test_words_that_are_inserted_count_as_a_part() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(value) + rest")
    editor.insert("compute")
    editor.wait(1)
    editor.insert("(value)")
    editor.wait(1)
    editor.type(";")
    outcome = editor.end()
    assert outcome.ending is Ending.PARTLY
    assert outcome.taken == len("compute(value)")
    assert outcome.exact


def test_word_by_word_to_the_end_is_all_of_it() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("one two three")
    for word in ("one", " two", " three"):
        editor.wait(1)
        editor.insert(word)
    outcome = editor.end()
    assert (outcome.ending, outcome.taken) == (Ending.ACCEPTED, 13)


def test_a_line_of_several_is_a_part() -> None:
    editor = TrackedEditor("def f():|\n")
    editor.offer("\n    a = 1\n    return a")
    editor.insert("\n    a = 1")
    editor.wait(1)
    editor.type("0")
    assert editor.end().ending is Ending.PARTLY


def test_a_line_break_that_the_editor_indents_is_typed() -> None:
    editor = TrackedEditor("def f():|\n")
    editor.offer("\n    return a")
    editor.insert("\n    ")
    editor.wait(1)
    editor.type("return a")
    outcome = editor.end()
    assert (outcome.ending, outcome.taken) == (Ending.TYPED, 0)


@pytest.mark.parametrize("indentation", ["", "\t", "  ", "        "])
def test_an_editors_own_indentation_is_no_difference(indentation: str) -> None:
    editor = TrackedEditor("def f():|\n")
    editor.offer("\n    a = 1\n    return a")
    editor.insert(f"\n{indentation}a = 1\n{indentation}return a")
    outcome = editor.end()
    assert (outcome.ending, outcome.exact) == (Ending.ACCEPTED, True)


def test_an_editors_own_line_breaks_are_no_difference() -> None:
    editor = TrackedEditor("{|\r\n")
    editor.offer("\n  a\n  b")
    editor.insert("\r\n  a\r\n  b")
    assert editor.end().ending is Ending.ACCEPTED


def test_a_bracket_that_the_editor_closes_is_typed() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("f(value)")
    editor.type("f")
    editor.insert("()")
    editor.cursor -= 1
    editor.offer("value")
    assert editor.continued
    editor.insert("value")
    outcome = editor.end()
    assert outcome.ending is Ending.ACCEPTED
    assert (outcome.typed, outcome.taken) == (2, 6)


def test_a_closing_bracket_that_opens_nothing_is_typed_against_it() -> None:
    editor = TrackedEditor("f(x|\n")
    editor.offer(", y)")
    editor.insert(")")
    assert editor.end().ending is Ending.REJECTED


def test_a_closed_bracket_that_stays_behind_does_not_matter() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("(value)")
    editor.insert("()")
    editor.edit(5, 5, "value)")
    assert editor.text == "x = (value))\n"
    outcome = editor.end()
    assert (outcome.ending, outcome.exact) == (Ending.ACCEPTED, True)


def test_an_editor_that_leaves_typed_text_behind_has_accepted() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("foobar(1)")
    editor.type("f")
    editor.edit(4, 4, "foobar(1)")
    assert editor.text == "x = foobar(1)f\n"
    assert editor.end().ending is Ending.ACCEPTED


def test_typed_text_and_the_rest_may_come_in_one_change() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.type("co")
    rest = [editor.replace(editor.cursor, editor.cursor, text) for text in ("m", "pute(y)")]
    editor.tracker.changed(URI, rest)
    assert editor.end().ending is Ending.ACCEPTED


def test_what_is_typed_behind_it_may_come_in_the_same_change() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.insert("compute(y) + 1")
    outcome = editor.end()
    assert (outcome.ending, outcome.exact) == (Ending.ACCEPTED, True)


def test_a_longer_word_is_another_one() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("comp")
    editor.insert("computer")
    assert editor.end().ending is Ending.REJECTED


def test_keys_that_a_client_sends_together_are_typed() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    for keys in ("com", "put", "e(", "y)"):
        editor.wait(0.2)
        editor.insert(keys)
    assert editor.end().ending is Ending.TYPED


def test_a_short_suggestion_that_is_taken_soon_is_accepted() -> None:
    editor = TrackedEditor("f(x, |\n")
    editor.offer("y)", after=0.4)
    editor.insert("y)")
    assert editor.end().ending is Ending.ACCEPTED


def test_keys_that_a_client_sends_as_several_changes_are_typed() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    keys = [editor.replace(editor.cursor, editor.cursor, key) for key in "compute"]
    editor.tracker.changed(URI, keys)
    editor.type("(y)")
    assert editor.end().ending is Ending.TYPED


def test_an_entry_of_the_completion_list_is_not_ours() -> None:
    editor = TrackedEditor("x = fo|\n")
    editor.offer("foobar(value)", replacing="fo", selected="foobar")
    editor.edit(4, 6, "foobar")
    editor.wait(1)
    editor.type("[")
    outcome = editor.end()
    assert (outcome.ending, outcome.taken) == (Ending.REJECTED, 0)


def test_a_suggestion_that_goes_on_from_the_completion_list_is_accepted() -> None:
    editor = TrackedEditor("x = fo|\n")
    editor.offer("foobar(value)", replacing="fo", selected="foobar")
    editor.edit(4, 6, "foobar(value)")
    outcome = editor.end()
    assert (outcome.ending, outcome.taken) == (Ending.ACCEPTED, 11)


def test_what_is_left_after_typing_through_is_the_same_suggestion() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.type("com")
    editor.offer("pute(y)")
    assert editor.continued
    editor.type("pu")
    last = editor.offer("te(y)")
    editor.insert("te(y)")
    editor.tracker.accepted(last)
    outcome = editor.end()
    assert (outcome.ending, outcome.typed, outcome.taken) == (Ending.ACCEPTED, 5, 5)
    assert outcome.confirmed


def test_the_completion_list_may_open_meanwhile() -> None:
    editor = TrackedEditor("x = fo|\n")
    editor.offer("o(bar)")
    editor.offer("foo(bar)", replacing="fo", selected="foo")
    assert editor.continued
    editor.edit(4, 6, "foo(bar)")
    assert editor.end().ending is Ending.ACCEPTED


def test_choices_are_one_suggestion() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.offer("compute(y)", "calculate(y)", "0")
    assert editor.continued
    editor.insert("calculate(y)")
    outcome = editor.end()
    assert (outcome.ending, outcome.taken) == (Ending.ACCEPTED, 12)


def test_another_suggestion_at_the_same_place_leaves_it_ignored() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.offer("calculate(y)")
    assert not editor.continued
    editor.wait(2)
    assert [outcome.ending for outcome in editor.outcomes] == [Ending.IGNORED]


def test_another_suggestion_elsewhere_leaves_it_rejected() -> None:
    editor = TrackedEditor("x = |\ny = \n")
    editor.offer("compute(y)")
    editor.cursor = 9
    editor.offer("compute(y)")
    assert not editor.continued
    editor.wait(2)
    assert [outcome.ending for outcome in editor.outcomes] == [Ending.REJECTED]


def test_closing_the_document_leaves_it_ignored() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.tracker.closed(URI)
    assert [outcome.ending for outcome in editor.outcomes] == [Ending.IGNORED]


def test_closing_the_document_soon_after_leaves_open_what_is_kept() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    editor.wait(10)
    editor.tracker.close()
    [outcome] = editor.outcomes
    assert (outcome.ending, outcome.kept, outcome.exact) == (Ending.ACCEPTED, None, None)


def test_edits_elsewhere_move_it() -> None:
    editor = TrackedEditor("x = |\ny = 2\n")
    editor.offer("compute(y)")
    editor.edit(0, 0, "import y\n")
    editor.edit(len(editor.text), len(editor.text), "z = 3\n")
    editor.cursor = editor.text.index("x = ") + 4
    editor.insert("compute(y)")
    editor.edit(0, 9, "")
    outcome = editor.end()
    assert (outcome.ending, outcome.exact) == (Ending.ACCEPTED, True)


def test_undoing_it_leaves_nothing() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    editor.edit(4, 14, "")
    outcome = editor.end()
    assert (outcome.ending, outcome.kept, outcome.exact) == (Ending.ACCEPTED, 0.0, False)


def test_undoing_and_doing_it_again_leaves_it_there() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    editor.edit(4, 14, "")
    editor.edit(4, 4, "compute(y)")
    assert editor.end().exact


def test_a_word_that_is_changed_is_a_share_that_is_gone() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("aaaa + bbbb")
    editor.insert("aaaa + bbbb")
    editor.edit(11, 15, "cc")
    outcome = editor.end()
    assert not outcome.exact
    assert outcome.kept == pytest.approx(5 / 9)


def test_what_is_typed_behind_it_is_not_part_of_it() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    editor.type(" + 1")
    assert editor.end().exact


def test_a_formatter_that_writes_all_anew_keeps_it() -> None:
    editor = TrackedEditor("x=|\ny=2\n")
    editor.offer("compute(y)")
    editor.insert("compute(y)")
    editor.tracker.changed(URI, [edit_between(editor.text, "x = compute(y)\ny = 2\n")])
    assert editor.end().exact


def test_a_client_that_compares_texts_reports_a_bracket_behind_its_twin() -> None:
    editor = TrackedEditor("f(g(x|)\n")
    editor.offer(")")
    editor.tracker.changed(URI, [edit_between("f(g(x)\n", "f(g(x))\n")])
    outcome = editor.end()
    assert outcome.ending is Ending.TYPED


def test_a_client_that_tells_of_an_acceptance_knows_better() -> None:
    editor = TrackedEditor("x = |\n")
    name = editor.offer("compute(y)")
    editor.insert("Compute( y )")
    editor.tracker.accepted(name)
    outcome = editor.end()
    assert outcome.ending is Ending.ACCEPTED
    assert outcome.confirmed
    assert outcome.exact


def test_a_client_that_tells_first_and_edits_then() -> None:
    editor = TrackedEditor("x = |\n")
    name = editor.offer("compute(y)")
    editor.tracker.accepted(name)
    editor.insert("compute(y)")
    outcome = editor.end()
    assert (outcome.ending, outcome.confirmed, outcome.taken) == (Ending.ACCEPTED, True, 10)


def test_a_short_rest_was_accepted_if_the_client_says_so() -> None:
    editor = TrackedEditor("f(x|\n")
    name = editor.offer(")")
    editor.insert(")")
    editor.tracker.accepted(name)
    outcome = editor.end()
    assert (outcome.ending, outcome.taken, outcome.typed) == (Ending.ACCEPTED, 1, 0)


def test_an_acceptance_that_is_told_much_later_changes_nothing() -> None:
    editor = TrackedEditor("x = |\n")
    name = editor.offer("compute(y)")
    editor.type("z")
    editor.wait(5)
    editor.tracker.accepted(name)
    assert [outcome.ending for outcome in editor.outcomes] == [Ending.REJECTED]


def test_a_client_that_tells_of_parts_is_believed() -> None:
    editor = TrackedEditor("x = |\n")
    name = editor.offer("if 😀: y")
    editor.insert("if 😀")
    editor.tracker.partially_accepted(name, 5)
    editor.type("!")
    outcome = editor.end()
    assert (outcome.ending, outcome.taken, outcome.typed) == (Ending.PARTLY, 4, 0)


def test_a_part_that_is_told_after_its_end() -> None:
    editor = TrackedEditor("x = |\n")
    name = editor.offer("if y")
    editor.type("if")
    editor.type("!")
    editor.tracker.partially_accepted(name, 2)
    outcome = editor.end()
    assert (outcome.ending, outcome.taken, outcome.typed) == (Ending.PARTLY, 2, 0)
    assert outcome.exact


def test_a_suggestion_that_was_never_shown_was_never_rejected() -> None:
    editor = TrackedEditor("x = |\n")
    editor.tracker.shown(editor.offer("first", after=0))
    editor.wait(1)
    editor.type("z")
    editor.offer("second")
    editor.type("?")
    editor.wait(2)
    endings = [outcome.ending for outcome in editor.outcomes]
    assert endings == [Ending.REJECTED, Ending.UNSEEN]


def test_names_that_nobody_offered_are_ignored() -> None:
    editor = TrackedEditor("x = |\n")
    editor.offer("compute(y)")
    editor.tracker.accepted("?")
    editor.tracker.partially_accepted("?", 3)
    editor.tracker.partially_accepted("1", -3)
    editor.tracker.changed("file:///other.py", [Edit(0, 0, "z")])
    editor.tracker.closed("file:///other.py")
    editor.type("z")
    assert editor.end().ending is Ending.REJECTED


def test_an_outcome_has_no_text_and_no_name_of_a_file() -> None:
    editor = TrackedEditor("secret = |\n", uri="file:///hidden/place.py")
    editor.offer("hunter22()")
    editor.insert("hunter22()")
    told = repr(editor.end())
    for word in ("secret", "hunter22", "hidden", "place"):
        assert word not in told
