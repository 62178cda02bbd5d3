"""What the tests of editors in a terminal type, and where."""

from __future__ import annotations

RECTANGLE = '''\
class Rectangle:
    """A rectangle."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        return\x20

    def perimeter(self) -> float:
        return 2 * (self.width + self.height)
'''

LINE = 10
"""The line that ends in the middle, counted from 1."""

TYPED = "self.wi"
REST = "dth * self.height"
"""What the embedded model suggests behind it."""

FILLED = RECTANGLE.replace("return \n", f"return {TYPED}{REST}\n")
