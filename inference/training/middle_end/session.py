"""Training the end head, from a corpus to a file and a table of what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors.torch import save_file

from midfill.inference.downloads.cache_folder import cache_folder, make_folder
from midfill.inference.memory_errors import memory_errors
from midfill.inference.models.embedded.architecture import Architecture
from midfill.inference.models.embedded.end_head import EndHead, end_head_file
from midfill.inference.models.embedded.files import Form, ensure_files
from midfill.inference.progress import Progress
from midfill.inference.tokenizer import Tokenizer
from midfill.inference.training.corpus.errors import CorpusUnusable
from midfill.inference.training.corpus.manifest import default_folder
from midfill.inference.training.corpus.reader import read_corpus
from midfill.inference.training.middle_end.bare_model import bare_model, load_base
from midfill.inference.training.middle_end.collecting import read_holes
from midfill.inference.training.middle_end.fitting import (
    CHOSEN,
    VARIANTS,
    chances,
    cross_fitted,
    fit,
    fold_of,
    rows_of,
)
from midfill.inference.training.middle_end.free_running import write_freely
from midfill.inference.training.middle_end.holes import cut_holes
from midfill.inference.training.middle_end.measuring import (
    as_markdown,
    free_as_markdown,
    measure,
    measure_free,
)
from midfill.inference.training.middle_end.policies import (
    DESIGN,
    RULES_ALONE,
    Policy,
    Replay,
    choose_bars,
)
from midfill.inference.training.middle_end.replay import trace
from midfill.inference.training.middle_end.tables import token_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from midfill.inference.ending import Bars
    from midfill.inference.models.embedded.end_features import TokenTables
    from midfill.inference.models.embedded.end_head import EndWeights
    from midfill.inference.models.embedded.weights import Base
    from midfill.inference.progress import ProgressListener
    from midfill.inference.training.middle_end.collecting import ReadHole
    from midfill.inference.training.middle_end.free_running import FreeHole
    from midfill.inference.training.middle_end.holes import EndHole
    from midfill.inference.training.middle_end.replay import Trace

HELD_OUT = 330
FREE = {"train": 360, "held-out": 210}
"""Holes that the base also writes in by itself; the first ones of each split."""

HEAD = "end_head.safetensors"
REPORT = "end_head.md"


@dataclass(frozen=True, slots=True)
class _Split:
    """Holes of one split, with the texts that were written in them."""

    read: Sequence[ReadHole]
    forced: Sequence[Trace]
    written: Sequence[FreeHole]
    free: Sequence[Trace]

    def replays(self, weights: Sequence[EndWeights]) -> tuple[list[Replay], list[Replay]]:
        """On the true text, and on the base's own.

        Args:
            weights: one for every hole, or one for each fold that has not seen it.
        """
        numbers = {one.hole: number for number, one in enumerate(self.read)}

        def of(one: ReadHole | FreeHole, trace: Trace) -> Replay:
            # A hole that was left out has been seen in no fold.
            chosen = weights[fold_of(numbers.get(one.hole, 0)) % len(weights)]
            return Replay.of(
                trace, chances(chosen, one.states, one.features, in_line=trace.in_line)
            )

        return (
            [of(one, trace) for one, trace in zip(self.read, self.forced, strict=True)],
            [of(one, trace) for one, trace in zip(self.written, self.free, strict=True)],
        )


def train_end_head(
    corpus: Path | None,
    *,
    out: Path | None,
    holes: int,
    seed: int,
    listener: ProgressListener,
) -> tuple[Path, str]:
    """Fit the head and measure it; returns the folder of both and the table.

    What was read of the holes is kept in the folder. The same command goes on from there.

    Raises:
        CorpusUnusable: there is no corpus, or it has no held-out files, or too little text.
        CheckpointUnusable: the folder holds another run's holes.
        NoSpace, MidfillError: the folder cannot be used.
    """
    listener(Progress("reading the corpus"))
    texts = read_corpus(corpus or default_folder())
    if not texts.held_out:
        raise CorpusUnusable("the corpus has no held-out files to measure on: add packages to it")
    cut = {
        "train": cut_holes(texts.train, f"{seed}/train", holes),
        "held-out": cut_holes(texts.held_out, f"{seed}/held-out", min(HELD_OUT, holes)),
    }
    folder = out or cache_folder() / "training" / "end"
    make_folder(folder)
    files = ensure_files(listener, form=Form.BFLOAT16)
    tokenizer = Tokenizer(files.tokenizer)
    tables = token_tables(tokenizer)
    with memory_errors():
        base = load_base(files.weights)
        splits = {
            name: _read(base, tokenizer, tables, cut[name], folder, name, listener) for name in cut
        }
        listener(Progress("fitting"))
        rows = rows_of(splits["train"].read, splits["train"].forced)
        head, policies = None, []
        for name, inputs in VARIANTS.items():
            unseen = splits["train"].replays(cross_fitted(rows, inputs))
            weights = fit(rows, inputs)
            replays = splits["held-out"].replays([weights])
            bars, alone = (choose_bars(*unseen, rules=rules) for rules in (True, False))
            policies.append((Policy(f"head ({name})", alone, rules=False), replays))
            policies.append((Policy(f"rules and head ({name})", bars), replays))
            if name == CHOSEN:
                head = EndHead(weights, tables, bars)
    assert head is not None
    tensors, metadata = end_head_file(head)
    save_file(tensors, folder / HEAD, metadata)
    report = _report(policies, len(splits["train"].read), seed)
    (folder / REPORT).write_text(report, "utf-8")
    return folder, report


def _read(
    base: Base,
    tokenizer: Tokenizer,
    tables: TokenTables,
    holes: Sequence[EndHole],
    folder: Path,
    name: str,
    listener: ProgressListener,
) -> _Split:
    make_folder(folder / name)
    model = bare_model(base)
    read = read_holes(model, tokenizer, tables, holes, folder / name, listener)
    freely = write_freely(
        base,
        Architecture(),
        tokenizer,
        tables,
        holes[: FREE[name]],
        folder / f"free-{name}.safetensors",
        listener,
    )
    return _Split(
        read,
        [trace(tokenizer, one.hole, one.written.owed, one.written.tokens) for one in read],
        freely,
        [trace(tokenizer, one.hole, 0, one.tokens) for one in freely],
    )


def _report(
    policies: Sequence[tuple[Policy, tuple[list[Replay], list[Replay]]]], trained: int, seed: int
) -> str:
    any_replays = policies[0][1]
    everything = [
        (DESIGN, any_replays),
        (RULES_ALONE, any_replays),
        *policies,
    ]
    forced = measure([(policy, both[0]) for policy, both in everything], seed)
    free = measure_free([(policy, both[1]) for policy, both in everything], seed)
    bars = "\n".join(
        f"- {policy.name}: {_described(policy.bars)}" for policy, _ in policies if policy.bars
    )
    return (
        f"Trained on {trained} holes.\n\n"
        f"## On the true text\n\n{as_markdown(list(forced))}\n"
        f"## On what the base writes by itself\n\n{free_as_markdown(list(free))}\n"
        f"## Bars\n\n{bars}\n"
    )


def _described(bars: Bars) -> str:
    return (
        f"sure from {bars.sure:g}, after {bars.patience} tokens; "
        f"possible from {bars.possible:g} at a limit"
    )
