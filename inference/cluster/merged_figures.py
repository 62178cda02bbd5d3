"""Several replicas' figures in one exposition, told apart by a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import Metric

REPLICA = "replica"


def merged(expositions: Sequence[bytes]) -> bytes:
    """Every sample of every exposition, with a label ``replica`` that counts them from 0."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Labelled(expositions))
    return generate_latest(registry)


class _Labelled:
    def __init__(self, expositions: Sequence[bytes]) -> None:
        self._expositions = expositions

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for number, exposition in enumerate(self._expositions):
            for family in text_string_to_metric_families(exposition.decode()):
                whole = families.setdefault(family.name, family)
                samples = [
                    sample._replace(labels={**sample.labels, REPLICA: str(number)})
                    for sample in family.samples
                ]
                whole.samples = samples if whole is family else whole.samples + samples
        yield from families.values()
