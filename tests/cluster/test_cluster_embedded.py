"""Two replicas of the embedded model, and two people who type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from clusters import APPLICATION, Cluster
from ray import serve

from midfill.inference.cluster.application import build
from midfill.inference.cluster.settings import ClusterSettings

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.models.embedded.files import EmbeddedFiles

DOCUMENTS = {
    "alpha": "def mean(values: list[float]) -> float:\n    return sum(values) / len(values)\n\n\n"
    "def spread(values: list[float]) -> float:\n    middle = mean(values)\n    ",
    "beta": "class Stack:\n    def __init__(self) -> None:\n        self.items = []\n\n"
    "    def push(self, item: object) -> None:\n        ",
}
TYPED = {"alpha": "return su", "beta": "self.item"}


async def test_typing_is_answered_from_what_a_replica_has_encoded(
    tmp_path: Path, proxy: int, embedded_files: EmbeddedFiles
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("ann alpha\nbob beta\n")
    settings = ClusterSettings(token_file=tokens, min_replicas=2, num_cpus=0.5, load_within=120)
    serve.run(build(settings), name=APPLICATION, route_prefix="/")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy}", timeout=60) as http:
            running = Cluster(http, settings, tmp_path)
            for letters in range(len(TYPED["alpha"]) + 1):
                for token, text in DOCUMENTS.items():
                    prefix = text + TYPED[token][:letters]
                    final = (await running.ask(prefix, token=token, document="d")).final
                    assert final.text
                    if letters:
                        assert final.cache.hit_tokens > 4 * final.cache.new_tokens
    finally:
        serve.delete(APPLICATION)
