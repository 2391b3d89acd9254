"""What the tests of the bridge play with: real Apprise plugins over a transport."""

from collections.abc import Sequence

from apprise.plugins.base import NotifyBase

from router.bridge.exchange import Exchange
from router.bridge.patching import patch_apprise
from router.bridge.plugin_pool import make_plugin, parse_url
from router.bridge.runner import PluginRunner
from router.channel import Transport


def build(url: str) -> NotifyBase:
    """Return the Apprise plugin of a URL."""
    patch_apprise()
    return make_plugin(parse_url(url))


async def notify(
    plugin: NotifyBase, transport: Transport, *, seconds: float = 5.0
) -> tuple[bool, Sequence[Exchange]]:
    """Send one message through a plugin and return what it says, and its exchanges."""
    exchanges: list[Exchange] = []
    runner = PluginRunner(transport, seconds=seconds)
    try:
        done = await runner.run(
            type(plugin), lambda: bool(plugin.notify(body="Lunch?", title="Ben")), exchanges
        )
    finally:
        runner.close()
    return done, exchanges
