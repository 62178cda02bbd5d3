"""Many people at once, some of whom change their mind: nobody ever reads a word of another's."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from echo_service import MEMBERS, REAL, EchoService, team
from soaking import times

from midfill.inference.transport import async_client
from midfill.inference.wire import Final, InfillRequest, Limits
from midfill.lsp.engine_client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from midfill.inference.transport import Address

REQUESTS = times(40, 1000)
"""Of each member."""

MARK = re.compile(r"mark_[a-z]+_\d+_")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoService]:
    folder = tmp_path_factory.mktemp("markers")
    with team(folder, "--rate", "0", "--fills-at-once", "8", ECHO_STEP_SECONDS="0.0003") as service:
        yield service
        assert "mark_" not in service.log.read_text()


@dataclass
class Seen:
    """What came of one member's requests."""

    whole: int = 0
    left: int = 0
    refused: int = 0
    foreign: list[str] = field(default_factory=list)


def asked(mark: str, chance: random.Random) -> tuple[str, dict[str, Any]]:
    """One of the ways to ask; few tokens, so that many fills begin and end in between."""
    tokens = chance.randrange(1, 12)
    prefix = f"# the same for everybody\n{mark} = "
    stream = chance.random() < 0.5
    return chance.choice(
        [
            ("/v1/infill", {"prefix": prefix, "limits": {"tokens": tokens}, "n": 2}),
            ("/v1/prompt", {"prefix": prefix}),
            (
                "/v1/completions",
                {"prompt": prefix, "suffix": "", "max_tokens": tokens, "stream": stream},
            ),
            (
                "/v1/fim/completions",
                {"prompt": prefix, "suffix": "\n", "max_tokens": tokens, "stream": stream},
            ),
            ("/infill", {"prompt": prefix, "input_suffix": "\n", "n_predict": tokens}),
            ("/api/generate", {"model": "m", "prompt": prefix, "suffix": "\n", "stream": stream}),
        ]
    )


async def ask_for_long(address: Address, name: str, seen: Seen) -> None:
    """Ask again and again, and leave in the middle of every third answer or so."""
    chance = random.Random(name)
    async with async_client(address, httpx.Timeout(30)) as http:
        for number in range(REQUESTS):
            mark = f"mark_{name}_{number}_"
            path, body = asked(mark, chance)
            patience = chance.uniform(0, 0.03) if chance.random() < 0.3 else 30.0
            came = bytearray()
            try:
                async with asyncio.timeout(patience), http.stream("POST", path, json=body) as reply:
                    async for piece in reply.aiter_bytes():
                        came += piece
                seen.refused += reply.status_code in (429, 503)
                seen.whole += mark.encode() in came
            except TimeoutError:
                seen.left += 1
            found = MARK.findall(came.decode(errors="replace"))
            seen.foreign += [other for other in found if other != mark]


@pytest.mark.usefixtures("embedded_files")
async def test_the_real_model_whose_steps_are_shared_tells_nobody_of_others(
    tmp_path: Path,
) -> None:
    with team(tmp_path, "--rate", "0", "--fills-at-once", "4", program=REAL) as service:

        async def fill(name: str, number: int) -> tuple[str, str]:
            mark = f"mark_{name}_{number}_"
            prefix = f'secret = "{mark}"\nassert secret == "'
            request = InfillRequest(prefix=prefix, limits=Limits(tokens=16))
            engine = EngineClient(service.as_member(name))
            try:
                *_, last = [it async for it in engine.infill(request)]
            finally:
                await engine.aclose()
            assert isinstance(last, Final)
            return mark, last.text

        found = await asyncio.gather(*(fill(name, 17 * at) for at, name in enumerate(MEMBERS)))

    assert [{*MARK.findall(text)} for _, text in found] == [{mark} for mark, _ in found]


async def test_no_reply_holds_a_word_of_anybody_else(service: EchoService) -> None:
    seen = {name: Seen() for name in MEMBERS}

    async with asyncio.timeout(600):
        await asyncio.gather(
            *(
                ask_for_long(service.as_member(name), name, seen[name])
                for name in MEMBERS
                for _ in range(2)
            )
        )

    assert {name: it.foreign for name, it in seen.items()} == {name: [] for name in MEMBERS}
    for it in seen.values():
        assert it.whole > REQUESTS
        assert it.left > 0
        assert it.refused == 0
    print({name: (it.whole, it.left) for name, it in seen.items()})
