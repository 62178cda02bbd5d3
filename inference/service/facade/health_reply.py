"""The engine's health with a word that other tools understand."""

from __future__ import annotations

from midfill.inference.wire import EngineState, Health

WORDS = {
    EngineState.READY: "ok",
    EngineState.IDLE: "ok",  # the next request loads the model
    EngineState.LOADING: "loading model",
    EngineState.FAILED: "error",
    EngineState.DRAINING: "draining",
}


class HealthReply(Health):
    """A `Health`; the ``status`` is for llama.cpp's clients."""

    status: str


def health_word(health: Health) -> str:
    return WORDS[health.state]


def health_reply(health: Health) -> HealthReply:
    return HealthReply(**health.model_dump(), status=health_word(health))
