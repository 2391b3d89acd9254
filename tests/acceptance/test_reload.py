"""New settings of a channel end what its old ones brought about, without a restart."""

import asyncio
import base64
import signal
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from router.samples import read, restamp
from tests.acceptance.process import RouterProcess
from tests.conftest import url_of

RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "http://127.0.0.1:{port}/notify", basic: "router:{password}"}}
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

    application = web.Application()
    application.router.add_post("/notify", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.format(port=port, password="wrong"))
    settings = {
        "ROUTER_RULES": str(rules),
        "ROUTER_DATABASE": url_of(tmp_path / "router.db"),
        "ROUTER_WEBHOOK_USER": "cometchat",
        "ROUTER_WEBHOOK_PASSWORD": "pass",
    }
    router = RouterProcess(tmp_path, settings)
    try:
        await asyncio.to_thread(router.start)
        basic = base64.b64encode(b"cometchat:pass").decode()
        payload = restamp(read("push_chat_one_on_one"), now=time.time(), story="reload")
        async with (
            aiohttp.ClientSession(headers={"authorization": f"Basic {basic}"}) as session,
            session.post(f"{router.url}/webhook", json=payload) as answer,
        ):
            assert answer.status == 200, await answer.text()
        assert await asyncio.wait_for(statuses.get(), PATIENCE) == 401
        await asyncio.sleep(1)
        assert statuses.empty()

        rules.write_text(RULES.format(port=port, password="right"))
        began = time.monotonic()
        router.send(signal.SIGHUP)
        assert await asyncio.wait_for(statuses.get(), SUSPENSION) == 204
        assert time.monotonic() - began < PATIENCE
        assert router.end() == 0
    finally:
        router.kill()
        await runner.cleanup()
