"""Whether text is kept anywhere in what can be reached from an object."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

_LEADS_NOWHERE = (type, ModuleType, FunctionType)


def reachable_matches(
    start: object, pattern: re.Pattern[str], besides: Iterable[object] = ()
) -> dict[str, str]:
    """What a pattern finds in strings and bytes that hang on an object.

    Args:
        besides: objects that are not looked into, as those of the test.

    Returns:
        for each match the types of the objects that lead there.
    """
    found: dict[str, str] = {}
    seen = {id(one): None for one in besides}
    pending: list[tuple[object, int | None]] = [(start, None)]
    led: dict[int, tuple[str, int | None]] = {}
    alive = []  # an id is one object's as long as that lives
    while pending:
        one, parent = pending.pop()
        if id(one) in seen or id(one) in led or isinstance(one, _LEADS_NOWHERE):
            continue
        led[id(one)] = (type(one).__name__, parent)
        alive.append(one)
        if isinstance(one, str | bytes | bytearray):
            text = one if isinstance(one, str) else one.decode("utf-8", "replace")
            for match in pattern.findall(text):
                found.setdefault(match, _way(led, id(one)))
        else:
            pending += [(inner, id(one)) for inner in gc.get_referents(one)]
    return found


def _way(led: dict[int, tuple[str, int | None]], at: int | None) -> str:
    names = []
    while at is not None:
        name, at = led[at]
        names.append(name)
    return " > ".join(reversed(names))
