"""The base model's own greedy text behind a prompt, written no further than it is asked for."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from midfill.inference.choosing import choose_greedily
from midfill.inference.denoising import denoise
from midfill.inference.evaluation.problems import Filled
from midfill.inference.healing import Healing
from midfill.inference.wire import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from midfill.inference.models.loading import LoadedModel

_CHUNK = 256
_ROOM = 160


class GreedyText:
    """Tokens with their log-probabilities, and after which step each was there.

    What is guessed changes the number of steps, and nothing of the text.

    Attributes:
        tokens, log_probabilities: as far as they are written.
    """

    def __init__(self, loaded: LoadedModel, prompt: Sequence[int], owed: bytes = b"") -> None:
        """Takes the model, the context's ids (at least one), and what has to be written again."""
        self._loaded, self._owed = loaded, owed
        self.tokens: list[int] = []
        self.log_probabilities: list[float] = []
        self._behind_step: list[int] = []
        self._ms: list[float] = []
        self._accepted: list[int | None] = []
        self._spent = 0.0
        self._held = 0
        started = monotonic()
        cache = loaded.model.new_cache(len(prompt) + _ROOM)
        while len(prompt) - len(cache) > _CHUNK:
            loaded.model.encode(prompt[len(cache) : len(cache) + _CHUNK], cache)
        self._steps = iter(
            denoise(
                loaded.model,
                cache,
                prompt[len(cache) :],
                choose=choose_greedily,
                healing=Healing(loaded.vocabulary, owed),
                masks=loaded.masks,
            )
        )
        self._spent = monotonic() - started

    def reach(self, count: int) -> None:
        """Write until there are ``count`` tokens."""
        while len(self.tokens) < count:
            started = monotonic()
            step = next(self._steps)
            self._spent += monotonic() - started
            self.tokens += step.tokens
            self.log_probabilities += step.log_probabilities
            self._accepted.append(len(step.tokens) - 1 if self._held else None)
            self._held = len(step.guesses)
            self._behind_step.append(len(self.tokens))
            self._ms.append(1e3 * self._spent)

    def ends_at(self, count: int) -> bool:
        """Whether the ``count``-th token stands for no text, and so ends it."""
        self.reach(count)
        return not self._loaded.vocabulary.bytes_of(self.tokens[count - 1])

    def text(self, count: int) -> str:
        """The text of the first ``count`` tokens, without what had to be written again."""
        self.reach(count)
        written = b"".join(map(self._loaded.vocabulary.bytes_of, self.tokens[:count]))
        return written[len(self._owed) :].decode(errors="ignore")

    def steps(self, count: int) -> int:
        """Steps that it took to write ``count`` tokens."""
        self.reach(count)
        return 1 + next(i for i, behind in enumerate(self._behind_step) if behind >= count)

    def accepted(self, count: int) -> tuple[int, ...]:
        """For each of these steps that had guesses to verify, how many held."""
        steps = self._accepted[: self.steps(count)]
        return tuple(number for number in steps if number is not None)

    def filled(self, count: int, text: str, stop: str) -> Filled:
        """A fill of the first ``count`` tokens."""
        self.reach(count)
        return Filled(
            text=text,
            tokens=count,
            steps=self.steps(count),
            ms=self._ms[self.steps(count) - 1],
            log_probabilities=tuple(self.log_probabilities[:count]),
            stop=stop,
            accepted=self.accepted(count),
        )

    def until(self, limit: int, find_end: Callable[[str], tuple[int, Stop] | None]) -> Filled:
        """Write to an end token, to where ``find_end`` sees an end, or to ``limit`` tokens."""
        for count in range(1, limit + 1):
            if self.ends_at(count):
                return self.filled(count, self.text(count - 1), Stop.END_TOKEN)
            text = self.text(count)
            if ending := find_end(text):
                at, stop = ending
                return self.filled(count, text[:at], stop)
        return self.filled(limit, self.text(limit), Stop.TOKEN_LIMIT)
