"""The way to the right length that a model's options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midfill.inference.errors import UsageError
from midfill.inference.in_place.lengths.calibrated_search import CalibratedSearch
from midfill.inference.in_place.lengths.end_of_middle import EndOfMiddle
from midfill.inference.in_place.lengths.expand_delete import ExpandDelete
from midfill.inference.in_place.lengths.fixed import FixedLength
from midfill.inference.models.options import Length

if TYPE_CHECKING:
    from midfill.inference.in_place.lengths.control import LengthControl
    from midfill.inference.models.absorbing.special_tokens import SpecialTokens
    from midfill.inference.models.options import Options


def length_control(options: Options, taught: Length, tokens: SpecialTokens) -> LengthControl:
    """A length control for one fill.

    Args:
        options: the model's; `Length.AUTO` takes what it was taught.
        taught: what that is.
        tokens: the model's.

    Raises:
        UsageError: the model has no tokens for the way that was asked for.
    """
    wanted = taught if options.length is Length.AUTO else options.length
    control = frozenset(
        token for token in (tokens.end, tokens.expand, tokens.delete) if token is not None
    )
    match wanted:
        case Length.FIXED:
            return FixedLength(control_tokens=control)
        case Length.END_OF_MIDDLE:
            return EndOfMiddle(tokens.end, unwanted=control - {tokens.end})
        case Length.EXPAND_DELETE:
            if tokens.expand is None or tokens.delete is None:
                raise UsageError(
                    "model option length=expand-delete: this model has no tokens for it; "
                    "length=search works with every model"
                )
            delete = tokens.delete
            return ExpandDelete(tokens.expand, delete, unwanted=control - {tokens.expand, delete})
        case _:
            return CalibratedSearch(longest=options.canvas, control_tokens=control)
