"""What is painted, frame by frame, and how long a key takes to show."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vscode.window import Window

WATCH = """() => {
  const editor = document.querySelector('.monaco-editor.focused');
  const ghosts = () => [...editor.querySelectorAll('.view-lines [class*="ghost-text"]')]
    .filter(one => one.textContent.trim() && !one.parentElement.closest('[class*="ghost-text"]'));
  const frames = [], keys = [];
  const watch = window.__watch = {frames, keys, on: true};
  addEventListener('keydown', event => {
    if (watch.on) keys.push({
      at: performance.now(), key: event.key, typed: null, grey: null,
      before: ghosts().map(one => one.textContent).join(''),
      text: editor.querySelector('.view-lines').textContent,
    });
  }, true);
  const look = () => {
    if (!watch.on) return;
    const seen = ghosts();
    const grey = seen.map(one => one.textContent).join('');
    const line = seen[0]?.closest('.view-line')?.style.top ?? null;
    const cursor = editor.querySelector('.cursors-layer .cursor')?.style.top ?? null;
    const now = performance.now();
    frames.push({at: now, grey: grey.replaceAll('\\u00a0', ' '), line, cursor});
    const last = keys.at(-1);
    const text = editor.querySelector('.view-lines').textContent;
    if (last && last.typed === null && text !== last.text) last.typed = now - last.at;
    if (last && last.grey === null && grey && grey !== last.before) last.grey = now - last.at;
    // behind the painting of this frame
    requestAnimationFrame(() => setTimeout(look, 0));
  };
  look();
}"""


@dataclass
class Watched:
    """What was seen.

    Attributes:
        frames: with the grey text, and where its line and the cursor are, as CSS writes it.
        keys: with the milliseconds until something of the text changed (``typed``), and until
            grey text came or changed (``grey``); None for never.
    """

    frames: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def watching(window: Window) -> Iterator[Watched]:
    """Look at every frame for as long as this lasts; the result is complete behind it."""
    window.page.evaluate(WATCH)
    watched = Watched()
    try:
        yield watched
    finally:
        seen = window.page.evaluate("() => { window.__watch.on = false; return window.__watch; }")
        watched.frames, watched.keys = seen["frames"], seen["keys"]
