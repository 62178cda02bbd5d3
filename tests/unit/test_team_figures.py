"""What a team's server tells of its requests: log lines, figures and its health; never text."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import CANARY, eventually, post, serving
from stepping_engine import SteppingEngine
from team_server import team_server

from midfill.inference.service import deep_health
from midfill.lsp.quiet_logging import JsonFormatter, QuietFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

GOOD = {"prefix": "def f():\n    return "}
DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana-dashboard.json"


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that the process logs, as ``--log-format json`` writes it."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    root, level = logging.getLogger(), logging.getLogger("midfill").level
    root.addHandler(handler)
    logging.getLogger("midfill").setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    logging.getLogger("midfill").setLevel(level)


def requests_in(log: StringIO) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["logger"].endswith("access_log")]


async def until(http: httpx.AsyncClient, state: str) -> None:
    """Wait for a state of the engine."""
    async with asyncio.timeout(10):
        while (await http.get("/health")).json()["state"] != state:
            await asyncio.sleep(0.01)


async def figures(http: httpx.AsyncClient) -> dict[str, float]:
    """By name and labels, as Prometheus reads them."""
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        sample.name
        + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_request_is_one_line_of_figures(tmp_path: Path, log: StringIO) -> None:
    async with team_server(SteppingEngine(steps=3, step_seconds=0.01), tmp_path) as team:
        await post(team.service.http, GOOD)
        await eventually(lambda: requests_in(log))

    (line,) = requests_in(log)
    assert (line["caller"], line["method"], line["route"]) == ("ann", "POST", "/v1/infill")
    assert (line["status"], line["steps"], line["tokens"], line["stop"]) == (200, 3, 3, "line-end")
    assert {"queue", "encode", "denoise", "total"} <= set(line["ms"])
    assert line["ms"]["total"] >= 30
    assert (line["cache_hit_tokens"], line["cache_new_tokens"]) == (0, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])


async def test_waiting_for_others_is_the_stage_of_the_queue(tmp_path: Path, log: StringIO) -> None:
    engine = SteppingEngine(steps=1, step_seconds=0.3)
    async with team_server(engine, tmp_path) as team:
        await asyncio.gather(post(team.service.http, GOOD), post(team.service.http, GOOD))
        await eventually(lambda: len(requests_in(log)) == 2)

    # The stepping engine says that it took no time, so that all of it counts as waiting.
    first, second = sorted(line["ms"]["queue"] for line in requests_in(log))
    assert first >= 290
    assert second >= 590


async def test_what_is_refused_is_logged_with_its_reason(tmp_path: Path, log: StringIO) -> None:
    async with team_server(SteppingEngine(), tmp_path) as team:
        http = team.service.http
        await http.get("/health", headers={"Authorization": f"Bearer {CANARY}"})
        await http.post("/v1/infill", json={"prefix": 7})
        await http.get(f"/{CANARY}?{CANARY}")
        await http.post("/v1/drain")
        await http.request("CANARY" + "X" * 10, "/health")
        counted = await figures(http)

    told = [
        (line["caller"], line["route"], line["status"], line["refusal"])
        for line in requests_in(log)[:5]
    ]
    assert told == [
        ("", "/health", 401, "unauthorized"),
        ("ann", "/v1/infill", 422, "invalid-request"),
        ("ann", "(none)", 404, "not-found"),
        ("ann", "/v1/drain", 403, "forbidden"),
        ("ann", "/health", 405, "wrong-method"),
    ]
    assert counted["midfill_refusals_total reason=unauthorized"] == 1
    assert counted["midfill_refusals_total reason=invalid-request"] == 1
    assert counted["midfill_requests_total route=(none) status=404"] == 1
    assert CANARY not in log.getvalue()
    assert not any(CANARY in name for name in counted)


async def test_no_text_is_in_the_log_the_figures_or_a_temporary_file(
    tmp_path: Path, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    private = {
        "prefix": f"{CANARY} = ",
        "suffix": CANARY,
        "context": [{"path": f"{CANARY}.py", "text": CANARY}],
    }
    async with team_server(SteppingEngine(), tmp_path) as team:
        http = team.service.http
        for language in ("", "raise", "raise-ours", "memory", CANARY):
            await post(http, {**private, "language": language})
        await post(http, b'{"prefix": "' + CANARY.encode())
        await post(http, {"prefix": CANARY, CANARY: CANARY})
        await http.post("/v1/prompt", json=private)
        counted = await figures(http)

    assert len(requests_in(log)) == 9
    assert CANARY not in log.getvalue()
    assert "alpha" not in log.getvalue()
    assert not any(CANARY in name for name in counted)
    assert [path for path in temporary.rglob("*") if CANARY.encode() in path.read_bytes()] == []


def test_for_people_a_request_is_one_line_too() -> None:
    record = logging.LogRecord(
        "midfill.x", logging.INFO, "", 1, "request %s", ("status=200",), None
    )
    assert QuietFormatter().format(record).endswith("INFO midfill.x request status=200")
    record = logging.LogRecord("other", logging.ERROR, "", 1, CANARY, (), None, "f")
    assert json.loads(JsonFormatter().format(record))["message"] == "in f (line 1)"


async def test_figures_add_up(tmp_path: Path) -> None:
    async with team_server(SteppingEngine(steps=3), tmp_path) as team:
        http = team.service.http
        await until(http, "ready")
        before = await figures(http)
        for _ in range(2):
            await post(http, GOOD)
        await post(http, {**GOOD, "language": "raise"})
        after = await figures(http)

    assert before["midfill_model_state state=ready"] == 1
    assert before["midfill_model_state state=failed"] == 0
    assert before["midfill_queue_length"] == 0
    assert after["midfill_requests_total route=/v1/infill status=200"] == 3
    assert after["midfill_refusals_total reason=failure"] == 1
    assert after["midfill_filled_tokens_total"] == 6
    assert after["midfill_fill_steps_sum"] == 6
    assert after["midfill_fill_steps_count"] == 2
    for stage in ("queue", "encode", "denoise", "total"):
        assert after[f"midfill_stage_seconds_count stage={stage}"] == 2
    assert after["process_resident_memory_bytes"] > 1e6


async def test_the_queue_is_told_while_it_is_long(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=1000, step_seconds=0.01)
    async with serving(engine, tmp_path) as service:
        waiting = [asyncio.create_task(post(service.http, GOOD)) for _ in range(3)]
        await eventually(lambda: engine.filled)
        assert (await figures(service.http))["midfill_queue_length"] == 3
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_every_query_of_the_dashboard_is_of_figures_that_there_are(tmp_path: Path) -> None:
    async with team_server(SteppingEngine(), tmp_path) as team:
        await post(team.service.http, GOOD)
        await post(team.service.http, {"prefix": 7})
        counted = await figures(team.service.http)
    there: dict[str, set[str]] = {}
    for name in counted:
        metric, *labels = name.split(" ")
        there.setdefault(metric, set()).update(label.partition("=")[0] for label in labels)
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())
    ]

    assert len(queries) >= 10
    for query in queries:
        asked = re.findall(r"\b(?:midfill|process)_\w+", query)
        assert asked, query
        for metric in asked:
            assert metric in there, query
        labels = {
            name
            for group in re.findall(r"by \(([^)]*)\)", query)
            for name in re.split(r",\s*", group)
        }
        labels |= set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', query))
        known = set().union(*(there[metric] for metric in asked)) | {"instance", "job"}
        assert labels <= known, query


async def test_deep_health_fills_a_hole_by_way_of_the_queue(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=2)
    async with serving(engine, tmp_path) as service:
        await until(service.http, "ready")
        answer = await service.http.get("/health/deep")

    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["steps"], told["model"]) == ("ok", 2, "stepping")
    assert told["ms"] > 0
    assert engine.filled == [deep_health.PROBE.prefix]


async def test_asking_for_deep_health_all_the_time_costs_one_fill(tmp_path: Path) -> None:
    engine = SteppingEngine(steps=3, step_seconds=0.02)
    async with serving(engine, tmp_path) as service:
        await until(service.http, "ready")
        answers = await asyncio.gather(*(service.http.get("/health/deep") for _ in range(20)))
        answers += [await service.http.get("/health/deep") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert len(engine.filled) == 1
    assert answers[-1].json()["age_ms"] > 0


async def test_deep_health_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(deep_health.DeepCheck.__init__.__kwdefaults__, "within", 0.2)
    monkeypatch.setitem(deep_health.DeepCheck.__init__.__kwdefaults__, "fresh", 0.0)
    engine = SteppingEngine(steps=1000, step_seconds=0.01)
    async with serving(engine, tmp_path) as service:
        await until(service.http, "ready")
        slow = await service.http.get("/health/deep")
        engine.steps = 1
        well = await service.http.get("/health/deep")

    assert slow.status_code == 503
    assert "no fill came within 0.2 s" in slow.json()["message"]
    assert well.status_code == 200


async def test_deep_health_of_a_model_that_does_not_load_is_its_failure(tmp_path: Path) -> None:
    async with serving(SteppingEngine(load_failures=9), tmp_path) as service:
        await until(service.http, "failed")
        answer = await service.http.get("/health/deep")

    assert answer.status_code == 503
    assert "pull them" in answer.json()["message"]
