"""Answers as llama.cpp's server gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.service.facade.answering import Answer


def llama_answers(answer: Answer, model: str) -> list[dict[str, Any]]:
    """One object for each text that differs from those before."""
    return [_answer(answer, model, index, text) for index, text in enumerate(answer.texts)]


def llama_piece(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "content": text, "stop": False}


def empty_answer(model: str) -> dict[str, Any]:
    """To a request that wanted nothing written, or that has come to nothing."""
    return {"index": 0, "content": "", "model": model, "stop": True, "stop_type": "none"}


def only(fields: Sequence[str] | None, answer: dict[str, Any]) -> dict[str, Any]:
    """The fields that are asked for, all if none is; ``a/b`` arrives under that name."""
    if not fields:
        return answer
    picked = {}
    for name in fields:
        value: Any = answer
        for step in name.split("/"):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            picked[name] = value
    return picked


def _answer(answer: Answer, model: str, index: int, text: str) -> dict[str, Any]:
    final = answer.final
    first = index == 0
    limited, word = answer.limited and first, answer.stop if first else ""
    return {
        "index": index,
        "content": text,
        "model": model,
        "stop": True,
        "stop_type": "limit" if limited else "word" if word else "eos",
        "stopping_word": word,
        "tokens_evaluated": answer.prompt_tokens,
        "tokens_predicted": answer.tokens,
        "tokens_cached": final.cache.hit_tokens if final else 0,
        "truncated": False,
        "timings": _timings(answer),
    }


def _timings(answer: Answer) -> dict[str, float]:
    if answer.final is None:
        return {}
    ms, cache = answer.final.ms, answer.final.cache
    return {
        "cache_n": cache.hit_tokens,
        **_timed("prompt", cache.new_tokens, ms.encode),
        **_timed("predicted", answer.tokens, ms.denoise),
    }


def _timed(what: str, tokens: int, ms: float) -> dict[str, float]:
    return {
        f"{what}_n": tokens,
        f"{what}_ms": ms,
        f"{what}_per_token_ms": ms / tokens if tokens else 0.0,
        f"{what}_per_second": 1e3 * tokens / ms if ms else 0.0,
    }
