"""A part of a suite that stands for all of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midfill.inference.evaluation.problems import Problem


def spread_sample(problems: Sequence[Problem], limit: int | None, seed: int) -> tuple[Problem, ...]:
    """``limit`` problems drawn by ``seed``, from as many different tasks as can be.

    A larger limit draws the same ones and more. They come in the suite's order.
    """
    if limit is None or limit >= len(problems):
        return tuple(problems)
    draw = random.Random(seed)
    tasks: dict[str, list[int]] = {}
    for place, problem in enumerate(problems):
        tasks.setdefault(problem.task, []).append(place)
    queues = list(tasks.values())
    draw.shuffle(queues)
    for queue in queues:
        draw.shuffle(queue)
    drawn: list[int] = []
    while len(drawn) < limit:
        for queue in queues:
            if queue:
                drawn.append(queue.pop())
    return tuple(problems[place] for place in sorted(drawn[:limit]))
