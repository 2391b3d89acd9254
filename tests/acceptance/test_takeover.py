"""After a kill the next router goes on at once, unless another one is at work."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from router.samples import read, restamp
from tests.acceptance.process import RouterProcess
from tests.conftest import url_of

LEASE = 30.0
RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "http://127.0.0.1:{port}/notify", timeout: 60}}
rules:
  - name: everything
    send: [gateway]
"""


@asynccontextmanager
async def hanging(arrivals: "asyncio.Queue[str]") -> AsyncIterator[int]:
    """Run a gateway that notes each request and never answers; give its port."""

    async def take(request: web.Request) -> web.Response:
        arrivals.put_nowait(request.headers["webhook-id"])
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    application = web.Application()
    application.router.add_post("/notify", take)
    runner = web.AppRunner(application, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def post(url: str) -> None:
    basic = base64.b64encode(b"cometchat:pass").decode()
    payload = restamp(read("push_chat_one_on_one"), now=time.time(), story="takeover")
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Basic {basic}"}) as session,
        session.post(f"{url}/webhook", json=payload) as answer,
    ):
        assert answer.status == 200, await answer.text()


def router(folder: Path, port: int) -> RouterProcess:
    (folder / "rules.yaml").write_text(RULES.format(port=port))
    settings = {
        "ROUTER_RULES": str(folder / "rules.yaml"),
        "ROUTER_DATABASE": url_of(folder / "router.db"),
        "ROUTER_WEBHOOK_USER": "cometchat",
        "ROUTER_WEBHOOK_PASSWORD": "pass",
    }
    return RouterProcess(folder, settings)


async def test_what_a_killed_router_was_sending_is_sent_again_at_once(tmp_path: Path) -> None:
    arrivals: asyncio.Queue[str] = asyncio.Queue()
    async with hanging(arrivals) as port:
        first, second = router(tmp_path, port), router(tmp_path, port)
        try:
            await asyncio.to_thread(first.start)
            await post(first.url)
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
    async with hanging(arrivals) as port:
        first, second = router(tmp_path, port), router(tmp_path, port)
        try:
            await asyncio.to_thread(first.start)
            await post(first.url)
            await asyncio.wait_for(arrivals.get(), LEASE)
            await asyncio.to_thread(second.start)
            await asyncio.sleep(2)
            assert arrivals.empty()
        finally:
            first.kill()
            second.kill()
