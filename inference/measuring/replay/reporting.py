"""From what was measured to a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.measuring.replay.comparing import Comparison, compare, figures
from midfill.inference.measuring.replay.report import Sample, VsLlamaCpp, WriterFigures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from midfill.inference.measuring.replay.replaying import Replay
    from midfill.inference.measuring.replay.writer import Writer


def writer_figures(
    writers: Sequence[Writer], found: Replay, loads: Mapping[str, float]
) -> tuple[WriterFigures, ...]:
    """Each writer's own figures; ``loads`` has seconds by name."""
    return tuple(
        WriterFigures(
            writer.name,
            writer.about,
            loads.get(writer.name),
            figures(found.answers[writer.name]),
            found.failures.get(writer.name, ""),
        )
        for writer in writers
    )


def comparisons(writers: Sequence[Writer], found: Replay) -> tuple[Comparison, ...]:
    """Of all others with the first one, as far as they came."""
    ours, *others = writers
    return tuple(
        compare(other.name, found.answers[ours.name], found.answers[other.name])
        for other in others
        if found.answers[other.name]
    )


def vs_llama_cpp(
    found: Sequence[Comparison], quantisations: Mapping[str, str]
) -> VsLlamaCpp | None:
    """Ours next to the llama.cpp that fares best at the same text.

    Args:
        found: all comparisons.
        quantisations: of those that run the same weights in llama.cpp, by name.
    """
    rivals = [
        (one.other, one.same_text, one.all)
        for one in found
        if one.other in quantisations and one.same_text and one.all
    ]
    if not rivals:
        return None
    name, same, everything = min(rivals, key=lambda rival: rival[1].speedup)
    return VsLlamaCpp(
        name,
        quantisations[name],
        same.speedup,
        same.low,
        same.high,
        same.ours_ms,
        same.theirs_ms,
        same.n,
        everything,
    )


def samples(found: Replay) -> tuple[Sample, ...]:
    """Every suggestion, in the order of the requests of each writer."""
    return tuple(
        Sample(
            name,
            key.line,
            found.lines[key.line].lines,
            key.typed,
            key.moment,
            answer.held,
            answer.written.ms,
            answer.written.tokens,
            answer.written.steps,
            answer.written.step_tokens,
        )
        for name, answers in found.answers.items()
        for key, answer in answers.items()
    )
