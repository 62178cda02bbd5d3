"""The end head: a logistic regression that says whether the middle ends here.

The base sees the suffix but does not stop where it begins. That the middle is complete can be read
off its state all the same, and off how likely it thinks the suffix to come next. The head looks at
both, at products of the latter, and costs next to nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from midfill.inference.ending import Bars
from midfill.inference.errors import WeightsCorrupt
from midfill.inference.models.embedded.end_features import NAMES, TokenTables, scalar_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

END_HEAD = Path(__file__).with_name("end_head.safetensors")
"""Ships with the package."""

FORMAT = "2"
FEATURES = len(NAMES) + 1
FARTHEST = 5.0
"""Standard deviations; what lies farther out counts as this far."""

_TABLES = ("breaks", "with_break", "blank", "ends")


@dataclass(frozen=True, slots=True)
class EndWeights:
    """What is learnt; all float32.

    Attributes:
        feature_mean, feature_scale: (FEATURES,), of the training data, the scalar features and
            whether the hole ends inside a line.
        state_mean, state_scale: (width,), the same of the states.
        features: (FEATURES,).
        products: (FEATURES, FEATURES), upper triangle.
        state: (width,).
        bias: ().
    """

    feature_mean: Tensor
    feature_scale: Tensor
    state_mean: Tensor
    state_scale: Tensor
    features: Tensor
    products: Tensor
    state: Tensor
    bias: Tensor

    def log_odds(self, states: Tensor, features: Tensor) -> Tensor:
        """
        Args:
            states: (n, width) float32.
            features: (n, FEATURES) float32.

        Returns:
            (n,) float32.
        """
        x = standard(features, self.feature_mean, self.feature_scale)
        s = standard(states, self.state_mean, self.state_scale)
        products = ((x @ self.products) * x).sum(-1)
        return x @ self.features + products + s @ self.state + self.bias


def standard(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """``values`` (n, inputs) in standard deviations from the mean."""
    return ((values - mean) / scale).clamp(-FARTHEST, FARTHEST)


def with_place(features: Tensor, *, in_line: bool) -> Tensor:
    """``features`` (n, len(NAMES)) and behind them whether the hole ends inside a line."""
    return torch.cat((features, features.new_full((len(features), 1), float(in_line))), dim=-1)


@dataclass(frozen=True, slots=True)
class EndHead:
    """The head, ready for use; immutable and without state of its own.

    Attributes:
        weights: what is learnt.
        tables: tokens that it has to know.
        bars: how likely an end has to be before the head's word counts.
    """

    weights: EndWeights
    tables: TokenTables
    bars: Bars

    @torch.inference_mode()
    def probability(
        self,
        known_states: Tensor,
        logits: Tensor,
        suffix_first_tokens: Sequence[int],
        *,
        in_line: bool,
    ) -> Tensor:
        """The chance that the middle ends before the token that follows each known slot.

        Args:
            known_states: (n, width), any float dtype, `CanvasPredictions.known_states`.
            logits: (n, vocab) float32, `CanvasPredictions.logits`, not constrained by healing.
            suffix_first_tokens: the suffix's first tokens as the prompt has them, at least one;
                those behind the eighth do not matter.
            in_line: whether something visible stands behind the hole on its line, to which the
                middle leads up: ``bool(around.line_after.strip())``.

        Returns:
            (n,) float32 on the CPU, each in 0 … 1.
        """
        features = scalar_features(logits.cpu(), suffix_first_tokens, self.tables)
        odds = self.weights.log_odds(
            known_states.to("cpu", torch.float32), with_place(features, in_line=in_line)
        )
        return odds.sigmoid()


def end_head_file(head: EndHead) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and metadata of a head's file."""
    tensors = {name: getattr(head.weights, name) for name in EndWeights.__dataclass_fields__}
    tensors |= {f"tokens.{name}": getattr(head.tables, name).int() for name in _TABLES}
    return tensors, {"format": FORMAT, "bars": json.dumps(asdict(head.bars))}


def read_end_head(path: Path = END_HEAD, width: int | None = None) -> EndHead:
    """Read a head's file.

    Args:
        path: the file.
        width: of the states that the head will see, if it is to be checked.

    Raises:
        WeightsCorrupt: it is missing, damaged, of another format, or for another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise WeightsCorrupt(f"the end head {path} is of another version: train it again")
            weights = EndWeights(
                **{
                    name: file.get_tensor(name).float().clone()
                    for name in EndWeights.__dataclass_fields__
                }
            )
            tables = TokenTables(
                **{name: file.get_tensor(f"tokens.{name}").long() for name in _TABLES}
            )
            found = json.loads(metadata["bars"])
            bars = Bars(float(found["sure"]), int(found["patience"]), float(found["possible"]))
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise WeightsCorrupt(f"the end head {path} cannot be read ({error})") from None
    if (width is not None and weights.state.shape[0] != width) or (
        weights.features.shape[0] != FEATURES
    ):
        raise WeightsCorrupt(f"the end head {path} is for another model: train it again")
    return EndHead(weights, tables, bars)
