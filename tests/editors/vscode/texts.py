"""What the files of these tests begin with."""

CIRCLE = """\
import math


class Circle:
    def __init__(self, radius: float) -> None:
        self.radius = radius

    def area(self) -> float:
        return math.pi * self.radius ** 2

    def circumference(self) -> float:
"""

SETTINGS = '''\
import json
from pathlib import Path


def load(path: Path) -> dict:
    """Read settings from a JSON file; without one they are empty."""
    if not path.exists():
        print("nothing there")
        print("nothing there")
        print("nothing there")
    with path.open() as file:
        return json.load(file)


def save(path: Path, settings: dict) -> None:
    path.write_text(json.dumps(settings))
'''

RECTANGLE = '''\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        ...

    def perimeter(self) -> float:
        return ___
'''
