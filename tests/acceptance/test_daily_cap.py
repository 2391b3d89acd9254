"""A daily cap on the real process: seen, lasting over a restart, raised by the rules, lifted."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.client import call, chat
from tests.acceptance.router_process import COMETCHAT, RouterProcess, live
from tests.acceptance.webhook_gateway import Gateway

RULES = """
version: 1
channels:
  gateway: {{plugin: webhook, url: "{url}", cap: {cap}/day}}
rules:
  - name: everything
    send: [gateway]
"""
PATIENCE_S = 60.0


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_a_cap_holds_is_raised_and_is_lifted(tmp_path: Path, gateway: Gateway) -> None:
    rules, router = tmp_path / "rules.yaml", RouterProcess(tmp_path, live(tmp_path))
    rules.write_text(RULES.format(url=gateway.url, cap=3))

    def causes() -> list[str]:
        _, answer = call(router.url + "/v1/channels")
        (channel,) = answer["items"]
        return [hold["cause"] for hold in channel["holds"]]

    try:
        await asyncio.to_thread(router.start)
        for number in range(8):
            status, _ = call(router.url + "/webhook", chat(f"text {number}"), COMETCHAT)
            assert status == 200
        await eventually(lambda: causes() == ["cap"])
        assert len(gateway.taken) == 3
        assert await asyncio.to_thread(router.end) == 0
        await asyncio.to_thread(router.start)
        await eventually(lambda: causes() == ["cap"])
        assert len(gateway.taken) == 3

        rules.write_text(RULES.format(url=gateway.url, cap=5))
        await eventually(lambda: len(gateway.taken) == 5 and causes() == ["cap"])
        status, channel = call(router.url + "/v1/channels/gateway/resume", b"")
        assert (status, channel["holds"]) == (200, [])
        await eventually(lambda: len(gateway.taken) == 8)
        assert causes() == []
        assert await asyncio.to_thread(router.end) == 0
    finally:
        router.kill()
    assert "daily cap reached" in router.log.read_text()
