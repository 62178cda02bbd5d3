"""Which implementation computes, and that Triton is never needed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch

from midfill.kernels import dispatch
from midfill.kernels.dispatch import Implementation, KernelsUnavailable, kernels_used, uses_triton
from midfill.kernels.triton import availability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CPU, CARD = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(dispatch.VARIABLE, raising=False)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    availability._obstacle.cache_clear()
    yield
    availability._obstacle.cache_clear()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A machine with a card on which the trial kernel does so."""

    def there_is(
        doubles: Callable[[torch.device], bool],
        *,
        capability: tuple[int, int] = (9, 0),
        installed: bool = True,
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: installed or None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.version, "hip", None)
        trial = SimpleNamespace(doubles=doubles)
        monkeypatch.setitem(sys.modules, "midfill.kernels.triton.trial", trial)

    return there_is


def test_a_cpu_computes_in_torch() -> None:
    assert kernels_used(CPU).implementation is Implementation.TORCH
    assert not uses_triton("unmask", torch.zeros(1, 2))


def test_a_card_computes_in_triton_where_a_trial_works(card: Callable[..., None]) -> None:
    card(lambda device: True)
    assert kernels_used(CARD).implementation is Implementation.TRITON


def test_a_card_computes_in_torch_where_triton_does_not_run(card: Callable[..., None]) -> None:
    def fails(device: torch.device) -> bool:
        raise RuntimeError("Failed to find C compiler.\nAnd much more")

    for trial, changed, reason in (
        (fails, {}, "Failed to find C compiler."),
        (lambda device: False, {}, "wrong results"),
        (lambda device: True, {"installed": False}, "not installed"),
        (lambda device: True, {"capability": (7, 5)}, "older"),
    ):
        card(trial, **changed)
        availability._obstacle.cache_clear()
        used = kernels_used(CARD)
        assert used.implementation is Implementation.TORCH
        assert reason in used.reason
        assert "\n" not in used.reason


def test_a_lack_of_memory_says_nothing_about_triton(card: Callable[..., None]) -> None:
    def no_memory(device: torch.device) -> bool:
        raise torch.OutOfMemoryError

    card(no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        kernels_used(CARD)
    card(lambda device: True)
    assert kernels_used(CARD).implementation is Implementation.TRITON


def test_the_trial_is_made_once(card: Callable[..., None]) -> None:
    trials = []
    card(lambda device: not trials.append(device))
    for _ in range(3):
        kernels_used(CARD)
    assert trials == [CARD]


def test_the_environment_forces_torch(
    card: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    card(lambda device: True)
    monkeypatch.setenv(dispatch.VARIABLE, "torch")
    assert kernels_used(CARD).implementation is Implementation.TORCH


def test_forcing_what_cannot_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, message in (("triton", "asks for Triton on cpu, but"), ("cuda", "not 'cuda'")):
        monkeypatch.setenv(dispatch.VARIABLE, value)
        with pytest.raises(KernelsUnavailable, match=message):
            uses_triton("unmask", torch.zeros(1, 2))


def test_triton_takes_only_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "obstacle", lambda device: None)
    monkeypatch.setenv(dispatch.VARIABLE, "triton")
    x, half = torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.bfloat16)
    learning = torch.zeros(2, 2, requires_grad=True)

    assert uses_triton("adapted_linear", x, x, width=256)
    assert uses_triton("adapted_linear", half, half)
    assert not uses_triton("adapted_linear", x, x, width=257)
    assert not uses_triton("adapted_linear", x, half)
    assert not uses_triton("unmask", x.double())
    assert not uses_triton("adapted_linear", x, learning)
    with torch.no_grad():
        assert uses_triton("adapted_linear", x, learning)
    assert uses_triton("norm_linear", half, half, beside=(x,))
    assert not uses_triton("norm_linear", half, half, beside=(learning,))
    assert not uses_triton("norm_linear", half, half, beside=(x.to("meta"),))
    assert uses_triton("gated_linear", x, rows=64)
    assert not uses_triton("gated_linear", x, rows=65)
    assert uses_triton("unmask", x, rows=10_000)


def test_operations_work_without_triton_and_do_not_load_it() -> None:
    program = """
import sys
sys.modules["triton"] = None  # as if it were not installed
import torch
from midfill.kernels.adapted_linear import adapted_linear
from midfill.kernels.canvas_attention import in_place_attention
from midfill.kernels.dispatch import kernels_used
from midfill.kernels.gated_linear import gated_linear
from midfill.kernels.norm_linear import norm_linear
from midfill.kernels.rotary_shift import rotary_frequencies, rotary_shift, shift_angles
from midfill.kernels.unmask import unmask

x, keys = torch.randn(3, 8), torch.randn(2, 7, 8)
unmask(adapted_linear(x, torch.randn(9, 8), None, None, 1))
in_place_attention(torch.randn(3, 4, 8), keys, keys, torch.ones(3, 3, dtype=torch.bool), 2)
norm_linear(x, torch.ones(8), 1e-6, torch.randn(9, 8), None, None, 1)
gated_linear(x, torch.ones(8), 1e-6, torch.randn(10, 8), None, 1)
rotary_shift(keys, shift_angles(3, rotary_frequencies(8, 1e4), keys.device))
assert sys.modules["triton"] is None
assert not any(name.startswith("triton.") for name in sys.modules)
print(kernels_used(torch.device("cuda")).reason)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "triton is not installed"
