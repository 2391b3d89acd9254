"""New settings of a channel end what its old ones brought about, without a restart."""

import asyncio
import signal
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.acceptance.client import post_sample
from tests.acceptance.router_process import RouterProcess, live
from tests.acceptance.webhook_gateway import answering

RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "{url}", basic: "router:{password}"}}
rules:
  - name: everything
    send: [gateway]
"""
SUSPENSION = 60.0
PATIENCE = 20.0


async def test_a_mended_password_and_a_reload_send_at_once_what_was_held(tmp_path: Path) -> None:
    statuses: asyncio.Queue[int] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        right = aiohttp.BasicAuth.decode(request.headers["authorization"]).password == "right"
        statuses.put_nowait(204 if right else 401)
        return web.Response(status=204 if right else 401)

    rules, router = tmp_path / "rules.yaml", RouterProcess(tmp_path, live(tmp_path))
    async with answering(take) as url:
        rules.write_text(RULES.format(url=url, password="wrong"))
        try:
            await asyncio.to_thread(router.start)
            await post_sample(router.url)
            assert await asyncio.wait_for(statuses.get(), PATIENCE) == 401
            await asyncio.sleep(1)
            assert statuses.empty()

            rules.write_text(RULES.format(url=url, password="right"))
            began = time.monotonic()
            router.send(signal.SIGHUP)
            assert await asyncio.wait_for(statuses.get(), SUSPENSION) == 204
            assert time.monotonic() - began < PATIENCE
            assert router.end() == 0
        finally:
            router.kill()
