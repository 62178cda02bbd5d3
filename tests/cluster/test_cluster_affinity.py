"""A user's keystrokes meet the context that one replica has encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters import Cluster, cluster

if TYPE_CHECKING:
    from pathlib import Path

    from midfill.inference.wire import Final

KEYSTROKES = 60
USERS = {"ann": "alpha", "bob": "beta"}


async def replay(cluster: Cluster) -> list[Final]:
    """Two users type in turn, each in a document of their own; all but their first fills."""
    finals = []
    for typed in range(KEYSTROKES):
        for user, token in USERS.items():
            prefix = f"# {user}'s module\n" * 50 + "x" * typed
            answer = await cluster.ask(prefix, token=token, document=user)
            if typed:
                finals.append(answer.final)
    return finals


def full_hits(finals: list[Final]) -> float:
    """The share of keystrokes for which nothing had to be encoded but what was just typed."""
    return sum(final.cache.new_tokens == 1 for final in finals) / len(finals)


async def test_keystrokes_meet_their_cache_where_the_default_router_misses_it(
    tmp_path: Path, proxy: int
) -> None:
    async with cluster(tmp_path, proxy) as sticky:
        with_affinity = full_hits(await replay(sticky))
    async with cluster(tmp_path, proxy, router=None) as scattered:
        without = full_hits(await replay(scattered))
    print(f"full hits: {with_affinity:.2f} with affinity, {without:.2f} without")
    assert with_affinity > 0.98
    assert without < 0.7
