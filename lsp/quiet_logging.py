"""Logs that hold no source text, whatever happens.

Editors keep a server's standard error in files. What other libraries log may quote messages and
documents (pygls puts whole edits into its errors, asyncio the exceptions of lost tasks), so of
theirs only the place and the kind of exception are kept. Our own messages are kept as they are, and
the text of exceptions only where they are `MidfillError`, whose messages never quote source.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from midfill.inference.quiet_errors import describe

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

OURS = "midfill"


class QuietFormatter(logging.Formatter):
    """One line a record: time, level, where, and what may be told."""

    def format(self, record: logging.LogRecord) -> str:
        parts = [self.formatTime(record), record.levelname, record.name, _told(record)]
        if record.exc_info and (error := record.exc_info[1]):
            parts.append(f"[{describe(error)}]")
        return " ".join(parts)


class JsonFormatter(logging.Formatter):
    """The same as one JSON object a line; the figures of a record's ``fields`` stand beside."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        if fields := getattr(record, "fields", None):
            line |= fields
        else:
            line["message"] = _told(record)
        if record.exc_info and (error := record.exc_info[1]):
            line["error"] = describe(error)
        return json.dumps(line)


def set_up(stream: TextIO | None = None, *, as_json: bool = False) -> None:
    """Send all logs of this process, and what nobody catches, to standard error, quietly."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if as_json else QuietFormatter())
    handler.addFilter(_worth_telling)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)
    # pygls logs every message it sends at INFO.
    logging.getLogger("pygls").setLevel(logging.WARNING)
    # What fails to be formatted would be printed as it is.
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    logging.getLogger(OURS).critical("stopped by %s", describe(error))


def _told(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] == OURS:
        return record.getMessage()
    return f"in {record.funcName} (line {record.lineno})"


def _worth_telling(record: logging.LogRecord) -> bool:
    # Answered just before the client cancelled it: happens all day, means nothing.
    return not str(record.msg).startswith("Cancel notification for unknown message id")
