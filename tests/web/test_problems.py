"""Every error has the same body, and none tells what it must not."""

import io
from pathlib import Path

import pytest
from httpx import Response
from msgspec.structs import replace

from router.telemetry import configure_logging
from router.web.app import build_site
from tests.web.harness import APP, OPERATOR, Broken, Harness, basic, connect, open_harness


@pytest.fixture
def log() -> io.StringIO:
    """Log as the router does, into a text."""
    stream = io.StringIO()
    configure_logging("debug", "json", stream)
    return stream


def told(answer: Response) -> tuple[int, str, str]:
    """Return status, message and detail of an error, whose shape is checked."""
    body = answer.json()
    assert list(body) == ["message", "detail", "problems"]
    assert isinstance(body["problems"], list)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, body["message"], body["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/v1",
        "/v1/nothing",
        "/docs",
        "/health",
        "/v1/recipients",
    ],
)
async def test_what_is_not_there_is_not_found(path: str, harness: Harness) -> None:
    assert told(await harness.client(OPERATOR).get(path)) == (
        404,
        "not found",
        "unknown route; /docs/openapi.json lists all routes",
    )


async def test_another_method_is_not_allowed(harness: Harness) -> None:
    answer = await harness.client(OPERATOR).put("/v1/deliveries")
    assert told(answer) == (405, "method not allowed", "use GET, OPTIONS")
    assert answer.headers["Allow"] == "GET, OPTIONS"


async def test_a_large_body_is_refused(harness: Harness) -> None:
    large = b"{" + b" " * (2 * 1024 * 1024)
    answer = await harness.client(APP).put("/v1/recipients/bob", content=large)
    assert told(answer) == (413, "request entity too large", "the body is larger than 1 MiB")


async def test_an_impossible_host_is_refused(harness: Harness) -> None:
    answer = await harness.client(Host="a b").get("/health/live")
    assert told(answer)[0] == 400


async def test_a_defect_is_logged_and_tells_nothing(tmp_path: Path, log: io.StringIO) -> None:
    async with open_harness(tmp_path, intake=Broken()) as harness:
        answer = await harness.client().post("/webhook", content=b"{}", headers=basic())
    assert told(answer)[0] == 500
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert "ZeroDivisionError" in log.getvalue()
    assert basic()["Authorization"].removeprefix("Basic ") not in log.getvalue()


async def test_a_defect_in_the_api_is_logged_and_tells_nothing(
    harness: Harness, log: io.StringIO
) -> None:
    def explode() -> bytes:
        raise ZeroDivisionError("hunter2")

    app = build_site(replace(harness.site, exposition=explode))
    answer = await connect(app, Authorization=f"Bearer {OPERATOR}").get("/metrics")
    assert told(answer)[0] == 500
    assert "hunter2" not in answer.text
    assert OPERATOR not in log.getvalue()
    assert "ZeroDivisionError" in log.getvalue()


async def test_a_broken_database_is_logged_without_what_was_to_be_written(
    harness: Harness, log: io.StringIO
) -> None:
    await harness.site.database.write(lambda c: c.exec_driver_sql("DROP TABLE contacts"))
    device = {"appId": "app-1", "platform": "android", "token": "hunter2", "authToken": "orange2"}
    answer = await harness.client(APP).put("/v1/recipients/bob/devices", json=device)
    assert told(answer)[0] == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "no such table: contacts" in log.getvalue()
    for secret in ("hunter2", "orange2", APP):
        assert secret not in log.getvalue() + answer.text
