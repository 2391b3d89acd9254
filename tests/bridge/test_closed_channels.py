"""What a closed channel was made of is freed at once, without the garbage collector."""

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from apprise.plugins.base import NotifyBase

from router.app import ChannelFactory
from router.bridge import Build, RecordedExchange, Request, Response, TransportError
from router.bridge.plugin_pool import make_plugin
from router.channel import Channel
from router.registry import load_plugins
from router.rulebook.files import read_rules
from router.rulebook.rulebook import ActiveRules
from router.store.db.database import Database
from router.store.log.rulesets import Rulesets
from router.telemetry import Metrics
from router.testing import FakeProvider, ScriptedTransport, make_message
from router.testing.script import ScriptedResult
from router.transport.http import AiohttpTransport
from tests.bridge.login_services import answer, open_any
from tests.bridge.test_shared_login import CASES

URLS: dict[str, tuple[str, str]] = {
    "json": ("jsons://json.example/", ""),
    "telegram": ("tgram://123456789:abcdefg_hijklmnop/{to}", "12345"),
    **{name: (case["url"], case.get("to", "").format(1)) for name, case in CASES.items()},
}

LINES: dict[str, ScriptedResult] = {
    "refused": Response(status=401),
    "failed": Response(status=500),
    "lost": TransportError("timed out", sent=True),
    "unreachable": TransportError("the server is unreachable", sent=False),
}


class Watch:
    """Weak references to a channel and to every plugin that was made for it."""

    def __init__(self) -> None:
        self.made: list[weakref.ref[object]] = []

    def make(self, build: Build, address: str = "", **options: Any) -> NotifyBase:  # noqa: ANN401 - handed on
        plugin = make_plugin(build, address, **options)
        self.made.append(weakref.ref(plugin))
        return plugin

    def left(self) -> list[object]:
        return [part for ref in self.made if (part := ref()) is not None]

    async def freed(self) -> bool:
        """Return whether all is gone; a thread may take a moment to let go of its last work."""
        deadline = time.monotonic() + 10
        while self.left() and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        return not self.left()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Watch what is made, while no collector runs."""
    watching = Watch()
    monkeypatch.setattr("router.bridge.channel.make_plugin", watching.make)
    gc.collect()
    gc.disable()
    yield watching
    gc.enable()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "dropped"])
@pytest.mark.parametrize("name", URLS)
async def test_after_sends_that_went_well(name: str, watch: Watch, *, closed: bool) -> None:
    url, address = URLS[name]
    async with FakeProvider(answer=answer) as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        channel = open_any(url, transport)
        watch.made.append(weakref.ref(channel))
        await asyncio.gather(*(channel.send(make_message(address=address)) for _ in range(3)))
        if closed:
            await channel.aclose()
        del channel
        assert await watch.freed()
        assert len(watch.made) > 1
        await transport.aclose()


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", URLS)
async def test_after_sends_that_failed(name: str, line: str, watch: Watch) -> None:
    url, address = URLS[name]
    channel = open_any(url, ScriptedTransport(LINES[line]))
    watch.made.append(weakref.ref(channel))
    for sent_to in (address, address, "/no address/"):
        await channel.send(make_message(address=sent_to))
    await channel.aclose()
    del channel
    assert await watch.freed()


class Stalling(ScriptedTransport):
    """A way to a provider that never answers."""

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        await asyncio.sleep(timeout)
        raise TransportError("timed out", sent=True)


@pytest.mark.parametrize("name", ["json", "matrix", "wechat"])
async def test_after_a_send_that_was_cancelled_or_ran_out_of_time(name: str, watch: Watch) -> None:
    url, address = URLS[name]
    channel = open_any(url, Stalling(None), timeout=0.2)
    watch.made.append(weakref.ref(channel))
    await channel.send(make_message(address=address))
    sending = asyncio.create_task(channel.send(make_message(address=address)))
    await asyncio.sleep(0.05)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    await channel.aclose()
    del channel, sending
    assert await watch.freed()


async def test_in_a_sandbox_as_the_router_opens_it(watch: Watch) -> None:
    registry = load_plugins()
    ruleset = read_rules(Path("rules.yaml"), registry.schemas, sandbox=True).loaded.ruleset
    assert ruleset is not None
    exchanges: list[RecordedExchange] = []
    for spec in ruleset.channels.values():
        channel = ChannelFactory(live=None, record=exchanges.append).open(registry, spec)
        watch.made.append(weakref.ref(channel))
        await channel.send(make_message(address="anna@example.com"))
        await channel.aclose()
        del channel
        assert await watch.freed(), spec.name
    assert len(exchanges) > 0


async def test_a_reload_frees_the_channels_it_replaces(tmp_path: Path, watch: Watch) -> None:
    """As the running router does it, with a way out of its own and the files edited."""
    registry = load_plugins()
    rules = tmp_path / "rules.yaml"
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/r.db", migrate=True)
    async with FakeProvider(answer=answer) as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        outlet = ChannelFactory(live=transport)
        book = ActiveRules(rules, kept=Rulesets(database), metrics=Metrics(), sandbox=False)
        for number in range(3):
            rules.write_text(RULES.replace("NUMBER", str(number)))
            if number == 0:
                await book.start(registry.schemas, lambda spec: outlet.open(registry, spec))
            else:
                await book.reload()
            channel = book.channel("chat")
            assert channel is not None
            watch.made.append(weakref.ref(channel))
            await channel.send(make_message(address="#room"))
            del channel
        assert len([part for part in watch.left() if isinstance(part, Channel)]) == 3
        await book.aclose()
        assert await watch.freed()
        await transport.aclose()
    await database.close()


RULES = """
version: 1
channels:
  chat: {plugin: apprise, url: "matrix://user:passNUMBER@matrix.example/{to}"}
rules: [{name: all, send: [chat]}]
"""
