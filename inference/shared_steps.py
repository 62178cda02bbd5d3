"""Several fills at once, which share the forward passes of one model.

Each fill runs in a greenlet, which stops wherever it wants something of the model that others may
want as well. When all have stopped, what they want is computed together, and they go on. So fills
join and leave between two denoising steps, and all of it happens in one thread.

Source: iteration-level scheduling, Orca, OSDI 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Protocol

from greenlet import getcurrent, greenlet

from midfill.inference.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Kind(IntEnum):
    """What is wanted, the quickest first. Only what is of one kind is computed together."""

    HEAD = auto()
    """Tokens of states that have been computed."""
    STEP = auto()
    """A denoising step."""
    CONTEXT = auto()
    """A piece of a context, or a whole text; it takes as long as several steps."""


class Wanted(Protocol):
    """Something that a fill wants of the model."""

    @property
    def kind(self) -> Kind: ...

    def joins(self, others: Sequence[Wanted]) -> bool:
        """Whether one pass is to hold it and those: a pass takes the longer the more it holds.

        Args:
            others: what of its kind is in the pass already; at least one.
        """
        ...

    def together(self, others: Sequence[Wanted]) -> list[object]:
        """Compute it and others of its kind; the outcomes, its own first."""
        ...


@dataclass(frozen=True, slots=True)
class _Failed:
    """The outcome of what could not be computed."""

    error: Exception


class _Fill(greenlet):
    """A fill on its way.

    Attributes:
        cancelled: whether nobody waits for it any more.
        steps: whose it is.
        wanted: what it waits for; None if only for its turn.
    """

    def __init__(
        self, work: Callable[[], None], cancelled: Callable[[], bool], steps: SharedSteps
    ) -> None:
        super().__init__(work)
        self.cancelled = cancelled
        self.steps = steps
        self.wanted: Wanted | None = None

    def wait_for(self, wanted: Wanted | None) -> object:
        """From within: stop here until that has been computed."""
        self.wanted = wanted
        assert self.parent is not None
        return self.parent.switch()


def shared(wanted: Wanted) -> object:
    """Have something computed: inside a fill of `SharedSteps` along with what other fills want."""
    fill = getcurrent()
    if not isinstance(fill, _Fill):
        return wanted.together(())[0]
    outcome = fill.wait_for(wanted)
    if isinstance(outcome, _Failed):
        raise outcome.error
    return outcome


def fills_sharing() -> int:
    """How many fills there are, this one among them."""
    fill = getcurrent()
    return len(fill.steps) if isinstance(fill, _Fill) else 1


def let_others() -> None:
    """Let other fills have their turn."""
    fill = getcurrent()
    if isinstance(fill, _Fill):
        fill.wait_for(None)


class SharedSteps:
    """The fills that run at once. Used by one thread alone."""

    def __init__(self) -> None:
        self._fills: list[_Fill] = []
        self._context_is_next = False

    def __len__(self) -> int:
        return len(self._fills)

    def begin(self, work: Callable[[], None], cancelled: Callable[[], bool]) -> None:
        """Let a fill join the next round.

        Args:
            work: makes it, and raises nothing.
            cancelled: asked before anything is computed for it; then it is thrown a `Cancelled`.
        """
        self._fills.append(_Fill(work, cancelled, self))

    def advance(self) -> None:
        """One round: each fill goes on until it wants something, then some of it is computed.

        Steps and pieces of contexts take turns, so that a long context keeps nobody waiting for
        longer than a piece of it.
        """
        for fill in [*self._fills]:
            if fill.wanted is None:
                self._resume(fill, None)
        for fill in [*self._fills]:
            if fill.wanted is not None and fill.cancelled():
                self._throw(fill, Cancelled("the request was cancelled"))
        chosen = self._chosen()
        if not chosen:
            return
        self._context_is_next = chosen[0].wanted is not None and (
            chosen[0].wanted.kind is Kind.STEP
        )
        for fill, outcome in zip(chosen, _computed(chosen), strict=True):
            # Whoever was served stands behind the others from now on.
            self._fills.remove(fill)
            self._fills.append(fill)
            self._resume(fill, outcome)

    def stop(self, error: Exception | None = None) -> None:
        """Have every fill end where it is.

        Args:
            error: what those that have begun are thrown; a `Cancelled` if there is none.
        """
        for fill in [*self._fills]:
            self._throw(fill, error or Cancelled("the engine stops"))

    def _chosen(self) -> list[_Fill]:
        """Whose wishes are computed in this round."""
        by_kind: dict[Kind, list[_Fill]] = {}
        for fill in self._fills:
            if fill.wanted is not None:
                by_kind.setdefault(fill.wanted.kind, []).append(fill)
        if not by_kind:
            return []
        kind = min(by_kind)
        if self._context_is_next and Kind.CONTEXT in by_kind and kind is not Kind.HEAD:
            kind = Kind.CONTEXT
        return _joining(by_kind[kind])

    def _resume(self, fill: _Fill, outcome: object) -> None:
        fill.wanted = None
        fill.switch(*(() if not fill else (outcome,)))
        self._forget_if_done(fill)

    def _throw(self, fill: _Fill, error: Exception) -> None:
        if fill:
            fill.wanted = None
            fill.throw(error)
            self._forget_if_done(fill)
        else:  # it has not begun
            self._fills.remove(fill)

    def _forget_if_done(self, fill: _Fill) -> None:
        if fill.dead:
            self._fills.remove(fill)


def _joining(fills: Sequence[_Fill]) -> list[_Fill]:
    """The first, and those behind it up to one that does not go into the same pass."""
    chosen: list[_Fill] = []
    wanted: list[Wanted] = []
    for fill in fills:
        assert fill.wanted is not None
        if wanted and not fill.wanted.joins(wanted):
            break
        chosen.append(fill)
        wanted.append(fill.wanted)
    return chosen


def _computed(fills: Sequence[_Fill]) -> list[object]:
    """What each of them wanted. Where it fails together, each has it computed alone."""
    wanted = [fill.wanted for fill in fills if fill.wanted is not None]
    if len(wanted) > 1:
        try:
            return wanted[0].together(wanted[1:])
        except Exception:
            pass
    return [_outcome_alone(one) for one in wanted]


def _outcome_alone(wanted: Wanted) -> object:
    try:
        return wanted.together(())[0]
    except Exception as error:
        return _Failed(error)
