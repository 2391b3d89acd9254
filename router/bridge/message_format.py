"""The title and body for an Apprise plugin: truncated to the limits, in the plugin's format.

`Apprise.notify` replaces emojis and converts the format before it calls a plugin. The bridge calls
plugins directly, so this module does both.
"""

from typing import Any, TypeAlias

from apprise import NotifyFormat, OverflowMode
from apprise.conversion import convert_between
from apprise.emojis import apply_emojis
from apprise.plugins.base import NotifyBase, _delivery_tracker

from router.bridge.graphemes import truncate
from router.channel import Limits

AcceptedPieces: TypeAlias = set[tuple[int | None, Any]]
"""The pieces of one message that the provider has accepted, by Apprise's keys."""

MAX_PARTIAL_SENDS = 1000
"""Partly accepted messages whose accepted pieces are remembered, so that none is sent twice."""

MARKUP_LENGTH = 20
"""Characters that Apprise adds to a title that it puts into an HTML or Markdown body."""

LINE_END_LENGTH = 2
"""Characters between a title and the body in plain text."""


class PartialSends:
    """The accepted pieces of messages that were not accepted whole, by delivery."""

    def __init__(self) -> None:
        self._accepted: dict[str, AcceptedPieces] = {}

    def take(self, delivery: str) -> AcceptedPieces:
        """Return the accepted pieces of a message, and forget them."""
        return self._accepted.pop(delivery, set())

    def keep(self, delivery: str, accepted: AcceptedPieces) -> None:
        """Remember the accepted pieces of a message, for at most `MAX_PARTIAL_SENDS` messages."""
        if accepted:
            self._accepted[delivery] = accepted
        while len(self._accepted) > MAX_PARTIAL_SENDS:
            del self._accepted[next(iter(self._accepted))]


def fit_texts(plugin: NotifyBase, title: str, body: str, limits: Limits | None) -> tuple[str, str]:
    """Return title and body, truncated to the limits; an empty body is replaced by the title.

    `limits` precede those of Apprise. A URL with the argument `overflow` leaves it to Apprise to
    truncate or to split, and then nothing is truncated here.
    """
    if not body.strip():
        title, body = "", title
    if "overflow_mode" in vars(plugin):
        return title, body
    unlimited = len(title) + len(body) + MARKUP_LENGTH
    max_title, max_body = plugin.title_maxlen, plugin.body_maxlen
    if limits is not None:
        max_title = unlimited if limits.title is None else limits.title
        max_body = unlimited if limits.body is None else limits.body
    if not title or plugin.title_maxlen > 0:
        return truncate(title, max_title), truncate(body, max_body)
    markup_length = (
        LINE_END_LENGTH if plugin.resolve_format("text") == NotifyFormat.TEXT else MARKUP_LENGTH
    )
    room = max_body - len(title) - markup_length
    return (title, truncate(body, room)) if room > 0 else ("", truncate(title, max_body))


def notify(
    plugin: NotifyBase, title: str, body: str, source: NotifyFormat, accepted: AcceptedPieces
) -> bool:
    """Send through a plugin as `Apprise.notify` does; return whether the plugin reports success.

    `source` is the format of the body. Where the URL lets Apprise split the body, the pieces that
    the provider accepts are added to `accepted`, and pieces in it are not sent again.
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
