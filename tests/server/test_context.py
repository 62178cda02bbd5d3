"""What other files give to a prompt, by the real server with the real model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from editor import Editor

SHAPES = "def area_of_rectangle(width: float, height: float) -> float:\n    return width * height\n"
MAIN = "from shapes import area_of_rectangle\n\n\ndef main() -> None:\n    print("
AT = {"line": 4, "character": 10}


async def prompt_with(editor: Editor, uri: str, wanted: str) -> str:
    """The prompt once something is in it, or as it is after some time."""
    page: Any = None
    for _ in range(20):
        page = await editor.run_command("midfill.showPrompt", uri, AT)
        if page and wanted in page:
            break
        await asyncio.sleep(0.3)
    assert isinstance(page, str)
    return page


async def test_the_prompt_shows_definitions_behind_imports_if_they_are_wanted(
    new_editor: Editor, tmp_path: Path
) -> None:
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "main.py").write_text(MAIN)
    await new_editor.open_window(folder=tmp_path, options={"contextTokens": 256})
    await new_editor.ready()
    uri = (tmp_path / "main.py").as_uri()
    new_editor.show(uri, MAIN)
    page = await prompt_with(new_editor, uri, "shapes.py")
    assert "def area_of_rectangle(width: float, height: float) -> float" in page
    assert "    print" in page
    assert "Taken back: `(`" in page


async def test_nothing_of_an_excluded_file_becomes_context(
    new_editor: Editor, tmp_path: Path
) -> None:
    (tmp_path / "shapes.py").write_text(SHAPES)
    (tmp_path / "other.py").write_text("def unit() -> float: ...\n")
    (tmp_path / ".midfillignore").write_text("shapes.py\n")
    text = "from other import unit\n" + MAIN
    await new_editor.open_window(folder=tmp_path, options={"contextTokens": 256})
    await new_editor.ready()
    uri = (tmp_path / "main.py").as_uri()
    new_editor.show(uri, text)
    new_editor.show((tmp_path / "shapes.py").as_uri(), SHAPES)
    page = await prompt_with(new_editor, uri, "other.py")
    assert "def unit" in page
    assert "width" not in page


async def test_without_a_budget_a_prompt_has_the_document_alone(
    new_editor: Editor, tmp_path: Path
) -> None:
    (tmp_path / "shapes.py").write_text(SHAPES)
    await new_editor.open_window(folder=tmp_path)
    await new_editor.ready()
    uri = (tmp_path / "main.py").as_uri()
    new_editor.show(uri, MAIN)
    page: Any = await new_editor.run_command("midfill.showPrompt", uri, AT)
    assert "    print" in page
    assert "width" not in page
    refused = await new_editor.run_command("midfill.showPrompt", "file:///nowhere.py", AT)
    assert refused is None
    assert any("not opened" in said for said in new_editor.shown)


async def test_a_copy_counts_only_where_it_is_switched_on(
    new_editor: Editor, tmp_path: Path
) -> None:
    options = {"contextTokens": 256, "contextClipboard": True}
    await new_editor.open_window(folder=tmp_path, options=options)
    await new_editor.ready()
    uri = (tmp_path / "main.py").as_uri()
    copied = {"text": "def volume_of_box(width, height, depth):\n    ...\n"}
    new_editor.protocol.notify("midfill/didCopy", copied)
    new_editor.protocol.notify("midfill/didCopy", {"nothing": 1})
    new_editor.show(uri, MAIN)
    new_editor.protocol.notify("midfill/didCopy", copied)
    page = await prompt_with(new_editor, uri, "volume_of_box")
    assert "volume_of_box" in page
