"""The server's state, which all handlers are given."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from midfill.inference.exclusion.policy import ExclusionPolicy
from midfill.inference.quiet_errors import describe
from midfill.inference.version import version
from midfill.lsp.activity import Activity
from midfill.lsp.documents import DocumentStore
from midfill.lsp.protocol import MidfillProtocol
from midfill.lsp.settings_store import SettingsStore

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from midfill.lsp.acceptance.journal import Journal
    from midfill.lsp.context_feed import ContextFeed
    from midfill.lsp.engine_link import EngineLink
    from midfill.lsp.snapshot import Snapshot
    from midfill.lsp.status import StatusReporter
    from midfill.lsp.suggestions import Suggestions

log = logging.getLogger(__name__)

EVERY_NOTEBOOK = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithNotebook(notebook="*")]
)
"""Without it editors send the cells as documents, and nobody knows in which order they stand."""


class MidfillServer(LanguageServer):
    """The server's state: its settings, and what it has once the engine's side is loaded."""

    protocol: MidfillProtocol

    def __init__(self) -> None:
        # One worker is taken up by reading standard input.
        super().__init__(
            "midfill",
            version(),
            notebook_document_sync=EVERY_NOTEBOOK,
            protocol_cls=MidfillProtocol,
            max_workers=2,
        )
        self.settings = SettingsStore(self.warn)
        self.suggestions: Suggestions | None = None
        self.link: EngineLink | None = None
        self.endpoint = ""
        self.status: StatusReporter | None = None
        self.context: ContextFeed | None = None
        self.journal: Journal | None = None
        self.last_asked: str | None = None
        self.last_position = types.Position(0, 0)
        self.offer_completion: Callable[[], None] = lambda: None
        self.switch_on: Callable[[], None] = lambda: None
        self.starting: asyncio.Task[None] | None = None
        self.end_of_snooze: asyncio.TimerHandle | None = None
        self._told_of_model = ""

    @property
    def documents(self) -> DocumentStore:
        """The open documents.

        Raises:
            RuntimeError: the client has not initialized the server.
        """
        store = self.workspace
        assert isinstance(store, DocumentStore)
        return store

    def hear_options(self, options: object) -> None:
        """Go by what the client wants, before it is told what it can have."""
        self.settings.start_with(options)
        if self.settings.everywhere.completion:
            self.offer_completion()

    def exclusion_policy(self) -> ExclusionPolicy:
        """What the settings and the files of the workspace say is never to be seen."""
        return ExclusionPolicy(self.settings.everywhere.exclusion, self.warn)

    def text_let_go(self, uri: str) -> None:
        """A document whose text was here, and may have been sent, must not be seen any more."""
        self.withheld([uri])
        if self.link:
            self.link.ask_to_forget()

    def settings_changed(self) -> None:
        """Go by the settings as they are now; what they exclude by now is let go."""
        wanted = self.settings.everywhere
        if wanted.enabled and self.link is None:
            self.switch_on()
        if wanted.exclusion != self.documents.policy.rules:
            self.withheld(self.documents.go_by(self.exclusion_policy()))
        if self.context:
            self.context.go_by(wanted)
        if self.journal:
            self.journal.switch(wanted=wanted.statistics)
        if self.link and wanted.model != self.link.model and wanted.model != self._told_of_model:
            self._told_of_model = wanted.model
            self.warn(f"midfill.model is {wanted.model} from the next start of the server.")
        if self.link and wanted.endpoint != self.endpoint:
            self.endpoint = wanted.endpoint
            self.warn("midfill.endpoint counts from the next start of the server.")

    def warn(self, message: str) -> None:
        """Tell the user of something that only they can put right."""
        log.warning("%s", message)
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    def inform(self, sentence: str) -> str:
        """Tell the user what they asked for.

        Returns:
            the sentence, for the answer to a command.
        """
        self.window_show_message(types.ShowMessageParams(types.MessageType.Info, sentence))
        return sentence

    def stop_suggesting(self, uris: Iterable[str]) -> None:
        """Nobody is to have a suggestion in these documents any more."""
        for uri in uris:
            if self.suggestions:
                self.suggestions.stop(uri)

    def withheld(self, uris: Iterable[str]) -> None:
        """These documents must not be seen any more."""
        for uri in uris:
            self.stop_suggesting([uri])
            if self.context:
                self.context.forget(uri)
            if self.journal:
                self.journal.closed(uri)

    def tell_activity(self, thinking: bool = False) -> None:
        """Have the editor show what the server is doing."""
        if self.status and self.suggestions:
            paused = self.suggestions.snooze.minutes_left > 0
            self.status.active(
                Activity.PAUSED if paused else Activity.THINKING if thinking else Activity.IDLE
            )

    def still_holds(self, snapshot: Snapshot) -> bool:
        return snapshot.still_holds(self.documents.opened(snapshot.uri))

    def report_server_error(self, error: Exception, source: type[Exception]) -> None:
        # pygls would pop this up at the user, who can do nothing about it. It wraps what happened.
        happened = sys.exc_info()[1] or error
        log.error("%s: %s", source.__name__, describe(happened))
