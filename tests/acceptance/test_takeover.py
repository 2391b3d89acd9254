"""After a kill the next router goes on at once, unless another one is at work."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.acceptance.client import post_sample
from tests.acceptance.router_process import RouterProcess, live
from tests.acceptance.webhook_gateway import answering

pytestmark = pytest.mark.slow

LEASE = 30.0
RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "{url}", timeout: 60}}
rules:
  - name: everything
    send: [gateway]
"""


@asynccontextmanager
async def hanging(arrivals: "asyncio.Queue[str]") -> AsyncIterator[str]:
    """Run a gateway that notes each request and never answers; give its URL."""

    async def take(request: web.Request) -> web.Response:
        arrivals.put_nowait(request.headers["webhook-id"])
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async with answering(take, until_gone=True) as url:
        yield url


def router(folder: Path, url: str) -> RouterProcess:
    (folder / "rules.yaml").write_text(RULES.format(url=url))
    return RouterProcess(folder, live(folder))


async def test_what_a_killed_router_was_sending_is_sent_again_at_once(tmp_path: Path) -> None:
    arrivals: asyncio.Queue[str] = asyncio.Queue()
    async with hanging(arrivals) as url:
        first, second = router(tmp_path, url), router(tmp_path, url)
        try:
            await asyncio.to_thread(first.start)
            await post_sample(first.url)
            sent = await asyncio.wait_for(arrivals.get(), LEASE)
            first.kill()
            await asyncio.to_thread(second.start)
            began = time.monotonic()
            assert await asyncio.wait_for(arrivals.get(), LEASE) == sent
            assert time.monotonic() - began < LEASE / 3
        finally:
            first.kill()
            second.kill()


async def test_a_second_router_leaves_alone_what_the_first_is_sending(tmp_path: Path) -> None:
    arrivals: asyncio.Queue[str] = asyncio.Queue()
    async with hanging(arrivals) as url:
        first, second = router(tmp_path, url), router(tmp_path, url)
        try:
            await asyncio.to_thread(first.start)
            await post_sample(first.url)
            await asyncio.wait_for(arrivals.get(), LEASE)
            await asyncio.to_thread(second.start)
            await asyncio.sleep(2)
            assert arrivals.empty()
        finally:
            first.kill()
            second.kill()
