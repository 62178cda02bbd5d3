"""The embedded model in memory, loaded once for all tests that need it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiny_training import FinishedRun
    from torch import Tensor

    from midfill.inference.engine import Engine
    from midfill.inference.models.embedded.files import EmbeddedFiles
    from midfill.inference.models.embedded.model import EmbeddedModel
    from midfill.inference.tokenizer import Tokenizer


@pytest.fixture(scope="session", autouse=True)
def a_core_each() -> None:
    """Where files are tested two at a time, none of them waits for threads of the other."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        from midfill.kernels.threads import use_threads

        use_threads(1)


@pytest.fixture(scope="session")
def engine(embedded_files: EmbeddedFiles) -> Engine:
    """The engine as users have it."""
    from midfill.inference.engine import Engine

    engine = Engine()
    engine.load()
    return engine


@pytest.fixture(scope="session")
def tokenizer(embedded_files: EmbeddedFiles) -> Tokenizer:
    from midfill.inference.tokenizer import Tokenizer

    return Tokenizer(embedded_files.tokenizer)


@pytest.fixture(scope="session")
def exact_tensors(embedded_files: EmbeddedFiles) -> dict[str, Tensor]:
    """The embedded model's base in float32, straight from the GGUF file, in the fused layout."""
    import torch

    from midfill.inference.models.embedded.gguf_layout import dequantised_tensors

    return dict(dequantised_tensors(embedded_files.gguf, torch.float32))


@pytest.fixture(scope="session")
def exact_model(embedded_files: EmbeddedFiles, exact_tensors: dict[str, Tensor]) -> EmbeddedModel:
    """The embedded model in float32, for exact comparisons."""
    import torch

    from midfill.inference.models.embedded.adapter import read_adapter
    from midfill.inference.models.embedded.architecture import Architecture
    from midfill.inference.models.embedded.eager_network import EagerNetwork
    from midfill.inference.models.embedded.model import EmbeddedModel
    from midfill.inference.models.embedded.weights import Weights, assemble_base

    assembled = assemble_base(
        dict(exact_tensors),
        lambda tokens: exact_tensors["embedding"][torch.tensor(tokens)],
        Architecture(),
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    adapter = read_adapter(embedded_files.adapter)
    weights = Weights.assemble(assembled, adapter, Architecture())
    return EmbeddedModel(EagerNetwork(weights, Architecture()), weights.adapter)


@pytest.fixture(scope="session")
def finished_run(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A training run that was finished once; tests copy what it left."""
    from tiny_training import ARCHITECTURE, RECIPE, FinishedRun, tiny_base, tiny_corpus

    from midfill.inference.training import run as run_module

    folder = tmp_path_factory.mktemp("finished")
    run = run_module.Run(RECIPE, tiny_corpus(), folder, tiny_base(), ARCHITECTURE, tokenizer)
    with pytest.MonkeyPatch.context() as patch:  # drawing takes longer than all the rest
        patch.setattr(
            run_module, "draw_learning_curve", lambda path, history: path.write_bytes(b"a picture")
        )
        outcome = run.finish()
    return FinishedRun(folder, run.state, outcome)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny models: threads would only wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
