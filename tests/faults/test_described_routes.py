"""Every route is asked what its description allows, and what it does not allow."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
import schemathesis
from echo_service import EchoService, team, token_of
from hypothesis import given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks
from soaking import times

from midfill.inference.service.facade.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case
    from schemathesis.checks import CheckContext
    from schemathesis.core.transport import Response
    from schemathesis.schemas import BaseSchema

EACH = times(12, 500)
"""Requests to each route."""

MEMBER = {"Authorization": f"Bearer {token_of('ann')}"}

NOT_LIKE_THIS = ("/v1/events", "/v1/drain")
"""One never ends, and one ends the server."""

ROUTES = [(it.method, it.path) for it in OPERATIONS if it.path not in NOT_LIKE_THIS]


def no_failure(context: CheckContext, response: Response, case: Case) -> None:
    """Whoever gives a fill a millisecond may be told that it did not come to its turn."""
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        checks.not_a_server_error(context, response, case)


CHECKS = [
    no_failure,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoService]:
    folder = tmp_path_factory.mktemp("described")
    with team(folder, "--rate", "0", ECHO_STEP_SECONDS="0") as service:
        yield service
        log = service.log.read_text()
    assert not [line for line in log.splitlines() if " ERROR " in line or " CRITICAL " in line]


@pytest.fixture(scope="module")
def described(service: EchoService) -> BaseSchema:
    return schemathesis.openapi.from_url(
        f"http://127.0.0.1:{service.port}/openapi.json", headers=MEMBER
    )


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_answers_and_refusals_are_as_described(
    method: str, path: str, described: BaseSchema
) -> None:
    operation = described[path][method]

    @settings(max_examples=EACH)
    @given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    def ask(case: Case) -> None:
        response = case.call(headers=MEMBER, timeout=30)
        case.validate_response(response, checks=CHECKS)

    ask()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_who_is_not_let_in_is_told_so_as_described(
    method: str, path: str, described: BaseSchema
) -> None:
    case = described[path][method].Case(headers={"Authorization": "Bearer guessed"})
    case.validate_response(case.call(timeout=30), checks=CHECKS[1:4])
