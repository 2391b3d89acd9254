"""A hundred recipients get ten messages each in order, from a running router."""

import asyncio
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from router.samples import read_sample, restamp
from tests.acceptance.router_process import RouterProcess, free_port, live
from tests.acceptance.test_starvation import Client
from tests.acceptance.webhook_gateway import answering

pytestmark = pytest.mark.slow

RECIPIENTS, MESSAGES = 100, 10
RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "http://127.0.0.1:{port}/notify", concurrency: 8}}
rules:
  - name: everything
    send: [gateway]
"""
PATIENCE = 60.0


class Moody:
    """A provider that takes its time, and is sometimes too busy at the first try."""

    def __init__(self) -> None:
        self.dice = random.Random(7)  # noqa: S311 - no secret
        self.first_tries: defaultdict[str, list[int]] = defaultdict(list)
        self.seen: set[str] = set()
        self.taken = 0
        self.over = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        content = await request.json()
        is_first = content["router"]["delivery"] not in self.seen
        if is_first:
            self.seen.add(content["router"]["delivery"])
            self.first_tries[content["data"]["to"]["uid"]].append(int(content["body"]))
        await asyncio.sleep(self.dice.uniform(0, 0.02))
        if is_first and self.dice.random() < 0.1:
            return web.Response(status=503)
        self.taken += 1
        if self.taken == RECIPIENTS * MESSAGES:
            self.over.set()
        return web.Response(status=204)


def chat(uid: str, number: int) -> dict[str, Any]:
    payload: dict[str, Any] = restamp(
        read_sample("push_chat_one_on_one"), now=time.time(), story=f"{uid} {number}"
    )
    payload["data"]["to"]["uid"] = uid
    payload["data"]["notificationDetails"]["tag"] = f"{uid}{number}"
    payload["data"]["notificationDetails"]["body"] = f"{number}"
    return payload


async def test_first_tries_go_out_in_the_order_of_acceptance(tmp_path: Path) -> None:
    provider, port = Moody(), free_port()
    (tmp_path / "rules.yaml").write_text(RULES.format(port=port))
    process = RouterProcess(tmp_path, live(tmp_path))
    try:
        await asyncio.to_thread(process.start)
        async with answering(provider.take, port), aiohttp.ClientSession() as session:
            client = Client(session, process.url)

            async def talk(uid: str) -> None:
                for number in range(MESSAGES):
                    await client.post(chat(uid, number))

            async with asyncio.TaskGroup() as senders:
                for number in range(RECIPIENTS):
                    senders.create_task(talk(f"uid-{number}"))
            await asyncio.wait_for(provider.over.wait(), PATIENCE)
    finally:
        process.kill()

    assert len(provider.first_tries) == RECIPIENTS
    for uid, numbers in provider.first_tries.items():
        assert numbers == list(range(MESSAGES)), uid
