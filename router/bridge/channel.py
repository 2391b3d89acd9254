"""A channel whose requests Apprise makes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from apprise.plugins.base import NotifyBase

from router.bridge.hop import Hop
from router.bridge.verdict import Reading
from router.channel import Channel, Request, Settings
from router.core.message import Message
from router.core.outcome import Outcome

S = TypeVar("S", bound=Settings)

Build = tuple[type[NotifyBase], dict[str, Any]]
"""An Apprise class and the keyword arguments it is made with."""


class AppriseChannel(Channel[S]):
    """Sends through an Apprise plugin on the event loop.

    A subclass gives `url` (or a setting of that name), or overrides `plugin`. What its
    provider's answers mean stands in `answers`; all else has a sound default.
    """

    url: ClassVar[str] = ""
    """Apprise URL with `{to}` and settings in braces; each is percent-encoded into it."""
    body_format: ClassVar[Literal["text", "html", "markdown"]] = "text"
    """What the body is written in."""
    answers: ClassVar[Mapping[int | str, Reading]] = {}
    """What the provider means by a status or an error code, where HTTP's sense is wrong."""

    def plugin(self, message: Message) -> Build | None:
        """Return the Apprise class for the message and its keyword arguments; None: by URL."""
        return None

    def write(self, message: Message) -> tuple[str, str]:
        """Return the title and body as Apprise is to send them, before they are cut."""
        return message.title, message.body

    def carries(self, request: Request) -> bool:
        """Return whether the request hands the message over; one for a token does not."""
        return True

    def error_code(self, hop: Hop) -> str:
        """Return the provider's short code for what went wrong, empty when nothing did.

        A code makes even a 200 a failure. It shows in reasons: never a text with an address.
        """
        return ""

    def handle(self, hop: Hop) -> str:
        """Return what the provider calls the message it took."""
        return ""

    def verdict(self, hops: Sequence[Hop]) -> Outcome | None:
        """Return what the hops mean where a table cannot say it; None: by table and HTTP."""
        return None

    async def send(self, message: Message) -> Outcome:
        """Try once to send the message."""
        raise NotImplementedError
