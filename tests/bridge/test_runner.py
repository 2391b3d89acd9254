"""Plugins that block run in threads, within their time, and are heard."""

import subprocess
import sys
import threading
import time

import pytest
from apprise.plugins.base import NotifyBase
from apprise.plugins.irc import NotifyIRC
from apprise.plugins.matrix import NotifyMatrix

from router.bridge import Exchange, Response, requests
from router.bridge.patching import patch_apprise
from router.bridge.runner import PluginRunner
from router.testing import ScriptedTransport


class Live(ScriptedTransport):
    """A script that plugins with connections of their own may run beside."""

    is_live = True


@pytest.fixture(autouse=True)
def _installed() -> None:
    patch_apprise()


async def take(
    plugin: type[NotifyBase], work: object, *, seconds: float = 5.0, is_live: bool = True
) -> tuple[bool, list[Exchange], ScriptedTransport]:
    """Run work as a plugin's."""
    assert callable(work)
    exchanges: list[Exchange] = []
    transport = (Live if is_live else ScriptedTransport)(Response(status=200))
    runner = PluginRunner(transport, seconds=seconds)
    done = await runner.run(plugin, work, exchanges)
    runner.close()
    return done, exchanges, transport


async def test_a_plugin_with_locks_runs_in_a_thread_and_its_requests_cross() -> None:
    def work() -> bool:
        threads.append(threading.current_thread())
        return requests.get("https://api.example.com/").ok

    threads: list[threading.Thread] = []
    done, exchanges, transport = await take(NotifyMatrix, work, is_live=False)
    assert done
    assert [exchange.status for exchange in exchanges] == [200]
    assert len(transport.carried) == 1
    assert threads[0] is not threading.current_thread()


@pytest.mark.parametrize("answer", [True, False])
async def test_a_plugin_with_connections_of_its_own_says_itself_how_it_went(
    *, answer: bool
) -> None:
    done, exchanges, transport = await take(NotifyIRC, lambda: answer)
    assert done is answer
    assert transport.carried == []
    assert [exchange.error.sent for exchange in exchanges if exchange.error] == (
        [] if answer else [False]
    )


@pytest.mark.parametrize("plugin", [NotifyIRC, NotifyMatrix])
async def test_a_plugin_that_blocks_is_left_behind(plugin: type[NotifyBase]) -> None:
    release = threading.Event()
    started = time.monotonic()
    done, exchanges, _ = await take(plugin, lambda: release.wait(20), seconds=0.2)
    release.set()
    assert time.monotonic() - started < 5
    assert not done
    assert exchanges[-1].error is not None
    assert (exchanges[-1].error.reason, exchanges[-1].error.sent) == ("timed out", True)


async def test_where_nothing_may_go_out_it_is_told_and_not_run() -> None:
    ran: list[int] = []
    done, exchanges, transport = await take(NotifyIRC, lambda: ran.append(1), is_live=False)
    assert done
    assert ran == []
    assert [request.method for request in transport.carried] == ["IRC"]
    assert [exchange.status for exchange in exchanges] == [200]


def test_it_works_on_uvloop_too() -> None:
    script = """
import asyncio, uvloop
from router.transport.http import AiohttpTransport
from router.testing import FakeProvider
from tests.bridge.apprise_plugins import build, notify

async def main():
    async with FakeProvider() as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        sends = [notify(build("json://api.example.com/"), transport) for _ in range(20)]
        results = await asyncio.gather(*sends)
        await transport.aclose()
    assert all(done and hops[0].status == 200 for done, hops in results)

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=".")
