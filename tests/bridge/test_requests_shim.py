"""What plugins see under the name of requests, inside a send and outside of one."""

import asyncio
import contextlib
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import requests as real
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.matrix import NotifyMatrix
from requests.exceptions import ConnectionError as Disconnected
from requests.exceptions import ConnectTimeout, ReadTimeout

from router.bridge import (
    Exchange,
    Request,
    Response,
    Transport,
    TransportError,
    requests,
)
from router.bridge.greenlet_await import run_sync
from router.bridge.runner import PluginRunner
from router.bridge.send_context import SEND_CONTEXT, SendContext, current_send_context
from router.testing import FakeProvider, ProviderReply, ScriptedTransport
from router.transport.http import AiohttpTransport

PATIENCE_S = 30.0


async def use(transport: Transport, work: Callable[[], Any]) -> tuple[Any, SendContext]:
    """Run plain code inside a send."""
    send_context = SendContext(transport, seconds=5)
    token = SEND_CONTEXT.set(send_context)
    try:
        return await run_sync(work), send_context
    finally:
        SEND_CONTEXT.reset(token)


async def test_a_plugin_sees_the_answer_as_requests_shows_it() -> None:
    reply = ProviderReply(
        status=201,
        headers={"Content-Type": "application/json; charset=utf-8", "X-Id": "7"},
        body='{"a": "é"}'.encode(),
    )
    transport = AiohttpTransport()
    async with FakeProvider(reply) as provider:
        answer, send_context = await use(
            transport, lambda: requests.post(f"{provider.url}/x", data="a")
        )
    await transport.aclose()
    assert (answer.status_code, answer.ok, answer.reason) == (201, True, "Created")
    assert answer.headers["x-ID"] == "7"
    assert answer.text == '{"a": "é"}'
    assert answer.json() == {"a": "é"}
    assert b"".join(answer.iter_content(4)) == answer.content
    assert answer.encoding == "utf-8"
    answer.close()
    assert [exchange.status for exchange in send_context.exchanges] == [201]
    assert send_context.exchanges[0].json_value("a") == "é"


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
        (TransportError("the host name was not found", sent=False), Disconnected),
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
    assert requests.auth is real.auth


async def test_a_request_that_just_failed_is_not_repeated() -> None:
    transport = ScriptedTransport(Response(status=429))

    def work() -> int:
        requests.post("https://api.example.com/x")
        with contextlib.suppress(Disconnected):
            requests.post("https://api.example.com/x")
        return requests.post("https://api.example.com/y").status_code

    status, send_context = await use(transport, work)
    assert status == 429
    assert [r.url[-1] for r in transport.carried] == ["x", "y"]
    assert len(send_context.exchanges) == 2


async def test_a_refused_request_may_be_made_again_with_other_credentials() -> None:
    transport = ScriptedTransport(Response(status=401))

    def work() -> list[int]:
        return [requests.get("https://api.example.com/x").status_code for _ in range(2)]

    codes, _ = await use(transport, work)
    assert codes == [401, 401]


async def test_all_requests_of_a_send_share_its_time() -> None:
    class Slow:
        is_live = True

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
    SEND_CONTEXT.set(SendContext(transport, seconds=5))
    answer = await asyncio.to_thread(requests.get, "https://api.example.com/x")
    assert answer.status_code == 200
    assert len(transport.carried) == 1


def ways_out(url: str) -> dict[str, Callable[[], object]]:
    """Return what a plugin may try in order to make a request, by name."""
    prepared = real.Request("GET", url).prepare()
    return {
        "get": lambda: requests.get(url),
        "request": lambda: requests.request("PURGE", url),
        "api": lambda: requests.api.post(url, data="x"),
        "Session": lambda: requests.Session().get(url),
        "session": lambda: requests.session().post(url, json={}),
        "sessions": lambda: requests.sessions.Session().get(url),
        "prepared": lambda: requests.Session().send(prepared),
        "adapter": lambda: requests.adapters.HTTPAdapter().send(prepared),
    }


WAYS = tuple(ways_out("http://127.0.0.1/"))


