"""How this model denoises: as it is published, except where the user's options say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.models.options import Length, Options, SlotScore, SuffixView
from midfill.inference.samplers.build import sampler_of
from midfill.inference.samplers.entropy_bound import EntropyBound
from midfill.inference.uniform.denoising import DenoisingRule
from midfill.inference.uniform.schedule import LinearTemperature
from midfill.inference.uniform.stopping import StableAndConfident

if TYPE_CHECKING:
    from transformers import DiffusionGemmaGenerationConfig

    from midfill.inference.samplers.sampler import Sampler

USELESS = {
    "top_p": "it samples from the whole distribution",
    "cache": "its context is kept exactly, without choice",
    "block": "it denoises the whole canvas at once",
    "ahead": "it denoises the whole canvas at once",
}
"""Options that other models have, and why this one has not."""


def refuse_useless(options: Options) -> None:
    """Refuse what this model cannot be told.

    Raises:
        UsageError: an option is set to something that would have no effect.
    """
    for name, reason in USELESS.items():
        if getattr(options, name) != Options.model_fields[name].default:
            raise UsageError(f"DiffusionGemma takes no option {name.replace('_', '-')}: {reason}")
    if options.length in (Length.END_OF_MIDDLE, Length.EXPAND_DELETE):
        raise UsageError(
            f"DiffusionGemma was not taught length={options.length}; it takes auto, fixed or search"
        )
    view = options.suffix or SuffixView.PROMPT
    if view is SuffixView.PROMPT and options.length is not Length.AUTO:
        raise UsageError(
            "with suffix=prompt, the default, the answer says where it ends: leave out "
            f"length={options.length}, or pin the suffix with suffix=pinned"
        )
    if view is not SuffixView.PROMPT and not options.suffix_tokens:
        raise UsageError(
            f"with suffix={view} there has to be something to pin: ask for more than "
            "suffix-tokens=0, or for suffix=prompt"
        )


def denoising_rule(published: DiffusionGemmaGenerationConfig, options: Options) -> DenoisingRule:
    """The rule for a model's published generation settings and the user's options.

    A temperature is what the schedule begins at; 0 takes the most probable tokens, and measures how
    sure the model is as the published schedule does.

    Raises:
        UsageError: the sampler takes no such threshold.
    """
    usual = DenoisingRule()
    first, last = published.t_max, published.t_min
    schedule = LinearTemperature(
        usual.temperature.first if first is None else first,
        usual.temperature.last if last is None else last,
    )
    bound = published.sampler_config
    return DenoisingRule(
        steps=options.steps or published.max_denoising_steps or usual.steps,
        temperature=schedule.beginning_at(options.temperature) if options.temperature else schedule,
        sampler=_sampler(options, EntropyBound().bound if bound is None else bound.entropy_bound),
        stopping=_stopping(published, usual.stopping),
        greedy=options.temperature == 0,
    )


def _stopping(
    published: DiffusionGemmaGenerationConfig, usual: StableAndConfident
) -> StableAndConfident:
    stability, confidence = published.stability_threshold, published.confidence_threshold
    return StableAndConfident(
        usual.stability if stability is None else stability,
        usual.confidence if confidence is None else confidence,
    )


def _sampler(options: Options, bound: float) -> Sampler:
    """The sampler asked for; else the published one with its published bound."""
    if "sampler" in options.model_fields_set:
        return sampler_of(options)
    threshold = bound if options.threshold is None else options.threshold
    return sampler_of(
        options.model_copy(update={"sampler": SlotScore.ENTROPY_BOUND, "threshold": threshold})
    )
