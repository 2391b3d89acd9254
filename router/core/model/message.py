"""A rendered message, as it is stored and as a channel gets it."""

from msgspec import Struct, field

from router.core.model.facts import Device
from router.core.model.notification import Notification
from router.core.model.types import Priority, Privacy


class Content(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rendered words of one delivery; this is what is stored with it."""

    title: str
    body: str
    data: dict[str, str] = field(default_factory=dict)
    link: str = ""
    image: str = ""
    sound: str = ""
    badge: int | None = None


class Message(Struct, frozen=True, kw_only=True):
    """One message for one address, as `Channel.send` gets it.

    `expires` is the epoch second after which it is worthless. `collapse` is the key under
    which a later message replaces an earlier one. `notification` holds the payload, already
    stripped of what `privacy` keeps back. `delivery` and `rule` name where it came from. One that
    is `quiet` takes back what was shown (a deletion, the end of a call that rang): it has words,
    and is not to be shown itself.
    """

    address: str
    title: str
    body: str
    data: dict[str, str] = field(default_factory=dict)
    link: str = ""
    image: str = ""
    sound: str = ""
    badge: int | None = None
    priority: Priority = "normal"
    expires: float
    collapse: str = ""
    kind: str
    privacy: Privacy = "none"
    notification: Notification
    device: Device | None = None
    delivery: str
    rule: str
    quiet: bool = False
