"""Work that anybody may ask for is done for all who wait, and not more often than it may."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from msgspec.structs import replace

from router.store.db.database import Database
from router.web import openapi
from router.web.app import METRICS_REST_FACTOR, build_site
from router.web.single_flight import SingleFlight
from tests.web.harness import Harness, connect


async def gather(ask: Callable[[], Awaitable[int]], times: int) -> list[int]:
    return await asyncio.gather(*(ask() for _ in range(times)))


async def test_all_who_wait_get_one_result_and_who_comes_later_gets_a_later_one() -> None:
    numbers = count(1)
    begun, go = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        mine = next(numbers)
        begun.set()
        await go.wait()
        return mine

    flight = SingleFlight(work)
    first = asyncio.create_task(gather(flight.result, 64))
    await begun.wait()
    second = asyncio.create_task(gather(flight.result, 64))
    await asyncio.sleep(0)
    go.set()
    assert await first == [1] * 64
    assert await second == [2] * 64


async def test_one_that_leaves_takes_nothing_from_the_others() -> None:
    go = asyncio.Event()
    flight = SingleFlight(go.wait)
    leaves, stays = (asyncio.create_task(flight.result()) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await stays


async def test_an_error_is_everybodys_and_the_next_one_begins_anew() -> None:
    faults = [ZeroDivisionError("once")]

    async def work() -> str:
        if faults:
            raise faults.pop()
        return "well"

    flight = SingleFlight(work)
    errors = await asyncio.gather(flight.result(), flight.result(), return_exceptions=True)
    assert [type(error) for error in errors] == [ZeroDivisionError] * 2
    assert await flight.result() == "well"


async def test_after_work_there_is_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    pauses: list[float] = []

    async def work() -> None:
        nonlocal now
        now += 2.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    flight = SingleFlight(work, rest=9.0, clock=lambda: now)
    for _ in range(3):
        await flight.result()
    assert pauses == [0.0, 18.0, 18.0]


async def test_metrics_are_written_down_once_for_all_who_ask(harness: Harness) -> None:
    written = 0

    def exposition() -> bytes:
        nonlocal written
        written += 1
        return b"router_example 1.0\n"

    app = build_site(replace(harness.site, exposition=exposition))
    async with connect(app) as client:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(64)))
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (200, "router_example 1.0\n")
    }
    assert written < 64 // 4
    assert METRICS_REST_FACTOR >= 1


async def test_the_database_is_asked_once_for_all_who_ask_whether_it_is_well(
    harness: Harness,
) -> None:
    checks = 0

    class Counted(Database):
        """A database that is well, and counts how often it is asked."""

        def __init__(self) -> None:
            pass

        async def check(self) -> None:
            nonlocal checks
            checks += 1
            await asyncio.sleep(0.05)

    app = build_site(replace(harness.site, database=Counted()))
    async with connect(app) as client:
        answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(64)))
    assert checks < 64 // 4
    assert {answer.status_code for answer in answers} == {503}  # there are no rules


async def test_the_document_is_built_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rebuild(*_: object) -> None:
        pytest.fail("the document is built for a request")

    monkeypatch.setattr(openapi, "write_document", rebuild)
    monkeypatch.setattr(openapi, "read_operations", rebuild)
    answers = [await harness.client().get("/docs/openapi.json") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["openapi"] == "3.1.0"
