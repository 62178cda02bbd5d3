"""Lines that stand behind the hole already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.postprocess.around import Drop

if TYPE_CHECKING:
    from midfill.inference.postprocess.around import Around

MEANINGFUL = 3
"""A single repeated line of fewer characters, such as a bracket, may well be meant."""


def without_repeated_suffix(fill: str, around: Around) -> str | Drop:
    """The fill without a tail that says again what the lines behind the hole say."""
    lines = fill.rstrip().split("\n")
    following = around.next_lines
    own_line_goes_on = bool(around.after.partition("\n")[0].strip())
    if own_line_goes_on or not following:
        return fill
    visible = [number for number, line in enumerate(lines) if line.strip()]
    for count in range(min(len(visible), len(following)), 0, -1):
        tail = visible[-count:]
        said = [lines[number].strip() for number in tail]
        if said != following[:count] or len("".join(said)) < MEANINGFUL:
            continue
        if tail[0] == 0 and around.before.rpartition("\n")[2].strip():
            continue  # the first line only ends one that began otherwise
        kept = "\n".join(lines[: tail[0]]).rstrip()
        return kept if kept.strip() else Drop.ECHO
    return fill
