"""Text and its UTF-8 form."""

from __future__ import annotations

from midfill.inference.errors import InvalidText


def need_utf8(*texts: str) -> None:
    """Make sure that texts have a UTF-8 form.

    Raises:
        InvalidText: one holds a lone surrogate.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidText(
                f"the text holds a lone surrogate at character {error.start}, "
                "which has no UTF-8 form; remove it"
            ) from None


def whole_text(data: bytes) -> str:
    """What ``data`` says, as far as it is valid UTF-8.

    A character whose last bytes are still to come is left out, and so is everything behind bytes
    that can never become one.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start].decode()
