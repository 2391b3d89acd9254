"""No plugin reaches its provider when it is destroyed: it logs out when its channel closes."""

import asyncio
import gc
import socket
import sys
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partialmethod
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager
from apprise.plugins.aprs import NotifyAprs
from apprise.plugins.base import NotifyBase
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.matrix import NotifyMatrix

from router import Delivered
from router.bridge import Request, Response, requests
from router.bridge.patching import patch_apprise
from router.bridge.plugin_classes import detach_destructor, find_closer
from router.bridge.runner import PluginRunner
from router.channel import Transport
from router.testing import FakeProvider, ProviderReply, ScriptedTransport, make_message
from router.transport.http import AiohttpTransport
from tests.bridge.apprise_plugins import build
from tests.bridge.heartbeat import heartbeat
from tests.bridge.login_services import AnyChannel, answer, open_any
from tests.bridge.test_shared_login import CASES

LOGOUT_S = 3.0
STILL_S = 1.0
"""A loop that stands still for a third of a logout has waited for it."""

PARTING = [name for name in CASES if "logout" in CASES[name]]


class Slow(FakeProvider):
    """A real server that takes its time for a logout."""

    async def _handle(self, message: Any) -> Any:  # noqa: ANN401 - aiohttp's types
        if message.path.lower().endswith(("logout", "revoke")):
            self.requests.append(Request(method="LOGOUT", url=str(message.url)))
            await asyncio.sleep(LOGOUT_S)
        return await super()._handle(message)


@pytest.fixture
async def provider() -> AsyncIterator[Slow]:
    async with Slow(answer=answer) as slow:
        yield slow


def logouts(provider: FakeProvider) -> int:
    return sum(request.method == "LOGOUT" for request in provider.requests)


async def log_in(name: str, transport: Transport) -> tuple[AnyChannel, NotifyBase]:
    """Return a channel with a plugin that is logged in."""
    case = CASES[name]
    channel = open_any(case["url"], transport)
    outcome = await channel.send(make_message(address=case.get("to", "").format(1)))
    assert isinstance(outcome, Delivered)
    [[plugin]] = channel._plugin_pool._idle.values()
    return channel, plugin


def test_the_plugins_with_destructors_are_known_and_have_none_left() -> None:
    patch_apprise()
    parting = {
        k.__name__ for k in NotificationManager().plugins() if hasattr(k, "detached_destructor")
    }
    assert parting == {
        "NotifyAprs",
        "NotifyEmby",
        "NotifyJellyfin",
        "NotifyMQTT",
        "NotifyMatrix",
        "NotifyRingCentral",
        "NotifyTwist",
        "NotifyXMPP",
    }
    left = [
        value
        for name, module in sys.modules.copy().items()
        if name.startswith("apprise.plugins")
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == name and hasattr(value, "__del__")
    ]
    assert left == []


def test_a_class_made_elsewhere_loses_its_destructor_when_it_is_used() -> None:
    class Homemade(NotifyJSON):
        """With a destructor."""

        def __del__(self) -> None:
            ended.append(requests.post("https://api.example.com/logout"))

    ended: list[object] = []
    from router.bridge.plugin_pool import make_plugin  # noqa: PLC0415

    plugin = make_plugin((Homemade, {"host": "x.example"}))
    assert find_closer(plugin) is not None
    del plugin
    gc.collect()
    assert ended == []
    assert not detach_destructor(Homemade)


def test_a_destructor_that_is_no_function_is_taken_too() -> None:
    ended: list[object] = []

    def note(plugin: object) -> None:
        ended.append(plugin)

    class Homemade(NotifyJSON):
        """With a destructor that has no code of its own."""

        __del__ = partialmethod(note)

    assert detach_destructor(Homemade)
    Homemade(host="x.example")
    gc.collect()
    assert ended == []


class Closing:
    """Closes by a method of another name."""

    def __init__(self, tried: list[str]) -> None:
        self.tried = tried

    def close(self) -> None:
        try_to_post(self.tried)

    __del__ = close


def try_to_post(tried: list[str]) -> None:
    try:
        requests.post("https://api.example.com/goodbye")
    except requests.RequestException as error:
        tried.append(str(error))


@pytest.mark.parametrize("kind", [NotifyJSON, NotifyMatrix])
async def test_what_garbage_collection_calls_in_a_send_is_no_part_of_it(
    kind: type[NotifyBase],
) -> None:
    class Part:
        """A part of a plugin of somebody else's, in a cycle."""

    tried: list[str] = []

    def work() -> bool:
        parts: list[Any] = [Part(), Part(), Closing(tried)]
        for part in parts:
            part.cycle = part
        weakref.finalize(parts[0], try_to_post, tried)
        reference = weakref.ref(parts[1], lambda _: try_to_post(tried))
        at_once = Part()
        weakref.finalize(at_once, try_to_post, tried)
        del at_once, parts, part
        gc.collect()
        return requests.get("https://api.example.com/message").ok and reference() is None

    runner = PluginRunner(ScriptedTransport(Response(status=200)), seconds=10)
    exchanges: list[Any] = []
    assert await runner.run(kind, work, exchanges)
    assert [exchange.request.method for exchange in exchanges] == ["GET"]
    assert tried == ["no request from a destructor"] * 4
    runner.close()


