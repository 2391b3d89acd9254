"""`POST /v1/recipients/import`: many recipients in one body, read as it comes."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.model.byte_order_mark import skip_byte_order_mark
from router.web import connection, imports, recipients, server
from router.web.imports import LineSplitter
from tests.web.harness import APP, Harness, open_harness, serve

Node = dict[str, Any]


@pytest.fixture
async def harness(tmp_path: Path, database_url: str) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, url=database_url) as harness:
        yield harness


async def send(harness: Harness, *lines: object, query: str = "", key: str = APP) -> httpx.Response:
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    async with harness.client(key) as client:
        return await client.post(f"/v1/recipients/import{query}", content=body.encode())


def summary(answer: httpx.Response) -> tuple[int, int, int, int]:
    assert answer.status_code == 200, answer.text
    told: Node = answer.json()
    return told["lines"], told["changed"], told["unchanged"], told["bad"]


async def test_good_lines_are_imported_and_bad_ones_told(harness: Harness) -> None:
    answer = await send(
        harness,
        {"uid": "bob", "contacts": {"email": "bob@example.com"}},
        "nonsense",
        {"uid": "ann", "contacts": {"emial": "x"}, "zone": "UTC"},
        {"uid": "ann"},
        query="?appId=app-1",
    )
    assert summary(answer) == (4, 2, 0, 2)
    assert [(p["line"], p["path"]) for p in answer.json()["problems"]] == [(2, "$"), (3, "$.zone")]
    assert answer.json()["stoppedAt"] is None
    async with harness.client(APP) as client:
        shown: Node = (await client.get("/v1/recipients/bob")).json()
    assert shown["contacts"] == {"email": "b…@example.com"}


async def test_a_dry_run_changes_nothing_and_a_second_run_too(harness: Harness) -> None:
    line = {"uid": "bob", "appId": "app-1", "devices": [{"platform": "fcm_web", "token": "t"}]}
    assert summary(await send(harness, line, query="?dryRun=true")) == (1, 1, 0, 0)
    assert summary(await send(harness, line)) == (1, 1, 0, 0)
    assert summary(await send(harness, line)) == (1, 0, 1, 0)


async def test_cometchats_lists_are_taken(harness: Harness) -> None:
    token = {"uid": "bob", "platform": "fcm_web", "pushToken": "t", "authToken": "a"}
    answer = await send(
        harness, {"data": {"pushTokens": [token]}}, query="?appId=app-1&shape=cometchat"
    )
    assert summary(answer) == (1, 1, 0, 0)


async def test_too_many_faults_end_it_at_a_line(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipients, "MAX_REPORTED_FAULTS", 2)
    good = {"uid": "bob", "appId": "app-1"}
    answer = await send(harness, good, "bad", "bad", "bad", good)
    assert (summary(answer), answer.json()["stoppedAt"]) == ((3, 1, 0, 2), 3)


async def test_who_may_not_is_refused_and_no_recipient_is_shadowed(harness: Harness) -> None:
    assert (await send(harness, key="wrong")).status_code == 401
    async with harness.client(APP) as client:
        made = await client.put("/v1/recipients/import", json={"appId": "app-1"})
        wrong = await client.post("/v1/recipients/bob", json={})
    assert (made.status_code, wrong.status_code) == (200, 405)
    assert wrong.headers["allow"] == "DELETE, GET, OPTIONS, PUT"


async def test_a_long_import_may_take_longer_than_a_request(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connection, "MAX_UNWANTED_REQUEST_BYTES", 100_000)
    monkeypatch.setattr(connection, "BYTES_PER_TIMEOUT", 10_000)
    monkeypatch.setattr(server, "_CHECK_INTERVAL_TICKS", 1)
    line = json.dumps({"uid": "bob", "appId": "app-1", "attributes": {"a": "x" * 900}}) + "\n"

    async def lines() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield line.encode() * 15
            await asyncio.sleep(0.1)

    async with (
        serve(harness.app) as (host, port),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {APP}"}) as session,
        session.post(f"http://{host}:{port}/v1/recipients/import", data=lines()) as answer,
    ):
        told = await answer.json()
    assert (answer.status, told["lines"], told["changed"]) == (200, 180, 1)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_pieces_of_any_size_make_the_same_lines(body: bytes, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(body)]
    lines = LineSplitter()
    found = [line for start, end in pairwise(ends) for line in lines.cut(body[start:end])]
    found += lines.end()
    expected = [line.removesuffix(b"\r") for line in skip_byte_order_mark(body).split(b"\n")]
    assert found == (expected if body.split(b"\n")[-1] else expected[:-1])
    assert lines.number == len(found)


def test_a_line_that_is_too_long_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_LINE_BYTES", 5)
    lines = LineSplitter()
    pieces = [b"12345\n123", b"456", b"\n7"]
    assert [line for piece in pieces for line in lines.cut(piece)] == [b"12345", None]
    assert list(lines.end()) == [b"7"]
