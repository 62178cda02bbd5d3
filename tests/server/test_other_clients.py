"""What clients announce and ask: the server answers what these say they can do.

What Sublime Text's LSP package and kakoune-lsp announce was read in their sources, as far as it
matters to this server; what Zed and LSP4IJ do, in their documentation. tests/editors runs the code
of three of them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

if TYPE_CHECKING:
    from pathlib import Path

    from editor import Editor

URI = "file:///rectangle.py"

BEFORE = '''\
class Rectangle:
    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        """The product of the two sides."""
        '''
LINE = "area = '𝄞'; return self.wi"
"""The sign is a character, two units of UTF-16 and four of UTF-8."""

AFTER = "\n\n    def perimeter(self) -> float:\n        return 2 * (self.width + self.height)\n"

INDENT = 8


@dataclass(frozen=True)
class Client:
    """A client.

    Attributes:
        encodings: of positions, best first; None if it does not say.
        dynamic: it can be asked to tell of changed settings.
        settings: what it answers when it is asked for ``midfill``.
        options: its ``initializationOptions``.
    """

    encodings: tuple[str, ...] | None = None
    inline: bool = False
    dynamic: bool = False
    settings: Any = None
    options: Any = None

    @property
    def able(self) -> types.ClientCapabilities:
        encodings = self.encodings and [types.PositionEncodingKind(name) for name in self.encodings]
        return types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=encodings or None),
            text_document=types.TextDocumentClientCapabilities(
                completion=types.CompletionClientCapabilities(context_support=self.inline),
                inline_completion=types.InlineCompletionClientCapabilities()
                if self.inline
                else None,
            ),
            window=types.WindowClientCapabilities(work_done_progress=True),
            workspace=types.WorkspaceClientCapabilities(
                configuration=True,
                apply_edit=True,
                did_change_configuration=types.DidChangeConfigurationClientCapabilities(
                    self.dynamic
                ),
            ),
        )

    @property
    def character(self) -> int:
        """Where the line ends, as the server and the client count."""
        unit = (self.encodings or ("utf-16",))[0]
        width = {"utf-8": 1, "utf-16": 2}[unit]
        return INDENT + len(LINE.encode(unit if unit == "utf-8" else "utf-16-le")) // width


OPTIONS = {"completion": True}
SUBLIME = Client(("utf-16",), dynamic=True, options=OPTIONS)
ZED = Client(("utf-16",), dynamic=True, options=OPTIONS)
KAKOUNE = Client(settings=OPTIONS, options=OPTIONS)
LSP4IJ = Client(inline=True)
HELIX = Client(("utf-8", "utf-32", "utf-16"), options=OPTIONS)


async def opened(editor: Editor, client: Client) -> types.InitializeResult:
    """Start the server for a client and open the rectangle."""
    editor.configuration = {"": client.settings}
    result = await editor.open_window(able=client.able, options=client.options)
    await editor.ready()
    editor.show(URI, BEFORE + LINE + AFTER)
    return result


@pytest.mark.parametrize("client", [SUBLIME, ZED, KAKOUNE, HELIX])
async def test_a_client_with_a_completion_list_alone_gets_an_entry_that_fits(
    own_engine: Path, new_editor: Editor, client: Client
) -> None:
    result = await opened(new_editor, client)
    assert result.capabilities.completion_provider is not None
    where = types.Position(BEFORE.count("\n"), client.character)
    for _ in range(20):
        answer = await new_editor.text_document_completion_async(
            types.CompletionParams(types.TextDocumentIdentifier(URI), where)
        )
        assert isinstance(answer, types.CompletionList)
        if answer.items:
            break
        await asyncio.sleep(0.1)
    [item] = answer.items
    assert isinstance(item.text_edit, types.TextEdit)
    assert item.text_edit.new_text == "width * self.height"
    start = types.Position(where.line, where.character - len("wi"))
    assert item.text_edit.range == types.Range(start, where)
    assert item.filter_text == "width * self.height"
    assert item.insert_text_format is types.InsertTextFormat.PlainText
    assert not new_editor.shown


async def test_a_client_with_inline_completion_needs_no_settings(
    own_engine: Path, new_editor: Editor
) -> None:
    result = await opened(new_editor, LSP4IJ)
    assert result.capabilities.inline_completion_provider is not None
    assert result.capabilities.completion_provider is None
    item = await new_editor.suggestion(URI, BEFORE.count("\n"), LSP4IJ.character)
    assert item.insert_text == "dth * self.height"


async def test_a_client_that_announces_nothing_is_answered(
    own_engine: Path, new_editor: Editor
) -> None:
    result = await new_editor.open_window(able=types.ClientCapabilities(), options=None)
    assert result.capabilities.position_encoding == types.PositionEncodingKind.Utf16
    new_editor.show(URI, BEFORE)
    answer = await new_editor.ask(URI, 0, 0)
    assert answer is not None
    assert not answer.items
