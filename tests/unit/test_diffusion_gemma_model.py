"""The context cache is exact wherever it is cut, and canvases see what they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_diffusion_gemma import SLIDING_WINDOW, VOCABULARY, tiny_model, tiny_network

from midfill.inference.errors import Cancelled
from midfill.inference.models.diffusion_gemma.context import (
    ROOM_STEP,
    ContextStore,
    EncodedContext,
)
from midfill.inference.models.diffusion_gemma.model import ENCODE_CHUNK, DiffusionGemma
from midfill.inference.uniform.canvas import UniformCanvas
from midfill.inference.uniform.denoising import DenoisingRule, denoise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def tokens(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(5, VOCABULARY, (count,), generator=generator).tolist()


def encoded(ids: Sequence[int], model: DiffusionGemma | None = None) -> EncodedContext:
    model = model or tiny_model()
    context = model.new_context()
    model.encode(ids, context)
    return context


def seen(context: EncodedContext, model: DiffusionGemma | None = None) -> Tensor:
    """What a canvas is predicted to be behind a context."""
    canvas = UniformCanvas.blank(6, CPU)
    ids = torch.tensor([tokens(6, seed=9)])
    return (model or tiny_model()).behind(context).predict(canvas, ids, None)


def test_what_a_canvas_sees_depends_on_all_of_the_context() -> None:
    ids = tokens(60)
    for changed in (0, 10, 59):
        other = list(ids)
        other[changed] = (ids[changed] + 1) % VOCABULARY
        assert (seen(encoded(ids)) - seen(encoded(other))).abs().max() > 1e-4


def test_a_context_cut_anywhere_is_the_shorter_text_s_context() -> None:
    ids = tokens(3 * SLIDING_WINDOW)
    whole = encoded(ids)
    for length in range(1, len(ids) + 1):
        cut = whole.fork(length)
        torch.testing.assert_close(seen(cut), seen(encoded(ids[:length])), atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, 5, SLIDING_WINDOW - 1, SLIDING_WINDOW, 40, 70])
def test_a_context_cut_and_written_anew_is_exact(length: int) -> None:
    ids, others = tokens(72), tokens(45, seed=1)
    model, context = tiny_model(), encoded(ids)
    context.crop(length)
    model.encode(others, context)
    expected = encoded([*ids[:length], *others])
    assert context.tokens == expected.tokens
    torch.testing.assert_close(seen(context), seen(expected), atol=1e-5, rtol=0)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), min_size=1, max_size=5))
@settings(max_examples=12, deadline=None)
def test_any_cuts_and_additions_leave_it_exact(edits: list[tuple[int, int]]) -> None:
    model, context = tiny_model(), encoded(tokens(30))
    for number, (kept, added) in enumerate(edits):
        context.crop(max(1, kept))
        model.encode(tokens(added, seed=number + 2), context)
    torch.testing.assert_close(seen(context), seen(encoded(context.tokens)), atol=1e-5, rtol=0)


def test_denoising_leaves_the_context_as_it_is() -> None:
    context = encoded(tokens(50))
    before = seen(context)
    list(
        denoise(
            tiny_model().behind(context),
            UniformCanvas.blank(8, CPU),
            DenoisingRule(steps=3),
            [torch.Generator()],
        )
    )
    assert torch.equal(seen(context), before)


def test_a_context_is_encoded_in_chunks_and_stays_valid_when_it_is_cancelled() -> None:
    model, ids = tiny_model(), tokens(2 * ENCODE_CHUNK)
    context, asked = model.new_context(), []

    def once() -> None:
        asked.append(len(context))
        if len(asked) == 2:
            raise Cancelled("no more")

    with pytest.raises(Cancelled):
        model.encode(ids, context, once)
    assert asked == [0, ENCODE_CHUNK]
    assert context.tokens == ids[:ENCODE_CHUNK]
    model.encode(ids[ENCODE_CHUNK:], context)
    torch.testing.assert_close(seen(context), seen(encoded(ids)), atol=1e-5, rtol=0)


def test_free_slots_see_the_pinned_suffix_and_pinned_slots_hold_still() -> None:
    model = tiny_model().behind(encoded(tokens(40)))
    noise = torch.tensor(tokens(4, seed=3))
    predictions = []
    for suffix in (tokens(5, seed=4), tokens(5, seed=5)):
        canvas = UniformCanvas.before([4], suffix, CPU)
        predictions.append(model.predict(canvas, canvas.filled(noise), None))
        rule = DenoisingRule(steps=4)
        for step in denoise(model, canvas, rule, [torch.Generator().manual_seed(0)]):
            assert step.held[0, 4:].tolist() == suffix
    first, second = (logits.softmax(-1) for logits in predictions)
    assert (first - second).abs().sum(-1).min() > 1e-3


def test_pinned_tokens_are_believed_as_if_they_were_certain() -> None:
    model, canvas = tiny_model(), UniformCanvas.before([2], [7, 9, 11], CPU)
    belief = model.behind(encoded(tokens(4))).believe(canvas, torch.randn(2, VOCABULARY))
    certain = torch.full((3, VOCABULARY), -1e4)
    certain[torch.arange(3), torch.tensor([7, 9, 11])] = 0
    torch.testing.assert_close(belief[0, 2:], model.embed_softly(certain), atol=1e-6, rtol=0)


def test_shorter_rows_of_a_batch_see_no_padding() -> None:
    model = tiny_model().behind(encoded(tokens(40)))
    lengths, suffix = [1, 4, 9], tokens(5, seed=4)
    noise = torch.tensor(tokens(9, seed=3))
    batch = UniformCanvas.before(lengths, suffix, CPU)
    ids = batch.filled(torch.cat([noise[:n] for n in lengths]))
    belief = model.believe(batch, torch.randn(14, VOCABULARY))
    together = torch.split(model.predict(batch, ids, belief), lengths)
    for row, length in enumerate(lengths):
        alone = UniformCanvas.before([length], suffix, CPU)
        width = length + len(suffix)
        expected = model.predict(alone, ids[row : row + 1, :width], belief[row : row + 1, :width])
        torch.testing.assert_close(together[row], expected, atol=1e-5, rtol=0)


def test_what_was_believed_matters() -> None:
    model = tiny_model().behind(encoded(tokens(40)))
    canvas, ids = UniformCanvas.blank(4, CPU), torch.tensor([tokens(4)])
    belief = model.believe(canvas, torch.randn(4, VOCABULARY) * 5)
    assert (
        model.predict(canvas, ids, None) - model.predict(canvas, ids, belief)
    ).abs().max() > 1e-3


def test_bfloat16_is_close_to_float32() -> None:
    coarse = DiffusionGemma(tiny_network().to(torch.bfloat16))
    ids = tokens(50)
    exact = seen(encoded(ids))
    rounded = seen(encoded(ids, coarse), coarse)
    assert rounded.dtype == torch.float32
    assert rounded.isfinite().all()
    assert torch.nn.functional.cosine_similarity(exact, rounded).min() > 0.9


def test_the_store_gives_back_what_shares_most() -> None:
    store = ContextStore(2**30)
    one, other = encoded(tokens(50)), encoded(tokens(50, seed=1))
    store.put(one)
    store.put(other)
    taken = store.take([*tokens(50)[:45], 3, 4], tiny_model().new_context)
    assert taken is one
    assert taken.tokens == tokens(50)[:45]
    assert len(store) == 1


def test_another_document_s_context_is_copied_from_and_stays() -> None:
    store, ids = ContextStore(2**30), tokens(50)
    store.put(encoded(ids))
    taken = store.take([*ids[:10], *tokens(30, seed=2)], tiny_model().new_context)
    assert taken.tokens == ids[:10]
    tiny_model().encode(tokens(30, seed=2), taken)
    again = store.take(ids, tiny_model().new_context)
    assert again.tokens == ids
    torch.testing.assert_close(seen(again), seen(encoded(ids)), atol=1e-5, rtol=0)


def test_the_store_keeps_within_its_bytes_and_drops_the_oldest() -> None:
    contexts = [encoded(tokens(50, seed=seed)) for seed in range(4)]
    store = ContextStore(2 * contexts[0].nbytes)
    for context in contexts:
        store.put(context)
        assert store.nbytes <= 2 * contexts[0].nbytes
    assert len(store) == 2
    assert len(store.take(tokens(50, seed=0), tiny_model().new_context)) == 0
    assert store.take(tokens(50, seed=3), tiny_model().new_context) is contexts[3]
    store.put(contexts[3])
    store.clear()
    assert store.nbytes == 0


def test_a_context_larger_than_the_whole_store_is_kept_alone() -> None:
    store = ContextStore(10)
    store.put(encoded(tokens(5)))
    store.put(encoded(tokens(6, seed=1)))
    assert len(store) == 1
    assert len(store.take(tokens(6, seed=1), tiny_model().new_context)) == 6


def test_the_context_in_use_counts_among_what_the_store_may_hold() -> None:
    room = encoded(tokens(1)).nbytes
    store = ContextStore(3 * room)
    for seed in range(3):
        store.put(encoded(tokens(ROOM_STEP, seed=seed)))
    taken = store.take(tokens(ROOM_STEP + 1, seed=3), tiny_model().new_context)
    tiny_model().encode(tokens(ROOM_STEP + 1, seed=3), taken)
    assert taken.nbytes == 2 * room
    assert store.nbytes + taken.nbytes <= 3 * room
    assert len(store) == 1
    assert len(store.take(tokens(ROOM_STEP, seed=2), tiny_model().new_context)) == ROOM_STEP


def test_buffers_have_the_length_that_was_reserved_and_stay_while_it_comes() -> None:
    model, ids = tiny_model(), tokens(3 * ENCODE_CHUNK)
    context = model.new_context()
    context.reserve(len(ids))
    sizes = []
    model.encode(ids, context, lambda: sizes.append(context.nbytes))
    assert sizes == [0, context.nbytes, context.nbytes]
    assert context.nbytes == context.token_bytes * len(ids)
    context.crop(100)
    model.encode(tokens(40, seed=1), context)
    assert context.nbytes == sizes[1]
    expected = encoded(context.tokens)
    torch.testing.assert_close(seen(context), seen(expected), atol=1e-5, rtol=0)


def test_a_copy_has_room_for_what_is_going_to_come() -> None:
    ids = tokens(40)
    copy = encoded(ids).fork(30, ROOM_STEP + 1)
    assert copy.nbytes == copy.token_bytes * 2 * ROOM_STEP
    torch.testing.assert_close(seen(copy), seen(encoded(ids[:30])), atol=1e-5, rtol=0)


def test_a_batch_is_predicted_in_parts_as_in_one() -> None:
    model = tiny_model().behind(encoded(tokens(40)))
    batch = UniformCanvas.before([1, 4, 9], tokens(5, seed=4), CPU)
    ids = batch.filled(torch.tensor(tokens(14, seed=3)))
    parts = list(model.predict_in_parts(batch, ids, [5, 9]))
    assert [len(part) for part in parts] == [5, 9]
    torch.testing.assert_close(torch.cat(parts), model.predict(batch, ids, None))
