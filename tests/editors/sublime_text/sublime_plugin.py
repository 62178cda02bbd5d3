"""A stand-in for Sublime Text's module of this name; see `sublime`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sublime import Buffer, View, Window

view_event_listeners: dict[int, list[ViewEventListener]] = {}


class Command:
    def is_enabled(self) -> bool:
        return True


class ApplicationCommand(Command): ...


class WindowCommand(Command):
    def __init__(self, window: Window) -> None:
        self.window = window


class TextCommand(Command):
    def __init__(self, view: View) -> None:
        self.view = view


class EventListener: ...


class ViewEventListener:
    def __init__(self, view: View) -> None:
        self.view = view


class TextChangeListener:
    def attach(self, buffer: Buffer) -> None:
        self.buffer = buffer
        buffer.primary_view().change_listener = self

    def detach(self) -> None:
        self.buffer.primary_view().change_listener = None


class CommandInputHandler: ...


class TextInputHandler(CommandInputHandler): ...


class ListInputHandler(CommandInputHandler): ...


def text_commands() -> dict[str, Any]:
    """The commands of all packages by the names that Sublime Text gives them."""
    found, todo = {}, [TextCommand]
    while todo:
        kind = todo.pop()
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Command")).lower()
        found[name] = kind
        todo += kind.__subclasses__()
    return found
