"""Whether a completion says the same as the gold middle."""

from __future__ import annotations


def exact_match(completion: str, gold: str, *, one_line: bool) -> bool:
    """Whether both are the same but for blank space around them.

    Of one line only the first one counts: the second if the completion starts with a line break,
    or with a space and one.

    Source: the harness of SantaCoder-FIM.
    """
    if one_line:
        lines = completion.split("\n")
        first = 1 if completion.startswith(("\n", " \n")) else 0
        completion = lines[first]
    return completion.strip() == gold.strip()
