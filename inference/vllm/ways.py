"""How a hole is put to a server: what it has, what the user wants, and what fits together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.models.options import SuffixView
from midfill.inference.vllm.fim_prompt import fim_prompt
from midfill.inference.vllm.layout import Budget
from midfill.inference.vllm.turn_prompt import turn_prompt

if TYPE_CHECKING:
    from midfill.inference.fillers.hole_text import HoleText
    from midfill.inference.models.options import Options
    from midfill.inference.vllm.abilities import Abilities
    from midfill.inference.vllm.client import Client
    from midfill.inference.vllm.layout import Layout
    from midfill.inference.vllm.patience import Patience
    from midfill.inference.wire import Extent, InfillRequest

TEMPLATE_TOKENS = 128
"""Room for markers and instructions."""

NEEDS_CANVAS = {"canvas", "steps"}
KNOWN = {"suffix", "prefix_tokens", "suffix_tokens", "temperature", "top_p", *NEEDS_CANVAS}
"""Options that a server can be asked for; the others are settings of models in memory."""


@dataclass(frozen=True, slots=True)
class Server:
    """A served model, and how it is to fill.

    Attributes:
        client: talks to the server.
        abilities: what it has.
        options: the user's.
        canvas: slots at most; 0 where slots cannot be pinned.
    """

    client: Client
    abilities: Abilities
    options: Options
    canvas: int

    def view(self, extent: Extent) -> SuffixView:
        """How the model gets to see the suffix.

        By default as its family was trained. A diffusion model sees it in the prompt, which has it
        answer as it was trained to, and also in pinned slots, which the middle has to lead up to,
        where the middle is short enough for its length to be tried out.
        """
        if self.options.suffix is not None:
            return self.options.suffix
        return SuffixView.BOTH if self.canvas and not extent.several_lines else SuffixView.PROMPT

    def layout(
        self,
        request: InfillRequest,
        text: HoleText,
        view: SuffixView,
        patience: Patience,
    ) -> Layout:
        """The prompt of a request."""
        abilities = self.abilities
        room = abilities.max_model_len - TEMPLATE_TOKENS - max(request.limits.tokens, self.canvas)
        if room < TEMPLATE_TOKENS:
            raise UsageError(
                f"the model {abilities.model!r} at {self.client.host} has a context of "
                f"{abilities.max_model_len} tokens, too few for {request.limits.tokens} new ones: "
                "lower the limit on tokens, or raise --max-model-len"
            )
        budget = Budget.within(room, self.options.prefix_tokens, self.options.suffix_tokens)
        tokenizer = abilities.tokenizer
        if abilities.family is not None and view is SuffixView.PROMPT:
            return fim_prompt(tokenizer, abilities.family, text, request.context, budget, patience)
        return turn_prompt(tokenizer, view, text, request.context, budget, patience)

    def with_canvas(self, canvas: int) -> Server:
        return replace(self, canvas=canvas)


def server_of(client: Client, abilities: Abilities, options: Options) -> Server:
    """What fits together.

    Raises:
        UsageError: an option that this server cannot follow.
    """
    given = options.model_fields_set
    if unknown := sorted(given - KNOWN):
        raise UsageError(
            f"the model option {unknown[0].replace('_', '-')} is for models in memory; a vLLM "
            "server is started with settings of its own: leave it out"
        )
    if not abilities.canvas:
        if options.suffix in (SuffixView.PINNED, SuffixView.BOTH):
            raise UsageError(
                f"the vLLM server at {client.host} does not hold pinned slots: use suffix=prompt, "
                "or serve DiffusionGemma with a vLLM that takes diffusion_pinned and a "
                "canvas_length of at least 16"
            )
        if needless := sorted(given & NEEDS_CANVAS):
            raise UsageError(
                f"the model option {needless[0]} is for canvases, which the vLLM server at "
                f"{client.host} does not take from outside: leave it out"
            )
    elif "temperature" in given:
        raise UsageError(
            "the model option temperature has no effect on a diffusion model that vLLM serves, "
            "whose generation config sets it: leave it out"
        )
    return Server(client, abilities, options, abilities.canvas)
