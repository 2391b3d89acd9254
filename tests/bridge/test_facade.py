"""What plugins see under the name of requests, inside a send and outside of one."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests as real
from requests.exceptions import ConnectionError as Disconnected
from requests.exceptions import ConnectTimeout, ReadTimeout

from router.bridge import (
    Request,
    Response,
    Transport,
    TransportError,
    requests,
)
from router.bridge.crossing import cross
from router.bridge.transport import AiohttpTransport
from router.bridge.trip import TRIP, Trip
from router.testing import Provider, Reply, ScriptedTransport


async def use(transport: Transport, work: Callable[[], Any]) -> tuple[Any, Trip]:
    """Run plain code inside a send."""
    trip = Trip(transport, seconds=5)
    token = TRIP.set(trip)
    try:
        return await cross(work), trip
    finally:
        TRIP.reset(token)


async def test_a_plugin_sees_the_answer_as_requests_shows_it() -> None:
    reply = Reply(
        status=201,
        headers={"Content-Type": "application/json; charset=utf-8", "X-Id": "7"},
        body='{"a": "é"}'.encode(),
    )
    transport = AiohttpTransport()
    async with Provider(reply) as provider:
        answer, trip = await use(transport, lambda: requests.post(f"{provider.url}/x", data="a"))
    await transport.aclose()
    assert (answer.status_code, answer.ok, answer.reason) == (201, True, "Created")
    assert answer.headers["x-ID"] == "7"
    assert answer.text == '{"a": "é"}'
    assert answer.json() == {"a": "é"}
    assert b"".join(answer.iter_content(4)) == answer.content
    assert answer.encoding == "utf-8"
    answer.close()
    assert [hop.status for hop in trip.hops] == [201]
    assert trip.hops[0].field("a") == "é"


@pytest.mark.parametrize("verb", ["get", "head", "options", "post", "put", "patch", "delete"])
async def test_every_verb_is_sent_as_such(verb: str) -> None:
    transport = ScriptedTransport(Response(status=204))
    send = getattr(requests, verb)
    await use(transport, lambda: send("https://api.example.com/x", headers={"A": "b"}))
    assert [(r.method, r.headers) for r in transport.carried] == [(verb.upper(), {"A": "b"})]


async def test_a_request_by_name_is_sent_as_such() -> None:
    transport = ScriptedTransport(Response(status=204))
    await use(transport, lambda: requests.request("PURGE", "https://api.example.com/x"))
    assert transport.carried[0].method == "PURGE"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransportError("timed out", sent=False), ConnectTimeout),
        (TransportError("timed out", sent=True), ReadTimeout),
        (TransportError("the host name is not known", sent=False), Disconnected),
        (TransportError("the connection was reset", sent=True), Disconnected),
    ],
)
async def test_a_plugin_sees_requests_own_exceptions(
    error: TransportError, expected: type[Exception]
) -> None:
    transport = ScriptedTransport(error)
    with pytest.raises(expected) as caught:
        await use(transport, lambda: requests.get("https://api.example.com/TOKEN"))
    assert type(caught.value) is expected
    assert str(caught.value) == error.reason


async def test_the_exceptions_of_requests_are_there_by_name() -> None:
    assert requests.RequestException is real.RequestException
    assert requests.exceptions is real.exceptions
    assert requests.codes.ok == 200
    assert requests.Session is real.Session


async def test_a_request_that_just_failed_is_not_repeated() -> None:
    transport = ScriptedTransport(Response(status=429))

    def work() -> int:
        requests.post("https://api.example.com/x")
        with contextlib.suppress(Disconnected):
            requests.post("https://api.example.com/x")
        return requests.post("https://api.example.com/y").status_code

    status, trip = await use(transport, work)
    assert status == 429
    assert [r.url[-1] for r in transport.carried] == ["x", "y"]
    assert len(trip.hops) == 2


async def test_a_refused_request_may_be_made_again_with_other_credentials() -> None:
    transport = ScriptedTransport(Response(status=401))

    def work() -> list[int]:
        return [requests.get("https://api.example.com/x").status_code for _ in range(2)]

    codes, _ = await use(transport, work)
    assert codes == [401, 401]


async def test_all_requests_of_a_send_share_its_time() -> None:
    class Slow:
        live = True

        async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
            times.append(timeout)
            await asyncio.sleep(0.02)
            return Response(status=200)

    times: list[float] = []

    def work() -> None:
        for path in "abc":
            requests.get(f"https://api.example.com/{path}")

    await use(Slow(), work)
    assert times == sorted(times, reverse=True)
    assert times[0] - times[-1] >= 0.03


async def test_a_thread_of_a_send_uses_its_transport_too() -> None:
    transport = ScriptedTransport(Response(status=200))
    TRIP.set(Trip(transport, seconds=5))
    answer = await asyncio.to_thread(requests.get, "https://api.example.com/x")
    assert answer.status_code == 200
    assert len(transport.carried) == 1


async def test_outside_of_a_send_it_is_the_library_itself() -> None:
    async with Provider(Reply(status=418)) as provider:
        answer = await asyncio.to_thread(requests.get, provider.url)
    assert answer.status_code == 418
    assert provider.requests[0].headers["user-agent"].startswith("python-requests/")


async def test_the_library_itself_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert real.post.__module__ == "requests.api"
    assert real.Session.__module__ == "requests.sessions"