async def collect_on_the_loop(_: Transport) -> None:
    gc.collect()


async def collect_in_a_send(transport: Transport) -> None:
    await _collect_while(NotifyJSON, transport)


async def collect_in_a_thread_of_a_send(transport: Transport) -> None:
    await _collect_while(NotifyMatrix, transport)


async def _collect_while(kind: type[NotifyBase], transport: Transport) -> None:
    def work() -> bool:
        first = requests.get("https://api.example.com/before").ok
        gc.collect()
        return first and requests.get("https://api.example.com/after").ok

    runner = PluginRunner(transport, seconds=10)
    exchanges: list[Any] = []
    assert await runner.run(kind, work, exchanges)
    assert [exchange.request.url.rpartition("/")[2] for exchange in exchanges] == [
        "before",
        "after",
    ]
    runner.close()


MOMENTS: dict[str, Callable[[Transport], Awaitable[None]]] = {
    "on the loop": collect_on_the_loop,
    "in a send": collect_in_a_send,
    "in a thread of a send": collect_in_a_thread_of_a_send,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", PARTING)
async def test_a_collected_plugin_asks_nothing_and_holds_nothing_up(
    name: str, moment: str, provider: Slow
) -> None:
    transport = AiohttpTransport(rewrite={"*": provider.url})
    channel, plugin = await log_in(name, transport)
    vars(plugin)["cycle"] = plugin
    channel._runner.close()
    del channel, plugin
    async with heartbeat() as heart:
        await MOMENTS[moment](transport)
    await transport.aclose()
    assert logouts(provider) == 0
    assert heart.longest < STILL_S


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", PARTING)
async def test_in_a_sandbox_it_reaches_nobody_either(name: str, moment: str) -> None:
    sandbox = ScriptedTransport(lambda request: Response(status=200, body=answer(request).body))
    channel, plugin = await log_in(name, sandbox)
    vars(plugin)["cycle"] = plugin
    del channel, plugin
    sandbox.carried.clear()
    async with heartbeat() as heart:
        await MOMENTS[moment](sandbox)
    assert not any("logout" in request.url.lower() for request in sandbox.carried)
    assert heart.longest < STILL_S


@pytest.mark.parametrize("name", PARTING)
async def test_a_channel_that_closes_logs_out_over_its_transport(name: str, provider: Slow) -> None:
    transport = AiohttpTransport(rewrite={"*": provider.url})
    channel, _ = await log_in(name, transport)
    async with heartbeat() as heart:
        began = time.monotonic()
        await channel.aclose()
        took = time.monotonic() - began
    await transport.aclose()
    assert logouts(provider) == 1
    assert took >= LOGOUT_S
    assert heart.longest < STILL_S


@pytest.mark.parametrize("name", PARTING)
async def test_in_a_sandbox_the_logout_is_recorded(name: str) -> None:
    sandbox = ScriptedTransport(lambda request: Response(status=200, body=answer(request).body))
    channel, _ = await log_in(name, sandbox)
    sandbox.carried.clear()
    await channel.aclose()
    assert [request.url.endswith(CASES[name]["logout"]) for request in sandbox.carried] == [True]


async def test_a_provider_that_never_answers_a_logout_holds_the_channel_for_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.bridge.channel.CLOSE_TIMEOUT_S", 0.3)

    def says(request: Request) -> ProviderReply:
        return ProviderReply(fault="hang") if "logout" in request.url.lower() else answer(request)

    async with FakeProvider(answer=says) as hanging:
        transport = AiohttpTransport(rewrite={"*": hanging.url})
        channels = [(await log_in(name, transport))[0] for name in ("emby", "matrix", "twist")]
        async with heartbeat() as heart:
            began = time.monotonic()
            await asyncio.gather(*(channel.aclose() for channel in channels))
            took = time.monotonic() - began
        await transport.aclose()
    assert took < LOGOUT_S
    assert heart.longest < STILL_S


async def test_a_plugin_with_a_connection_of_its_own_closes_it_in_its_thread() -> None:
    class Live(ScriptedTransport):
        is_live = True

    plugin: Any = build("aprs://DF1JSL:12345@DF1ABC")
    runner = PluginRunner(Live(Response(status=200)), seconds=5)
    assert await runner.run(NotifyAprs, lambda: True, [])
    ours, theirs = socket.socketpair()
    plugin.sock = ours
    runner.release(plugin)
    await runner.wait_closed(seconds=5)
    assert theirs.recv(1) == b""
    theirs.close()
    runner.close()


def test_the_plugin_of_a_probe_says_nothing_when_it_goes() -> None:
    for name in PARTING:
        build(CASES[name]["url"].replace("{to}", "%23room"))
    gc.collect()
