"""Whose request comes next: in turns between callers, the newest of a document first."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Item]):
    item: Item
    caller: str
    document: str
    number: int


@dataclass(slots=True)
class FairQueue(Generic[Item]):
    """A queue of several callers. Not thread-safe.

    Of callers who have equally little running, the one who was served longest ago is next. What
    that caller has waiting longest says which document is next, and of that document the newest
    request: of two the older one is more likely not to be wanted any more.
    """

    _entries: list[_Entry[Item]] = field(default_factory=list)
    _served: deque[str] = field(default_factory=deque)
    _numbers: Iterator[int] = field(default_factory=count)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, item: Item, caller: str = "", document: str = "") -> int:
        """Let an item wait; its number, which is higher than that of all before it.

        Args:
            caller: who asks.
            document: what it is about; without one it stands in nobody's place.
        """
        number = next(self._numbers)
        self._entries.append(_Entry(item, caller, document, number))
        return number

    def remove(self, item: Item) -> None:
        """It need not wait any more; nothing happens if it does not."""
        self._entries = [entry for entry in self._entries if entry.item is not item]

    def holds_up_to(self, number: int) -> bool:
        """Whether an item waits with that number or a lower one."""
        return any(entry.number <= number for entry in self._entries)

    def take(
        self, running: Callable[[str], int] = lambda _: 0, up_to: int | None = None
    ) -> Item | None:
        """The next item, which waits no more; None if there is none.

        Args:
            running: how many items of a caller are being worked on.
            up_to: only of those with that number or a lower one.
        """
        open_to = [it for it in self._entries if up_to is None or it.number <= up_to]
        if not open_to:
            return None
        caller = min(
            {it.caller: None for it in open_to},
            key=lambda name: (running(name), self._turn(name)),
        )
        own = [it for it in open_to if it.caller == caller]
        same = [it for it in own if it.document == own[0].document] if own[0].document else own[:1]
        chosen = same[-1]
        self._entries.remove(chosen)
        self._note_served(caller)
        return chosen.item

    def _turn(self, caller: str) -> int:
        """The lower, the longer ago it was served."""
        return self._served.index(caller) if caller in self._served else -1

    def _note_served(self, caller: str) -> None:
        """Keep the order in which callers who wait were served; others need not be known."""
        waiting = {entry.caller for entry in self._entries}
        kept: Iterable[str] = (it for it in self._served if it != caller and it in waiting)
        self._served = deque([*kept, caller])
