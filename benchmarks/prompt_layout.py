"""Which prompt layout foretells the true middle best, by teacher forcing.

For each hole and each layout the base reads the prompt and the true middle in one pass. Every
figure is paired: over the same holes, against the layout that ships::

    python benchmarks/prompt_layout.py --corpus CORPUS --humaneval FOLDER --out FILE.json
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from midfill.inference.canvas import Canvas, CanvasLayout
from midfill.inference.evaluation.arms.asking import window_of
from midfill.inference.evaluation.human_eval import SINGLE_LINE, read_suite
from midfill.inference.evaluation.intervals import row_mean
from midfill.inference.evaluation.sampling import spread_sample
from midfill.inference.evaluation.self_suite import read_self_suite
from midfill.inference.healing import Healing
from midfill.inference.models.loading import LoadedModel, load_embedded
from midfill.inference.prefix_window import prefix_window_start
from midfill.inference.progress import nobody_listens
from midfill.inference.prompt import Windows, build_prompt
from midfill.inference.tokenizer import Tokenizer
from midfill.kernels.permitted import restricted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from midfill.inference.evaluation.problems import Problem

SHIPPED = "suffix 64"
HEAD_TOKENS = 64
"""Of a file's first lines, where they are kept before a window that starts in mid-file."""
BEHIND = 80
"""Characters of the suffix that the middle's last token may reach into."""
COMMENT_SIGNS = {"python": "#", "ruby": "#", "shell": "#", "lua": "--", "sql": "--"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What layouts are made of: token ids, but for the suffix's text.

    Attributes:
        prefix: the window before the hole, without what is owed.
        suffix: text behind the hole.
        head: the file's first lines, where the window starts behind them.
        header: the path as the repository format has it.
        comment: the path as a comment.
    """

    prefix: list[int]
    suffix: str
    head: list[int]
    header: list[int]
    comment: list[int]


@dataclass(frozen=True, slots=True)
class Row:
    """What one layout made of one hole.

    Attributes:
        task: the file or function; holes of one are not independent.
        nll: mean negative log-likelihood of the middle's tokens, nats.
        exact: whether the base would write the middle greedily.
        prompt: tokens before the middle.
        middle: tokens of it.
        cut: whether the prefix window starts in mid-file.
    """

    data: str
    hole: str
    task: str
    kind: str
    layout: str
    nll: float
    exact: bool
    prompt: int
    middle: int
    cut: bool


Layout = Callable[[Tokenizer, Parts], list[int]]


def suffix_tokens(tokenizer: Tokenizer, text: str, budget: int, *, whole_lines: bool) -> list[int]:
    ids, spans = tokenizer.encode_with_offsets(text[: 8 * budget])
    if len(ids) <= budget or not whole_lines:
        return ids[:budget]
    end = text.rfind("\n", 0, spans[budget][0]) + 1
    return tokenizer.encode(text[:end]) if text[:end].strip() else ids[:budget]


def suffix_first(
    budget: int,
    *,
    whole_lines: bool = False,
    before: Callable[[Parts], list[int]] = lambda parts: [],
    start: Callable[[Parts], list[int]] = lambda parts: [],
) -> Layout:
    """The layout that ships, with ``before`` ahead of the markers or ``start`` of the prefix."""

    def tokens(tokenizer: Tokenizer, parts: Parts) -> list[int]:
        return [
            *before(parts),
            tokenizer.fim_prefix,
            tokenizer.fim_suffix,
            *suffix_tokens(tokenizer, parts.suffix, budget, whole_lines=whole_lines),
            tokenizer.fim_middle,
            *start(parts),
            *parts.prefix,
        ]

    return tokens


def prefix_first(tokenizer: Tokenizer, parts: Parts) -> list[int]:
    suffix = suffix_tokens(tokenizer, parts.suffix, 64, whole_lines=False)
    marked = [tokenizer.fim_prefix, *parts.prefix, tokenizer.fim_suffix, *suffix]
    return [*marked, tokenizer.fim_middle]


def suffix_prefix_middle(tokenizer: Tokenizer, parts: Parts) -> list[int]:
    suffix = suffix_tokens(tokenizer, parts.suffix, 64, whole_lines=False)
    marked = [tokenizer.fim_suffix, *suffix, tokenizer.fim_prefix, *parts.prefix]
    return [*marked, tokenizer.fim_middle]


def prefix_alone(tokenizer: Tokenizer, parts: Parts) -> list[int]:
    return parts.prefix or [tokenizer.end_of_text]


LAYOUTS: Mapping[str, Layout] = {
    "suffix 16": suffix_first(16),
    "suffix 32": suffix_first(32),
    SHIPPED: suffix_first(64),
    "suffix 128": suffix_first(128),
    "suffix 256": suffix_first(256),
    "suffix 64, whole lines": suffix_first(64, whole_lines=True),
    "suffix 128, whole lines": suffix_first(128, whole_lines=True),
    "prefix, suffix, middle": prefix_first,
    "suffix, prefix, middle marker": suffix_prefix_middle,
    "prefix alone": prefix_alone,
    "path header": suffix_first(64, before=lambda parts: parts.header),
    "path comment": suffix_first(64, start=lambda parts: parts.comment),
    "first lines kept": suffix_first(64, start=lambda parts: parts.head),
    "path header, first lines kept": suffix_first(
        64, before=lambda parts: parts.header, start=lambda parts: parts.head
    ),
}


def measured(loaded: LoadedModel, data: str, problem: Problem, windows: Windows) -> Iterator[Row]:
    """One row for each layout; prompts that come out the same are read once."""
    tokenizer, window = loaded.tokenizer, window_of(problem)
    shipped = build_prompt(tokenizer, window.prefix, window.suffix, windows=windows)
    whole = window.prefix[: len(window.prefix) - len(shipped.owed.decode())]
    start = prefix_window_start(tokenizer, whole, windows.prefix)
    middle = problem.gold.removesuffix("\n") if problem.closing else problem.gold
    text = shipped.owed.decode() + middle
    parts = Parts(
        prefix=tokenizer.encode(whole[start:]),
        suffix=window.suffix,
        head=suffix_tokens(tokenizer, whole[:start], HEAD_TOKENS, whole_lines=True),
        header=_header(tokenizer, _path(problem)),
        comment=tokenizer.encode(f"{COMMENT_SIGNS.get(problem.language, '//')} {_path(problem)}\n"),
    )
    assert LAYOUTS[SHIPPED](tokenizer, parts) == shipped.tokens
    known: dict[tuple[int, ...], tuple[float, bool, int]] = {}
    for name, layout in LAYOUTS.items():
        prompt = tuple(layout(tokenizer, parts))
        if prompt not in known:
            known[prompt] = _read(loaded, prompt, shipped.owed, text, window.suffix)
        nll, exact, count = known[prompt]
        yield Row(
            data=data,
            hole=problem.name,
            task=problem.task,
            kind=problem.kind,
            layout=name,
            nll=nll,
            exact=exact,
            prompt=len(prompt),
            middle=count,
            cut=start > 0,
        )


def _path(problem: Problem) -> str:
    """HumanEval's functions have no path, so theirs is the task's name."""
    return problem.task if "." in problem.task else f"{problem.task}.py"


def _header(tokenizer: Tokenizer, path: str) -> list[int]:
    repository, file = tokenizer.encode("repository\n"), tokenizer.encode(f"{path}\n")
    return [tokenizer.repo_name, *repository, tokenizer.file_sep, *file]


def _read(
    loaded: LoadedModel, prompt: Sequence[int], owed: bytes, middle: str, suffix: str
) -> tuple[float, bool, int]:
    """Negative log-likelihood a token, whether greedy text has the middle, and its tokens.

    The middle's tokens are those of the finished text that begin in it. The last one may reach into
    the suffix; any token that agrees with the finished text and reaches the middle's end will do.
    """
    true_text = (middle + suffix[:BEHIND]).encode()
    end = len(middle.encode())
    tokens: list[int] = []
    starts = [0]
    for token in loaded.tokenizer.encode(middle + suffix[:BEHIND]):
        if starts[-1] >= end:
            break
        tokens.append(token)
        starts.append(starts[-1] + len(loaded.vocabulary.bytes_of(token)))
    known = (*prompt, *tokens[:-1])
    layout = CanvasLayout(known=len(known), behind=(len(prompt) - 1,), masks=0)
    predictions = loaded.model.denoise(Canvas(known, layout), loaded.model.new_cache(len(known)))
    healing, nll, exact, ended = Healing(loaded.vocabulary, owed), 0.0, True, False
    logits = restricted(predictions.logits, healing.permitted(tokens[:-1]))
    for allowed, token, start in zip(logits, tokens, starts[:-1], strict=True):
        nll -= float(allowed.log_softmax(-1)[token])
        if exact and not ended:
            choice = int(allowed.argmax())
            written = loaded.vocabulary.bytes_of(choice)
            ended = start + len(written) >= end and true_text.startswith(written, start)
            exact = ended or choice == token
    return nll / len(tokens), exact, len(tokens)


def table(rows: Sequence[Row], seed: int) -> dict[str, dict[str, dict[str, object]]]:
    """For each data set and layout: means, and paired differences from what ships."""
    result: dict[str, dict[str, dict[str, object]]] = {}
    for data in dict.fromkeys(row.data for row in rows):
        of = {
            layout: [row for row in rows if row.data == data and row.layout == layout]
            for layout in LAYOUTS
        }
        tasks = [row.task for row in of[SHIPPED]]
        result[data] = {}
        for layout, ours in of.items():
            pairs = list(zip(ours, of[SHIPPED], strict=True))
            columns = {
                "nll": [row.nll for row in ours],
                "nll_difference": [row.nll - base.nll for row, base in pairs],
                "exact": [float(row.exact) for row in ours],
                "exact_difference": [float(row.exact) - base.exact for row, base in pairs],
                "prompt_tokens": [float(row.prompt) for row in ours],
            }
            result[data][layout] = {
                "holes": len(ours),
                **{name: asdict(row_mean(values, tasks, seed)) for name, values in columns.items()},
            }
    return result


def shuffled(problems: Sequence[Problem], count: int, seed: int) -> list[Problem]:
    """A sample in an order that may be broken off anywhere."""
    sample = list(spread_sample(problems, count, seed))
    random.Random(seed).shuffle(sample)
    return sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--humaneval", type=Path, required=True)
    parser.add_argument("--holes", type=int, default=150, help="of each data set, at most")
    parser.add_argument("--minutes", type=float, help="begin no further hole after these")
    parser.add_argument("--prefix", type=int, default=256, help="tokens of the prefix window")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    corpus = shuffled(read_self_suite(given.corpus, given.seed), given.holes, given.seed)
    human = shuffled(read_suite(SINGLE_LINE, given.humaneval), given.holes, given.seed)
    loaded = load_embedded(torch.device("cpu"), nobody_listens)
    windows = replace(Windows(), prefix=given.prefix, suffix=64)
    rows: list[Row] = []
    started = time.monotonic()
    for number, (of_corpus, of_human) in enumerate(zip(corpus, human, strict=False), 1):
        rows += measured(loaded, "corpus", of_corpus, windows)
        rows += measured(loaded, "humaneval", of_human, windows)
        minutes = (time.monotonic() - started) / 60
        print(f"\r{number} holes of each, {minutes:.1f} min", end="", file=sys.stderr, flush=True)
        if given.minutes and minutes > given.minutes:
            break
    print(file=sys.stderr)
    settings = {"prefix": given.prefix, "seed": given.seed, "holes": given.holes}
    result = {
        "settings": settings,
        "table": table(rows, given.seed),
        "rows": [asdict(row) for row in rows],
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
