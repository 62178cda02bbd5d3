"""The engine on the real embedded model: good fills, limits, caches, and untouched files."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill.inference import next_windows
from midfill.inference.engine import Engine
from midfill.inference.errors import Cancelled, InvalidText, OutOfMemory, UsageError
from midfill.inference.fillers.embedded import EmbeddedFiller
from midfill.inference.prompt import build_prompt
from midfill.inference.wire import Draft, Extent, Final, HoleSpan, InfillRequest, Limits, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from midfill.inference.tokenizer import Tokenizer

SOURCE = '''\
import math


def mean(values):
    """Return the arithmetic mean."""
    return ▮


def distance(a, b):
    """Return the Euclidean distance between two points."""
    dx = a[0] - b[0]
    dy = a[1] - b[1]
    return math.sqrt(dx * dx + dy * dy)
'''
HOLE = "▮"
UNHURRIED = Limits(deadline_ms=600_000)  # what a slow machine finishes, too


@pytest.fixture(autouse=True)
def nothing_cached(engine: Engine) -> None:
    engine.forget()


def split(source: str) -> tuple[str, str]:
    prefix, _, suffix = source.partition(HOLE)
    return prefix, suffix


def final(engine: Engine, request: InfillRequest) -> Final:
    *drafts, last = engine.infill(request)
    assert all(isinstance(draft, Draft) for draft in drafts)
    assert isinstance(last, Final)
    return last


def request(source: str, **fields: object) -> InfillRequest:
    prefix, suffix = split(source)
    return InfillRequest.model_validate({"prefix": prefix, "suffix": suffix, **fields})


def test_the_rest_of_a_line_is_filled_sensibly(engine: Engine) -> None:
    fill = final(engine, request(SOURCE))
    assert fill.text == "sum(values) / len(values)"
    assert fill.stop is Stop.LINE_END
    assert fill.confidence > 0.2
    assert 1 <= len(fill.log_probabilities) <= fill.tokens
    assert fill.steps < fill.tokens
    assert len(fill.step_tokens) == fill.steps
    assert sum(fill.step_tokens) == fill.tokens


def test_a_word_cut_off_at_the_cursor_is_finished(engine: Engine) -> None:
    fill = final(engine, request(SOURCE.replace("return ▮", "ret▮")))
    assert fill.text.startswith("urn sum(values)")


def test_what_stands_right_of_the_cursor_is_not_repeated(engine: Engine) -> None:
    fill = final(engine, request(SOURCE.replace("return ▮", "return sum(▮) / len(values)")))
    assert fill.text == "values"


def test_several_lines_are_filled_up_to_the_suffix(engine: Engine) -> None:
    source = SOURCE.replace("    return ▮", "    total = sum(values)")
    source = source.replace("    dy = a[1] - b[1]\n    return", "▮    return")
    prefix, suffix = split(source)
    hole = HoleSpan(start=len(prefix), end=len(prefix), extent=Extent.LINES)
    fill = final(engine, InfillRequest(prefix=prefix, suffix=suffix, holes=(hole,)))
    assert fill.text == "    dy = a[1] - b[1]\n"
    assert fill.stop is Stop.SUFFIX
    ast.parse(prefix + fill.text + suffix)


@pytest.mark.parametrize("tokens", [5, 13, 200])
def test_lines_that_are_replaced_never_run_into_the_next(engine: Engine, tokens: int) -> None:
    lines = SOURCE.replace(HOLE, "sum(values) / len(values)").splitlines(keepends=True)
    prefix, replaced, suffix = "".join(lines[:9]), "".join(lines[9:12]), "".join(lines[12:])
    span = HoleSpan(start=len(prefix), end=len(prefix) + len(replaced), extent=Extent.LINES)
    fill = final(
        engine,
        InfillRequest(
            prefix=prefix, suffix=replaced + suffix, holes=(span,), limits=Limits(tokens=tokens)
        ),
    )
    assert fill.text == "" or fill.text.endswith("\n")
    assert not fill.text.endswith("\n\n")


def test_a_hole_may_hold_text_that_is_replaced(engine: Engine) -> None:
    prefix, suffix = split(SOURCE.replace(HOLE, HOLE + "nonsense(1)"))
    hole = HoleSpan(start=len(prefix), end=len(prefix) + len("nonsense(1)"))
    fill = final(engine, InfillRequest(prefix=prefix, suffix=suffix, holes=(hole,)))
    assert fill.text == "sum(values) / len(values)"


def test_drafts_grow_into_the_final_text(engine: Engine) -> None:
    events = list(engine.infill(request(SOURCE)))
    drafts = [event.text for event in events if isinstance(event, Draft)]
    last = events[-1]
    assert isinstance(last, Final)
    assert len(drafts) == last.steps - 1 >= 1
    for earlier, later in zip(drafts, [*drafts[1:], last.text], strict=True):
        assert later.startswith(earlier)


def test_typing_on_encodes_next_to_nothing(engine: Engine) -> None:
    final(engine, request(SOURCE))
    typed = final(engine, request(SOURCE.replace(HOLE, "sum(val▮")))
    assert typed.text == "ues) / len(values)"
    assert typed.cache.new_tokens <= 4
    assert typed.cache.hit_tokens > 50


def test_typing_through_a_suggestion_takes_one_step_and_says_the_same(engine: Engine) -> None:
    first = final(engine, request(SOURCE))
    for typed in range(1, len(first.text)):
        again = final(engine, request(SOURCE.replace(HOLE, first.text[:typed] + HOLE)))
        assert first.text[:typed] + again.text == first.text
        assert again.steps == 1


def test_a_suggestion_is_still_believed_when_something_behind_it_or_elsewhere_changes(
    engine: Engine,
) -> None:
    prefix, suffix = split(SOURCE)
    text = final(engine, request(SOURCE)).text
    for typed, behind, files in (
        (0, "\n# more" + suffix, ()),
        (3, suffix, ({"path": "a.py", "text": "SIZE = 3\n"},)),
    ):
        asked = InfillRequest(prefix=prefix + text[:typed], suffix=behind, context=files)
        fill = final(engine, asked)
        assert text[:typed] + fill.text == text
        assert fill.steps == 1
        engine.forget()
        assert final(engine, asked).text == fill.text
        final(engine, request(SOURCE))


def test_typing_something_else_is_answered_as_if_nothing_had_been_believed(engine: Engine) -> None:
    final(engine, request(SOURCE))
    other = request(SOURCE.replace(HOLE, "le▮"))
    believing = final(engine, other)
    engine.forget()
    assert believing.text == final(engine, other).text


def test_the_same_request_gives_the_same_answer(engine: Engine) -> None:
    sampled = request(SOURCE, n=2, temperature=0.9, seed=7, limits=UNHURRIED)
    first, second = final(engine, sampled), final(engine, sampled)
    assert (first.text, first.alternatives) == (second.text, second.alternatives)


def test_alternatives_are_distinct_and_begin_with_the_greedy_fill(engine: Engine) -> None:
    vague = "def greet(name):\n    ▮\n"
    fill = final(engine, request(vague, n=3, seed=1, limits=UNHURRIED))
    candidates = [fill.text, *fill.alternatives]
    assert len(candidates) >= 2
    assert len(set(candidates)) == len(candidates)
    assert fill.text == final(engine, request(vague)).text


def test_the_outcome_does_not_depend_on_what_is_cached(engine: Engine) -> None:
    warm = final(engine, request(SOURCE, n=2, limits=UNHURRIED))
    engine.forget()
    cold = final(engine, request(SOURCE, n=2, limits=UNHURRIED))
    assert cold.cache.hit_tokens == 0
    assert cold.text == warm.text


def test_a_token_limit_is_kept(engine: Engine) -> None:
    hole = {"start": len(split(SOURCE)[0]), "end": len(split(SOURCE)[0]), "extent": "lines"}
    fill = final(engine, request(SOURCE, limits=Limits(tokens=3), holes=[hole]))
    assert fill.tokens == 3
    assert fill.stop is Stop.TOKEN_LIMIT


def test_a_deadline_gives_the_best_finished_part(engine: Engine) -> None:
    fill = final(engine, request(SOURCE, limits=Limits(deadline_ms=1)))
    assert fill.stop is Stop.DEADLINE
    assert fill.steps == 1
    assert "sum(values) / len(values)".startswith(fill.text)


@pytest.mark.parametrize("steps", [0, 1])
def test_cancelling_takes_effect_within_one_step(engine: Engine, steps: int) -> None:
    drafts: list[Draft | Final] = []
    with pytest.raises(Cancelled):
        drafts.extend(engine.infill(request(SOURCE), lambda: len(drafts) >= steps))
    assert len(drafts) <= steps + 1


def test_an_abandoned_fill_leaves_the_context_encoded(engine: Engine) -> None:
    events = engine.infill(request(SOURCE))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert final(engine, request(SOURCE)).cache.new_tokens == 1


def test_unloading_gives_the_model_back_and_the_next_request_loads_it(
    embedded_files: object,
) -> None:
    engine = Engine()
    assert not engine.loaded
    fill = final(engine, request(SOURCE))
    assert fill.ms.load > 0
    engine.unload()
    assert not engine.loaded
    assert final(engine, request(SOURCE)).text == fill.text


@pytest.mark.parametrize("place", ["prefix", "suffix"])
def test_a_lone_surrogate_is_refused(engine: Engine, place: str) -> None:
    fields = {"prefix": "x = ", "suffix": "\n"} | {place: "'\ud800'"}
    with pytest.raises(InvalidText, match="lone surrogate"):
        list(engine.infill(InfillRequest.model_construct(**fields)))


def test_contexts_that_were_let_go_are_read_anew(engine: Engine) -> None:
    final(engine, request(SOURCE))
    engine.forget()
    assert final(engine, request(SOURCE)).cache.hit_tokens == 0


def test_what_is_kept_of_one_caller_is_neither_used_for_nor_let_go_of_by_another(
    engine: Engine,
) -> None:
    def hits(caller: str) -> int:
        *_, last = engine.infill(request(SOURCE), caller=caller)
        assert isinstance(last, Final)
        return last.cache.hit_tokens

    assert (hits("ann"), hits("bob")) == (0, 0)
    engine.forget("ann")
    assert hits("bob") > 0
    assert hits("ann") == 0


def test_out_of_memory_drops_the_caches_and_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    final(engine, request(SOURCE))

    def no_memory(*_: object) -> Callable[[], None]:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")

    filler = engine.filler
    assert isinstance(filler, EmbeddedFiller)
    with monkeypatch.context() as patch:
        patch.setattr(filler.loaded.model, "denoise", no_memory)
        with pytest.raises(OutOfMemory, match="not enough memory"):
            list(engine.infill(request(SOURCE)))
    assert len(filler.contexts) == 0
    assert final(engine, request(SOURCE)).text


def test_an_unknown_model_or_device_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="embedded"):
        Engine("gpt-9000")
    with pytest.raises(UsageError, match="--device cpu"):
        Engine(device="warp:9")


def test_a_windows_file_gets_windows_line_breaks(engine: Engine) -> None:
    source = SOURCE.replace("    return ▮", "▮").replace("\n", "\r\n")
    fill = final(engine, request(source.replace('mean."""\r\n▮', 'mean."""▮')))
    assert "\n" in fill.text
    assert fill.text.count("\n") == fill.text.count("\r\n")


ODDITIES = (
    *("\t", "\r\n", "\r", "\x0c", "\u2028", " ", "    ", ")", "'", "x"),
    *("é", "e\u0301", "a\u0300\u0301", "🙂", "👩\u200d💻", "漢字"),
)
SNIPPETS = st.lists(
    st.sampled_from([*SOURCE.splitlines(keepends=True), *ODDITIES]), max_size=12
).map("".join)


@settings(max_examples=settings.default.max_examples // 8)
@given(prefix=SNIPPETS, hole=SNIPPETS, suffix=SNIPPETS, extent=st.sampled_from(Extent))
def test_whatever_comes_back_every_other_byte_of_the_file_stays(
    engine: Engine, prefix: str, hole: str, suffix: str, extent: Extent
) -> None:
    """prefix + fill + suffix is valid, and starts and ends with exactly what stood there."""
    span = HoleSpan(start=len(prefix), end=len(prefix) + len(hole), extent=extent)
    fill = final(
        engine,
        InfillRequest(prefix=prefix, suffix=hole + suffix, holes=(span,), limits=Limits(tokens=8)),
    )
    filled = (prefix + fill.text + suffix).encode()
    assert filled.startswith(prefix.encode())
    assert filled.endswith(suffix.encode())
    assert len(filled) == len(prefix.encode()) + len(fill.text.encode()) + len(suffix.encode())
    assert "\ufffd" not in fill.text
    if "\r" not in prefix + hole + suffix:
        assert "\r" not in fill.text


def test_what_is_encoded_ahead_is_found_by_the_request_that_needs_it(
    engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = InfillRequest(prefix="import math\n\nradius = ", suffix="\n")
    later = InfillRequest(prefix="import os\n\nfor entry in os.scandir(folder):\n    ", suffix="\n")
    expected = final(engine, later)
    engine.forget()
    tokens = build_prompt(tokenizer, later.prefix, "\n").tokens
    monkeypatch.setattr(next_windows, "prompt_once_moved", lambda *place: tokens)

    final(engine, first)
    assert not engine.encode_ahead()  # of somebody who has only begun
    final(engine, first)
    while engine.encode_ahead():
        pass
    fill = final(engine, later)

    assert fill.cache.hit_tokens == len(tokens) - 1
    assert fill.text == expected.text
