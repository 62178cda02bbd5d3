"""All settings of a session: which of them hold for which document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from midfill.lsp.document_paths import folder_path, paths_of
from midfill.lsp.folder_settings import FolderSettings
from midfill.lsp.settings import Settings, merged, read_layer
from midfill.lsp.settings_rules import RULES, Layer, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class SettingsStore:
    """What the client has said, at the start and since, and what files in the workspace say."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        """
        Args:
            complain: hears of everything that is wrong, once.
        """
        self._complain = complain
        self._said: set[str] = set()
        self._initial = Layer()
        self._global = Layer()
        self._by_folder: dict[str, Layer] = {}
        self._roots: tuple[str, ...] = ()
        self._files = FolderSettings()

    @property
    def everywhere(self) -> Settings:
        """What holds without a document: the model, the exclusions, whether to start at all."""
        return merged([self._initial, self._global])

    @property
    def complaints(self) -> tuple[str, ...]:
        """On what the client has said."""
        layers = (self._initial, self._global, *self._by_folder.values())
        return tuple(sentence for layer in layers for sentence in layer.complaints)

    def start_with(self, options: object) -> None:
        """The client's ``initializationOptions``."""
        self._initial = read_layer(options)

    def configure(self, everywhere: object, by_folder: Mapping[str, object] | None = None) -> None:
        """What the client says now, in place of what it said so before.

        Args:
            everywhere: its settings.
            by_folder: those of each open folder, by URI.
        """
        self._global = read_layer(everywhere)
        self._by_folder = {uri: read_layer(said) for uri, said in (by_folder or {}).items()}
        self.tell_complaints()

    def open_folders(self, uris: Sequence[str]) -> None:
        """The workspace's folders."""
        self._roots = tuple(uris)
        self._files.forget()

    def tell_complaints(self) -> None:
        """Say what has not been said yet."""
        self._tell(self.complaints)

    def forget_files(self) -> None:
        """A ``.midfill.toml`` may have changed."""
        self._files.forget()

    def for_document(self, uri: str, language: str) -> Settings:
        """What holds in a document; one that is in no folder is taken to be in the first."""
        path = Path(paths_of(uri)[0])
        root = self._root_of(path)
        if root is None:
            return merged([self._initial, self._global], language)
        in_files = self._files.layers(path, Path(folder_path(root)))
        self._tell(sentence for layer in in_files for sentence in layer.complaints)
        in_folder = _without_what_holds_for_all(self._by_folder.get(root, Layer()))
        return merged([self._initial, self._global, in_folder, *in_files], language)

    def _root_of(self, path: Path) -> str | None:
        inside = [root for root in self._roots if path.is_relative_to(folder_path(root))]
        innermost = max(inside, key=len, default=None)
        if innermost is None and not path.is_absolute() and self._roots:
            return self._roots[0]
        return innermost

    def _tell(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            if sentence not in self._said:
                self._said.add(sentence)
                self._complain(sentence)


def _without_what_holds_for_all(layer: Layer) -> Layer:
    """A folder's settings may come with its code, and do not decide what is read or run."""
    fields = {RULES[name].field for name in names(for_a_language=True)}
    general = {field: value for field, value in layer.general.items() if field in fields}
    return Layer(general, layer.languages)
