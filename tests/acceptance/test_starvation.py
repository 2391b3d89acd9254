"""A provider that is down, with thousands of chats queued for it, keeps no call waiting.

A backlog of 2,000; `ROUTER_TEST_BACKLOG=10000` makes it ten thousand.
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from router.samples import read_sample, restamp
from tests.acceptance.router_process import COMETCHAT, OPERATOR, RouterProcess, free_port, live
from tests.acceptance.webhook_gateway import answering

pytestmark = pytest.mark.slow

BACKLOG = int(os.environ.get("ROUTER_TEST_BACKLOG", "2000"))
CALLS = 20
SLOTS = 32
"""How many sends a channel has out at once, as it is by default."""
TIMEOUT = 2
CLIENTS = 32
SOON = 1.0
"""Seconds in which a call goes out on a busy machine; the aim is 0.2, and what was measured is
printed."""
PATIENCE = 60.0
RULES = """
version: 1
channels:
  bad: {{plugin: webhook, url: "http://127.0.0.1:{bad}/notify", timeout: {timeout}}}
  good: {{plugin: webhook, url: "http://127.0.0.1:{good}/notify", timeout: {timeout}}}
rules:
  - name: call
    when: {{type: call}}
    send: [{{channel: good, expires: 10m}}, {{channel: bad, expires: 10m}}]
  - name: chat
    when: {{type: chat}}
    send: [bad]
"""


@dataclass
class Provider:
    """A gateway on loopback: it takes requests, or hangs on them while it is told to."""

    hangs: bool = False
    began: list[tuple[str, float]] = field(default_factory=list)
    """What it took, by the kind of notification, and when; times are monotonic."""
    at_call: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        content = await request.json()
        if self.hangs:
            await asyncio.sleep(2 * TIMEOUT)
            return web.Response(status=504)
        self.began.append((content["router"]["kind"], time.monotonic()))
        if content["router"]["kind"] == "call":
            self.at_call.set()
        return web.Response(status=204)


def chat(number: int) -> dict[str, Any]:
    payload: dict[str, Any] = restamp(
        read_sample("push_chat_one_on_one"), now=time.time(), story=f"{number}"
    )
    payload["data"]["to"]["uid"] = f"uid-{number % 500}"
    payload["data"]["notificationDetails"]["tag"] = f"{number}"
    return payload


def call(number: int) -> dict[str, Any]:
    payload: dict[str, Any] = restamp(
        read_sample("push_call_audio_initiated"), now=time.time(), story=f"call {number}"
    )
    payload["data"]["to"]["uid"] = f"callee-{number}"
    return payload


@dataclass
class Client:
    """CometChat, and an operator."""

    session: aiohttp.ClientSession
    url: str

    async def post(self, payload: dict[str, Any]) -> float:
        """Post a payload; return when it was accepted."""
        async with self.session.post(
            f"{self.url}/webhook", json=payload, headers=COMETCHAT
        ) as answer:
            assert answer.status == 200, await answer.text()
            return time.monotonic()

    async def post_backlog(self) -> None:
        numbers = iter(range(BACKLOG))

        async def work() -> None:
            for number in numbers:
                await self.post(chat(number))

        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(work())

    async def channel(self, path: str = "") -> dict[str, Any]:
        """Return how the bad channel is, after an operator's POST if a path is given."""
        method = "POST" if path else "GET"
        url = f"{self.url}/v1/channels{path}"
        async with self.session.request(method, url, headers=OPERATOR) as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.json()
        items = told.get("items", [told])
        return next(item for item in items if item["name"] == "bad")

    async def until(self, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return how the bad channel is as soon as that is true of it."""
        deadline = time.monotonic() + PATIENCE
        while not what(item := await self.channel()):
            assert time.monotonic() < deadline, item
            await asyncio.sleep(0.1)
        return item


async def ring(client: Client, good: Provider, number: int) -> float:
    """Return how many seconds after its acceptance a call reaches the provider that is well."""
    good.at_call.clear()
    accepted = await client.post(call(number))
    async with asyncio.timeout(PATIENCE):
        await good.at_call.wait()
    return good.began[-1][1] - accepted


@pytest.mark.parametrize("trouble", ["hangs", "refuses"])
async def test_a_call_goes_out_at_once_though_thousands_wait_for_a_provider_that_is_down(
    tmp_path: Path, trouble: str
) -> None:
    good, bad = Provider(), Provider(hangs=trouble == "hangs")
    ports = {"good": free_port(), "bad": free_port()}
    (tmp_path / "rules.yaml").write_text(RULES.format(**ports, timeout=TIMEOUT))
    process = RouterProcess(tmp_path, live(tmp_path))
    try:
        await asyncio.to_thread(process.start)
        async with answering(good.take, ports["good"]), aiohttp.ClientSession() as session:
            client = Client(session, process.url)
            if trouble == "hangs":
                async with answering(bad.take, ports["bad"]):
                    waits = await starve(client, good)
                    bad.hangs = False
                    await recover(client, bad)
            else:
                waits = await starve(client, good)
                async with answering(bad.take, ports["bad"]):
                    await recover(client, bad)
    finally:
        process.kill()
    print(  # noqa: T201 - shown by pytest -s, for the record
        f"{trouble}: {BACKLOG} chats queued; calls over the other channel after"
        f" {sorted(waits)[CALLS // 2] * 1000:.0f} ms (median), {max(waits) * 1000:.0f} ms (most)"
    )


async def starve(client: Client, good: Provider) -> list[float]:
    """Queue chats for the provider that is down; return how long calls take over the other."""
    await client.post_backlog()
    item = await client.until(lambda item: bool(item["holds"]))
    assert item["holds"][0]["cause"] == "open"
    waits = [await ring(client, good, number) for number in range(CALLS)]
    assert max(waits) < SOON, sorted(waits)
    waiting = await client.channel()
    assert waiting["due"] + waiting["waiting"] + waiting["sending"] > 0.9 * BACKLOG
    return waits


async def recover(client: Client, bad: Provider) -> None:
    """Let the provider be well again: after a chat, if it was probed with one, its calls go first.

    What was begun together arrives in any order. No call was spent while it was down.
    """
    await client.until(lambda item: item["sending"] == 0)
    await client.channel("/bad/resume")
    async with asyncio.timeout(PATIENCE):
        await bad.at_call.wait()
    await client.until(lambda item: item["due"] + item["sending"] == 0)
    kinds = [kind for kind, _ in sorted(bad.began, key=lambda each: each[1])]
    assert kinds[:SLOTS].count("call") == kinds.count("call") == CALLS, kinds[: 2 * SLOTS]
