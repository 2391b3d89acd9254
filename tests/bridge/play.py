"""What the tests of the bridge play with: real Apprise plugins over a transport."""

from collections.abc import Sequence

from apprise.plugins.base import NotifyBase

from router.bridge.exchange import Hop
from router.bridge.patching import install
from router.bridge.plugin_pool import make, parse
from router.bridge.runner import Passage
from router.channel import Transport


def build(url: str) -> NotifyBase:
    """Return the Apprise plugin of a URL."""
    install()
    return make(parse(url))


async def notify(
    plugin: NotifyBase, transport: Transport, *, seconds: float = 5.0
) -> tuple[bool, Sequence[Hop]]:
    """Send one message through a plugin and return what it says, and its hops."""
    hops: list[Hop] = []
    passage = Passage(transport, seconds=seconds)
    try:
        done = await passage.take(
            type(plugin), lambda: bool(plugin.notify(body="Lunch?", title="Ben")), hops
        )
    finally:
        passage.close()
    return done, hops
