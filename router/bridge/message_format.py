"""Give an Apprise plugin its texts: cut to what the provider takes, in the plugin's own format.

Apprise's `notify` does the second part (emojis, conversion) before it calls a plugin. The bridge
calls plugins directly, where some of them leave that part out, so it is done here.
"""

from typing import Any, TypeAlias

from apprise import NotifyFormat, OverflowMode
from apprise.conversion import convert_between
from apprise.emojis import apply_emojis
from apprise.plugins.base import NotifyBase, _delivery_tracker

from router.bridge.graphemes import truncate
from router.channel import Limits

AcceptedPieces: TypeAlias = set[tuple[int | None, Any]]
"""The pieces of one message that were taken, by Apprise's names for them."""

MAX_PARTIAL_SENDS = 1000
"""Messages of which a part was taken, whose parts are not sent twice."""

MARKUP_LENGTH = 20
"""Characters that Apprise puts around a title which it folds into HTML or Markdown."""

LINE_END_LENGTH = 2
"""Characters between such a title and the body, in plain text."""


class HalfSent:
    """The pieces that were taken of messages that were not taken whole, by delivery."""

    def __init__(self) -> None:
        """Know of none yet."""
        self._accepted: dict[str, AcceptedPieces] = {}

    def take(self, delivery: str) -> AcceptedPieces:
        """Return the pieces of a message that were taken, and forget them."""
        return self._accepted.pop(delivery, set())

    def keep(self, delivery: str, accepted: AcceptedPieces) -> None:
        """Remember the pieces of a message; of `MAX_PARTIAL_SENDS` the oldest is forgotten."""
        if accepted:
            self._accepted[delivery] = accepted
        while len(self._accepted) > MAX_PARTIAL_SENDS:
            del self._accepted[next(iter(self._accepted))]


def fit_texts(plugin: NotifyBase, title: str, body: str, limits: Limits | None) -> tuple[str, str]:
    """Return title and body, cut to the limits; without words, the body is the title's.

    `limits` go before those that Apprise knows. A URL that names `overflow` has left it to
    Apprise to cut or to split, and then nothing is cut here.
    """
    if not body.strip():
        title, body = "", title
    if "overflow_mode" in vars(plugin):
        return title, body
    longest = len(title) + len(body) + MARKUP_LENGTH
    most_title, most_body = plugin.title_maxlen, plugin.body_maxlen
    if limits is not None:
        most_title = longest if limits.title is None else limits.title
        most_body = longest if limits.body is None else limits.body
    if not title or plugin.title_maxlen > 0:
        return truncate(title, most_title), truncate(body, most_body)
    around = (
        LINE_END_LENGTH if plugin.resolve_format("text") == NotifyFormat.TEXT else MARKUP_LENGTH
    )
    room = most_body - len(title) - around
    return (title, truncate(body, room)) if room > 0 else ("", truncate(title, most_body))


def notify(
    plugin: NotifyBase, title: str, body: str, source: NotifyFormat, accepted: AcceptedPieces
) -> bool:
    """Send through a plugin as Apprise's own `notify` does; return whether it says that it sent.

    `source` is the format that the body is written in. Of a body that the URL lets Apprise split,
    the pieces that the provider takes are noted in `accepted`, and those noted are not sent again.
    """
    target = plugin.resolve_format(source)
    if plugin.interpret_emojis:
        title, body = apply_emojis(title), apply_emojis(body)
    if title and plugin.title_maxlen <= 0:
        title = convert_between(source, target, title)
    body = convert_between(source, target, body)
    token = _delivery_tracker.set(accepted if plugin.overflow_mode == OverflowMode.SPLIT else None)
    try:
        return bool(
            plugin.notify(title=title, body=body or " ", body_format=target, body_passthrough=False)
        )
    finally:
        _delivery_tracker.reset(token)