@pytest.mark.parametrize("way", WAYS)
async def test_outside_of_a_send_a_request_fails_at_once_and_says_so(way: str) -> None:
    async with FakeProvider() as provider:
        ask = ways_out(provider.url)[way]
        with pytest.raises(real.RequestException, match="outside of a send"):
            ask()
        with pytest.raises(real.RequestException, match="outside of a send"):
            await asyncio.to_thread(ask)
        assert provider.requests == []


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_makes_a_request_goes_over_the_transport_of_the_send(way: str) -> None:
    transport = ScriptedTransport(Response(status=302, headers={"location": "https://b.example"}))
    answer, send_context = await use(transport, ways_out("https://api.example.com/x")[way])
    assert answer.status_code == 302
    assert [request.url for request in transport.carried] == ["https://api.example.com/x"]
    assert [exchange.status for exchange in send_context.exchanges] == [302]


def test_nothing_that_connects_by_itself_is_carried_through() -> None:
    ours = {requests, requests.sessions, requests.adapters}
    carried = {id(value): name for module in ours for name, value in vars(module).items()}
    doors = [real.Session, real.session, real.api, real.sessions, real.adapters, real.packages]
    doors += [real.adapters.HTTPAdapter, vars(real.adapters)["PoolManager"]]
    doors += [getattr(real, verb) for verb in ("get", "post", "put", "request")]
    assert [carried[id(door)] for door in doors if id(door) in carried] == []


async def test_a_session_keeps_its_headers_and_credentials_whatever_is_mounted() -> None:
    def work() -> int:
        with requests.Session() as session:
            session.mount("https://", real.adapters.HTTPAdapter(max_retries=3))
            session.headers["X-Key"] = "k"
            session.auth = ("u", "p")
            return session.post("https://api.example.com/x", json={"a": 1}).status_code

    transport = ScriptedTransport(Response(status=200))
    status, _ = await use(transport, work)
    [request] = transport.carried
    assert status == 200
    assert request.headers["X-Key"] == "k"
    assert request.headers["Authorization"] == "Basic dTpw"
    assert request.body == b'{"a": 1}'


async def test_on_the_loops_own_thread_a_request_is_refused_and_not_waited_for() -> None:
    SEND_CONTEXT.set(SendContext(ScriptedTransport(Response(status=200)), seconds=5))
    with pytest.raises(real.RequestException, match="event loop's own thread"):
        requests.get("https://api.example.com/x")


class Parting:
    """An object whose destructor wants the network."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.me = self

    def __del__(self) -> None:
        try:
            requests.post("https://api.example.com/logout")
        except real.RequestException as error:
            self.said.append(str(error))


@pytest.mark.parametrize("apart", [False, True], ids=["loop", "thread"])
async def test_a_destructor_in_the_middle_of_a_send_gets_no_request(*, apart: bool) -> None:
    said: list[str] = []

    def work() -> int:
        Parting(said)
        gc.collect()
        return requests.get("https://api.example.com/x").status_code

    transport = ScriptedTransport(Response(status=200))
    if apart:
        SEND_CONTEXT.set(SendContext(transport, seconds=5))
        assert await asyncio.to_thread(work) == 200
    else:
        assert (await use(transport, work))[0] == 200
    assert said == ["no request from a destructor"]
    assert [request.url[-2:] for request in transport.carried] == ["/x"]


async def test_what_a_send_leaves_on_the_loop_does_not_keep_it() -> None:
    """A pooled connection keeps the context it was made in, for as long as it lives."""
    gc.disable()
    transport = AiohttpTransport()
    try:
        async with FakeProvider() as provider:
            for kind in (NotifyJSON, NotifyMatrix):
                exchanges: list[Exchange] = []
                runner = PluginRunner(transport, seconds=5)
                seen: list[weakref.ref[SendContext]] = []

                def work(url: str = provider.url, seen: list[Any] = seen) -> bool:
                    seen.append(weakref.ref(current_send_context()))
                    return bool(requests.get(url).ok)

                assert await runner.run(kind, work, exchanges)
                runner.close()
                # A thread lets go of its last work after the result is there.
                async with asyncio.timeout(PATIENCE_S):
                    while seen[0]() is not None:  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(0.01)
    finally:
        gc.enable()
        await transport.aclose()


async def test_the_library_itself_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert real.post.__module__ == "requests.api"
    assert real.Session.__module__ == "requests.sessions"
