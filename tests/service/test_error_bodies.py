"""Whatever goes wrong has one body and one status."""

from __future__ import annotations

import logging
import re

import httpx
import pytest

from tests.service.conftest import RECORDS, Service
from twinkle_jupyter.errors import ConflictError, TwinkleError
from twinkle_jupyter.service.error_bodies import STATUSES, error_response


def test_every_kind_of_error_has_a_status() -> None:
    for kind in TwinkleError.__subclasses__():
        assert kind in STATUSES or kind.__module__ != "twinkle_jupyter.errors"


def test_a_subclass_has_the_status_of_its_parent() -> None:
    class BusyError(ConflictError):
        pass

    assert error_response(BusyError("Busy.")).status_code == 409


async def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    async def chunks() -> object:
        for _ in range(20):
            yield b" " * 10_000

    for content in (b" " * 200_000, chunks()):
        answer = await service.anna.post("/api/v1/runs", content=content)  # type: ignore[arg-type]
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "invalid_data"
        assert "larger than the 0 MiB" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found", "There is nothing at /api/v1/nothing."),
        ("GET", "/api/v1/runs/", 404, "not_found", "There is nothing at /api/v1/runs/."),
        ("GET", "/openapi.json", 404, "not_found", "There is nothing at /openapi.json."),
        ("PUT", "/api/v1/runs", 405, "invalid_request", "PUT /api/v1/runs is not possible."),
        (
            "GET", "/api/v1/runs/x/events?after=last", 400, "invalid_request",
            "`after='last'` is not a whole number.",
        ),
        ("GET", "/api/v1/runs/x/events?after=-1", 400, "invalid_request", "not at least 0"),
    ],
)  # fmt: skip
async def test_whatever_goes_wrong_has_the_same_body(
    service: Service, method: str, path: str, status: int, code: str, message: str
) -> None:
    answer = await service.anna.request(method, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert message in error["message"]


async def test_the_unexpected_is_logged_under_the_id_that_the_user_sees(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    await service.store.put("run/broken", {"no": "such fields"})
    with caplog.at_level(logging.ERROR):
        answer: httpx.Response = await service.anna.get("/api/v1/runs/broken")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "internal_error")
    found = re.fullmatch(r"Internal error, id (error_\w{12})\.", error["message"])
    assert found is not None
    record = next(r for r in caplog.records if found[1] in r.getMessage())
    assert record.exc_info is not None
    assert "Traceback" not in answer.text
    assert RECORDS
