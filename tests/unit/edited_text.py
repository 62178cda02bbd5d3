"""A text as an editor has it, which counts as was agreed with the server; slow and simple."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EditedText:
    """Text in units: UTF-16 code units as single characters, or code points.

    Attributes:
        encoding: how columns are counted.
    """

    units: str
    encoding: str

    @classmethod
    def of(cls, text: str, encoding: str) -> EditedText:
        if encoding == "utf-16":
            data = text.encode("utf-16-be", "surrogatepass")
            text = "".join(chr(data[at] << 8 | data[at + 1]) for at in range(0, len(data), 2))
        return cls(text, encoding)

    def __str__(self) -> str:
        return self.units.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def lines(self) -> list[str]:
        """Each with its break, in units."""
        lines, line, at = [], "", 0
        while at < len(self.units):
            size = 2 if self.units.startswith("\r\n", at) else 1
            piece = self.units[at : at + size]
            line += piece
            at += size
            if piece in ("\r\n", "\n", "\r"):
                lines.append(line)
                line = ""
        return [*lines, line]

    def places(self) -> list[int]:
        """Where a cursor can be: not within a line break, and not within a character."""
        return [at for at in range(len(self.units) + 1) if not self._joined(at)]

    def position(self, at: int) -> dict[str, int]:
        """A place as the protocol has it."""
        start = 0
        lines = self.lines()
        for number, line in enumerate(lines):
            if at < start + len(line) or number == len(lines) - 1:
                return {"line": number, "character": self._size(line[: at - start])}
            start += len(line)
        raise AssertionError

    def place(self, position: dict[str, int]) -> int:
        """The place that a position is exactly.

        Raises:
            LookupError: it is none.
        """
        lines = self.lines()
        if position["line"] < len(lines):
            start = sum(map(len, lines[: position["line"]]))
            visible = lines[position["line"]].rstrip("\r\n")
            for length in range(len(visible) + 1):
                exact = self._size(visible[:length]) == position["character"]
                if exact and not self._joined(start + length):
                    return start + length
        raise LookupError(f"{position} is no position in the document")

    def with_edit(self, start: int, end: int, text: str) -> EditedText:
        new = EditedText.of(text, self.encoding).units
        return EditedText(self.units[:start] + new + self.units[end:], self.encoding)

    def _joined(self, at: int) -> bool:
        if not 0 < at < len(self.units):
            return False
        left, right = self.units[at - 1], self.units[at]
        return left + right == "\r\n" or (
            "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff"
        )

    def _size(self, units: str) -> int:
        return len(units.encode("utf-8")) if self.encoding == "utf-8" else len(units)
