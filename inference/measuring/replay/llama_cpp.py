"""llama.cpp, token by token, in this process."""

from __future__ import annotations

import importlib
from time import perf_counter
from typing import TYPE_CHECKING, Any

from midfill.inference.errors import MidfillError
from midfill.inference.measuring.replay.writer import Written
from midfill.inference.progress import Progress
from midfill.inference.wire import Extent

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.measuring.replay.prompts import PromptOf
    from midfill.inference.progress import ProgressListener
    from midfill.inference.wire import InfillRequest

CONTEXT = 4096
"""Tokens: our windows, whatever tokenizer cuts them, and the middle."""

NEEDS = "--against llama.cpp or a GGUF file needs llama.cpp: run `pip install 'midfill[bench]'`"


def need_llama_cpp() -> Any:  # noqa: ANN401 - the package has no types
    """The package `xllamacpp`.

    Raises:
        MidfillError: it is not installed, or cannot run here.
    """
    try:
        return importlib.import_module("xllamacpp")
    except ModuleNotFoundError:
        raise MidfillError(NEEDS) from None
    except ImportError as error:
        raise MidfillError(f"llama.cpp cannot run here: {error}") from None


class LlamaCpp:
    """A `Writer`: greedy, with its prompt cache, on the CPU.

    A hole of one line ends at the line's end, as ours does.
    """

    def __init__(
        self, path: Path, prompt_of: PromptOf, threads: int, name: str, about: str
    ) -> None:
        """Load a model.

        Args:
            path: a GGUF file.
            prompt_of: lays a hole out.
            threads: of prompts and of single tokens.
            name: of the writer.
            about: what there is to know about it.

        Raises:
            MidfillError: llama.cpp is missing or cannot read the file.
        """
        package = need_llama_cpp()
        settings = package.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx = CONTEXT
        settings.n_parallel = 1
        settings.n_gpu_layers = 0
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.cache_ram_mib = 0  # one document at a time: there is nothing to swap
        settings.verbosity = -1
        try:
            self._server = package.Server(settings)
        except Exception as error:  # whatever the C++ side throws
            raise MidfillError(f"llama.cpp cannot load {path}: {str(error)[:200]}") from error
        self.name = name
        self.about = about
        self._prompt_of = prompt_of
        self._new = True

    def new_document(self) -> None:
        self._new = True

    def write(self, request: InfillRequest) -> Written:
        prompt = self._prompt_of(request)
        asked: dict[str, Any] = {
            "prompt": prompt.pieces,
            "n_predict": request.limits.tokens,
            "temperature": 0,
            "top_k": 1,
            "cache_prompt": not self._new,
            "stop": ["\n"] if request.hole.extent is Extent.LINE else [],
        }
        if prompt.owed:
            asked["grammar"] = beginning_with(prompt.owed)
        self._new = False
        started = perf_counter()
        answer = self._server.handle_completions(asked)
        return written(answer, perf_counter() - started, prompt.owed)

    def close(self) -> None:
        del self._server


def beginning_with(text: str) -> str:
    """A grammar of all texts that begin with ``text``, as llama.cpp reads grammars.

    It looks at a token only once it is chosen, so one that agrees anyway costs next to nothing.

    Source: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
    """
    literal = "".join(
        f"\\{char}" if char in '"\\' else char if char.isprintable() else f"\\U{ord(char):08X}"
        for char in text
    )
    return f'root ::= "{literal}" [^\\x00]*'


def written(answer: object, seconds: float, owed: str = "") -> Written:
    """Take an answer of llama.cpp apart.

    Args:
        answer: what it said.
        seconds: how long that took.
        owed: what it had to write first; no part of the suggestion.

    Raises:
        MidfillError: it refuses, or its form is not known.
    """
    try:
        found: Any = answer
        if error := found.get("error"):
            raise MidfillError(f"llama.cpp refuses: {str(error['message'])[:200]}")
        timings, tokens = found["timings"], int(found["usage"]["completion_tokens"])
        text = str(found["choices"][0]["text"])
        return Written(
            text[len(owed) :] if text.startswith(owed) else "",
            seconds,
            tokens,
            tokens,
            {"prompt": float(timings["prompt_ms"]), "tokens": float(timings["predicted_ms"])},
            int(timings["prompt_n"]),
        )
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise MidfillError(
            "llama.cpp answers in a form that is not known: install the release of xllamacpp "
            "that midfill[bench] asks for"
        ) from None


def load_llama_cpp(
    path: Path,
    prompt_of: PromptOf,
    threads: int,
    name: str,
    about: str,
    listener: ProgressListener,
) -> LlamaCpp:
    """Load a model and say so; see `LlamaCpp`."""
    listener(Progress(f"loading {name}"))
    return LlamaCpp(path, prompt_of, threads, name, about)
