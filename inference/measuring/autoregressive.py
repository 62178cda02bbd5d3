"""A model that writes token after token, to be compared with.

It is run by `transformers` as it is, without graphs, and greedily. Where its tokenizer has markers
for filling in the middle it sees both sides, else the prefix alone.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from midfill.inference.fillers.hole_text import hole_text
from midfill.inference.measuring.contender import TimedFill
from midfill.inference.memory_errors import memory_errors
from midfill.inference.prefix_window import CHARACTERS_PER_TOKEN, prefix_window_start
from midfill.inference.vllm.markers import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

    from midfill.inference.models.hub_tokenizer import HubTokenizer
    from midfill.inference.models.options import Options
    from midfill.inference.vllm.markers import FimFamily
    from midfill.inference.wire import InfillRequest


class Autoregressive:
    """A `Contender`: writes exactly as many tokens as it is told to.

    Kept of the fill before are the keys and values of everything that both prompts begin with.

    Args:
        model: a ``…ForCausalLM`` of `transformers`.
        tokenizer: its own.
        begin: tokens in front of every prompt.
        options: how much text it reads.
        name: the model's.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: HubTokenizer,
        begin: Sequence[int],
        options: Options,
        name: str,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._begin = begin
        self._options = options
        self._family = family_of(tokenizer)
        self._name = name
        self._cache: DynamicCache | None = None
        self._cached: list[int] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def fills_in_the_middle(self) -> bool:
        """Whether it is shown the text behind the hole."""
        return self._family is not None

    def forget(self) -> None:
        self._cache, self._cached = None, []

    def fill(self, request: InfillRequest, tokens: int) -> TimedFill:
        with memory_errors():
            return self._fill(request, max(1, tokens))

    @torch.inference_mode()
    def _fill(self, request: InfillRequest, tokens: int) -> TimedFill:
        started = perf_counter()
        prompt = self.prompt(request)
        cache, known = self._kept(prompt)
        written = [self._next(prompt[known:], cache)]
        self._wait()
        first_at = perf_counter()
        while len(written) < tokens:
            written.append(self._next(written[-1], cache))
        ids: list[int] = torch.cat(written).tolist()
        ended = perf_counter()
        self._cache, self._cached = cache, [*prompt, *ids[:-1]]
        each = ((ended - first_at) / (tokens - 1),) if tokens > 1 else ()
        return TimedFill(ended - started, len(ids), tokens, each)

    def prompt(self, request: InfillRequest) -> list[int]:
        """The token ids that it is given."""
        text, encode, options = hole_text(request), self._tokenizer.encode, self._options
        start = prefix_window_start(self._tokenizer, text.prefix, options.prefix_tokens)
        before = text.prefix[start:]
        family = self._family
        if family is None:
            return [*self._begin, *encode(before)]
        if family.prefix_spaced:
            before = f" {before}"
        behind = encode(text.suffix[: options.suffix_tokens * CHARACTERS_PER_TOKEN])
        behind = behind[: options.suffix_tokens]
        pre, suf, mid = (
            [self._tokenizer.special(marker)] if marker else []
            for marker in (family.prefix, family.suffix, family.middle)
        )
        if not family.middle:
            around = [*suf, *behind, *pre, *encode(before)]
        elif family.suffix_first:
            around = [*pre, *suf, *behind, *mid, *encode(before)]
        else:
            around = [*pre, *encode(before), *suf, *behind, *mid]
        return [*self._begin, *(token for token in around if token is not None)]

    def _kept(self, prompt: Sequence[int]) -> tuple[DynamicCache, int]:
        """A cache with the beginning of a prompt, and how much of it; never all of it."""
        known = 0
        for ours, theirs in zip(self._cached, prompt[:-1], strict=False):
            if ours != theirs:
                break
            known += 1
        cache = self._cache
        if cache is None or not known or not all(map(_can_be_cut, cache.layers)):
            return DynamicCache(config=self._model.config), 0
        if stale := len(self._cached) - known:
            cache.crop(-stale)
        return cache, known

    def _next(self, tokens: Sequence[int] | Tensor, cache: DynamicCache) -> Tensor:
        """The most probable next token, (1,) long, on the device."""
        ids = torch.as_tensor(tokens, device=self._model.device)[None]
        output: Any = self._model(input_ids=ids, cache=cache, use_cache=True, logits_to_keep=1)
        best: Tensor = output.logits[0, -1:].argmax(-1)
        return best

    def _wait(self) -> None:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)


def family_of(tokenizer: HubTokenizer) -> FimFamily | None:
    """The markers for filling in the middle that a tokenizer has; None if it has none."""
    return next(
        (
            family
            for family in FAMILIES
            if all(tokenizer.special(marker) is not None for marker in family.needed)
        ),
        None,
    )


def _can_be_cut(layer: object) -> bool:
    """A layer that sees a window has let go of what stood before it."""
    return isinstance(layer, DynamicLayer) and not isinstance(layer, DynamicSlidingWindowLayer)
