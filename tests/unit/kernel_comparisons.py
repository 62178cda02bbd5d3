"""Triton versions against their references: cases, and what has to agree.

``run`` computes an operation's Triton version, in whatever way there is: interpreted or compiled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st
from torch.nn import functional as F

from midfill.kernels.adapted_linear import LowRank, adapted_linear_in_torch
from midfill.kernels.canvas_attention import canvas_attention_in_torch
from midfill.kernels.rms_norm import rms_norm
from midfill.kernels.rotary_shift import rotary_frequencies, rotary_shift_in_torch, shift_angles
from midfill.kernels.unmask import unmask_in_torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Run = Callable[..., Any]

DTYPES = st.sampled_from([*[torch.float32] * 4, torch.bfloat16, torch.float16])
# The interpreter takes its time with halves.
SLACK = {torch.float32: 2e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}
"""Of sums of terms that are about 1, relative to the largest."""


def random(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def assert_near(found: Tensor, expected: Tensor, slack: float) -> None:
    assert found.shape == expected.shape
    if expected.numel():
        expected = expected.float()
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(found.float(), expected, rtol=0, atol=slack * scale)


@dataclass(frozen=True)
class Slots:
    """Logits of some slots, and how a kernel goes through them."""

    slots: int
    vocabulary: int
    dtype: torch.dtype
    pattern: str
    temperature: float
    split: int | None
    block: int
    seed: int

    @property
    def logits(self) -> Tensor:
        logits = random(self.seed, self.slots, self.vocabulary, scale=4)
        token = self.seed % self.vocabulary
        row = self.seed % self.slots
        if self.pattern == "forbidden":
            logits[random(self.seed + 1, self.slots, self.vocabulary) > 0] = -math.inf
        elif self.pattern == "one allowed":
            allowed = logits[:, token].clone()
            logits[:] = -math.inf
            logits[:, token] = allowed
        elif self.pattern == "none allowed":
            logits[row] = -math.inf
        elif self.pattern == "equal":
            logits[:] = 3
        elif self.pattern == "few values":
            logits.round_()
        elif self.pattern in ("nan", "inf"):
            logits[row, token] = float(self.pattern)
        elif self.pattern == "all nan":
            logits[row] = math.nan
        elif self.pattern == "large":
            logits *= 5000
        return logits.to(self.dtype)


PATTERNS = (
    "random",
    "forbidden",
    "one allowed",
    "none allowed",
    "equal",
    "few values",
    "nan",
    "inf",
    "all nan",
    "large",
)

slots = st.builds(
    Slots,
    slots=st.integers(1, 4),
    vocabulary=st.one_of(st.integers(1, 40), st.integers(1, 900)),
    dtype=DTYPES,
    pattern=st.sampled_from(PATTERNS),
    temperature=st.sampled_from([1.0, 0.7, 5.0, 1e-3, 1e-30]),
    split=st.sampled_from([None, 1, 2, 5]),
    block=st.sampled_from([64, 256]),
    seed=st.integers(0, 999),
)


def compare_unmask(run: Run, case: Slots) -> None:
    found = run("unmask", case.logits, case.temperature, case.split, case.block)
    expected = unmask_in_torch(case.logits.double(), case.temperature)
    assert torch.equal(found.tokens, expected.tokens)
    for ours, wanted in (
        (found.probabilities, expected.probabilities),
        (found.entropies, expected.entropies),
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5, equal_nan=True)


@dataclass(frozen=True)
class Canvas:
    """A canvas between a context and a suffix."""

    slots: int
    context: int
    suffix: int
    heads: tuple[int, int]
    size: int
    dtype: torch.dtype
    sees: str
    room: int | None
    additive: bool
    split: int | None
    seed: int

    @property
    def mask(self) -> Tensor | None:
        if self.sees == "everything":
            return None
        visible = {
            "some": random(self.seed, self.slots, self.slots) > 0,
            "all": torch.ones(self.slots, self.slots, dtype=torch.bool),
            "itself": torch.eye(self.slots, dtype=torch.bool),
            "what stands before": torch.ones(self.slots, self.slots, dtype=torch.bool).tril(),
            "nothing": torch.zeros(self.slots, self.slots, dtype=torch.bool),
        }[self.sees]
        if not self.additive:
            return visible
        bias = random(self.seed + 4, self.slots, self.slots).masked_fill(~visible, -math.inf)
        return bias.to(self.dtype)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        query_heads, key_heads = self.heads
        keys = self.context + self.slots + self.suffix
        # Keys and values stand in a buffer that is longer than they are.
        cached = [random(self.seed + n, key_heads, keys + 5, self.size)[:, :keys] for n in (2, 3)]
        queries = random(self.seed + 1, self.slots, query_heads, self.size)
        return queries.to(self.dtype), cached[0].to(self.dtype), cached[1].to(self.dtype)

    @property
    def used(self) -> Tensor | None:
        """How many keys there are; the last ``room`` of them are none."""
        keys = self.context + self.slots + self.suffix
        return None if self.room is None else torch.tensor([max(1, keys - self.room)])

    @property
    def bias(self) -> Tensor:
        """The mask as the reference takes it."""
        mask, group = self.mask, self.heads[0] // self.heads[1]
        keys = self.context + self.slots + self.suffix
        none = torch.zeros(keys, dtype=torch.bool)
        if self.used is not None:
            none = torch.arange(keys) >= self.used
        if mask is None:
            mask = torch.zeros(self.slots, self.slots)
        elif not self.additive:
            mask = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
        bias = F.pad(mask.float(), (self.context, self.suffix))
        return bias.masked_fill(none, -math.inf).repeat(group, 1)


canvases = st.builds(
    Canvas,
    slots=st.integers(1, 7),
    context=st.one_of(st.just(0), st.integers(1, 150)),
    suffix=st.one_of(st.just(0), st.integers(1, 40)),
    heads=st.sampled_from([(1, 1), (4, 2), (14, 2), (3, 1)]),
    size=st.sampled_from([8, 24, 64]),
    dtype=DTYPES,
    sees=st.sampled_from(["some", "all", "itself", "what stands before", "nothing", "everything"]),
    room=st.sampled_from([None, None, 0, 9, 150]),
    additive=st.booleans(),
    split=st.sampled_from([None, 2, 3]),
    seed=st.integers(0, 999),
)


def compare_attention(run: Run, case: Canvas) -> None:
    queries, keys, values = case.tensors
    found = run(
        "canvas_attention", queries, keys, values, case.mask, case.context, case.split, case.used
    )
    wide = (tensor.float() for tensor in case.tensors)
    assert found.dtype == case.dtype
    assert_near(found, canvas_attention_in_torch(*wide, case.bias), SLACK[case.dtype])


@dataclass(frozen=True)
class Layer:
    """A linear layer, with or without an adapter, and its input."""

    rows: int
    known: int
    width: int
    outputs: int
    rank: int
    biased: bool
    transposed: bool
    dtype: torch.dtype
    seed: int

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor | None, LowRank | None, int]:
        fan_in = 1 / math.sqrt(self.width)
        weight = random(self.seed + 1, self.width, self.outputs, scale=fan_in).to(self.dtype).T
        adapter = LowRank(
            random(self.seed + 2, self.width, self.rank, scale=fan_in).to(self.dtype),
            random(self.seed + 3, self.rank, self.outputs).to(self.dtype),
        )
        bias = random(self.seed + 4, self.outputs).to(self.dtype)
        return (
            random(self.seed, self.rows, self.width).to(self.dtype),
            weight if self.transposed else weight.contiguous(),
            bias if self.biased else None,
            adapter if self.rank else None,
            min(self.known, self.rows),
        )


layers = st.builds(
    Layer,
    rows=st.integers(1, 40),
    known=st.integers(0, 40),
    width=st.integers(1, 150),
    outputs=st.integers(1, 90),
    rank=st.one_of(st.just(0), st.integers(1, 40)),
    biased=st.booleans(),
    transposed=st.booleans(),
    dtype=DTYPES,
    seed=st.integers(0, 999),
)


def compare_linear(run: Run, case: Layer) -> None:
    x, weight, bias, adapter, known = case.arguments
    found = run("adapted_linear", x, weight, bias, adapter, known)
    base = run("adapted_linear", x, weight, bias, None, known)

    def wide(tensor: Tensor) -> Tensor:
        return tensor.float()

    expected = adapted_linear_in_torch(
        wide(x),
        wide(weight),
        None if bias is None else wide(bias),
        None if adapter is None else LowRank(wide(adapter.a), wide(adapter.b)),
        known,
    )
    assert found.dtype == case.dtype
    assert_near(found, expected, SLACK[case.dtype])
    assert torch.equal(found[:known], base[:known])  # to the bit


NORM_EPSILON = 1e-6


@dataclass(frozen=True)
class NormedLayer:
    """A layer behind a norm, and its input; gated, its outputs are the gate's and the other's.

    Attributes:
        scale: of the input: norms take rows of any size to the same.
    """

    layer: Layer
    scale: float

    @property
    def x(self) -> Tensor:
        x, *_ = self.layer.arguments
        return (x.float() * self.scale).to(self.layer.dtype)

    @property
    def norm(self) -> Tensor:
        return 1 + random(self.layer.seed + 5, self.layer.width, scale=0.2)

    def wide(self, x: Tensor) -> Tensor:
        """In float32, of rows as they are rounded in between."""
        return rms_norm(x.to(self.layer.dtype), self.norm, NORM_EPSILON).float()


normed_layers = st.builds(NormedLayer, layer=layers, scale=st.sampled_from([1.0, 300.0, 1e-2]))


def _widened(layer: Layer) -> tuple[Tensor, Tensor | None, LowRank | None, int]:
    _, weight, bias, adapter, known = layer.arguments
    wide = None if adapter is None else LowRank(adapter.a.float(), adapter.b.float())
    return weight.float(), None if bias is None else bias.float(), wide, known


def compare_norm_linear(run: Run, case: NormedLayer) -> None:
    _, weight, bias, adapter, known = case.layer.arguments
    rest = (case.norm, NORM_EPSILON, weight, bias)
    found = run("norm_linear", case.x, *rest, adapter, known)
    base = run("norm_linear", case.x, *rest, None, known)
    expected = adapted_linear_in_torch(case.wide(case.x), *_widened(case.layer))
    assert found.dtype == case.layer.dtype
    assert_near(found, expected, SLACK[case.layer.dtype])
    assert torch.equal(found[:known], base[:known])  # to the bit


def compare_gated_linear(run: Run, case: NormedLayer) -> None:
    _, half, _, adapter, known = case.layer.arguments
    gate_up = torch.cat((half, half.flip(0))).contiguous()
    if case.layer.transposed:
        gate_up = gate_up.T.contiguous().T
    both = None
    if adapter is not None:
        both = LowRank(adapter.a, torch.cat((adapter.b, -adapter.b), dim=1))
    found = run("gated_linear", case.x, case.norm, NORM_EPSILON, gate_up, both, known)
    base = run("gated_linear", case.x, case.norm, NORM_EPSILON, gate_up, None, known)
    wide = None if both is None else LowRank(both.a.float(), both.b.float())
    products = adapted_linear_in_torch(case.wide(case.x), gate_up.float(), None, wide, known)
    gate, up = products.chunk(2, dim=-1)
    assert found.dtype == case.layer.dtype
    assert_near(found, F.silu(gate) * up, 2 * SLACK[case.layer.dtype])
    assert torch.equal(found[:known], base[:known])  # to the bit


@dataclass(frozen=True)
class Move:
    """Cached keys that move."""

    heads: int
    tokens: int
    half: int
    delta: int
    in_place: bool
    dtype: torch.dtype
    seed: int


moves = st.builds(
    Move,
    heads=st.integers(1, 3),
    tokens=st.integers(0, 70),
    half=st.integers(1, 40),
    delta=st.integers(-100_000, 100_000),
    in_place=st.booleans(),
    dtype=DTYPES,
    seed=st.integers(0, 999),
)


def compare_shift(run: Run, case: Move) -> None:
    size = 2 * case.half
    keys = random(case.seed, case.heads, case.tokens + 9, size).to(case.dtype)[:, 4:-5]
    angles = shift_angles(case.delta, rotary_frequencies(size, 1e4), keys.device)
    expected = rotary_shift_in_torch(keys, angles)
    found = run("rotary_shift", keys, angles, keys if case.in_place else torch.empty_like(keys))
    assert found.dtype == case.dtype
    # One step of the dtype: the interpreter rounds towards zero, torch to the nearest.
    assert_near(found, expected, 2**-7 if case.dtype == torch.bfloat16 else 2**-10)
    if case.dtype == torch.float32:
        assert_near(found, expected, 1e-6)
