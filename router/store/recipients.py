"""Recipients as the API sees them: their contacts, devices, attributes and wishes."""

import time
from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType

from router.core.facts import Contact, Recipient, Scalar
from router.store.database import Database

DEVICE_KIND = "push"
"""The kind of contact a registered device is."""

DEVICES = 100
"""How many devices a recipient can have; one more replaces the oldest."""


class Change(Struct, frozen=True, kw_only=True):
    """What to change of a recipient; what is left out stays.

    `contacts` and `attributes` are merged key by key, None removes a key. `muted` maps
    conversations to the epoch second their silence ends, None unmutes. `opt_outs` replaces the
    list of channels. None for `timezone` (an IANA name) or `locale` forgets it.
    """

    contacts: dict[str, str | None] | UnsetType = UNSET
    attributes: dict[str, Scalar | None] | UnsetType = UNSET
    timezone: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    muted: dict[str, float | None] | UnsetType = UNSET
    opt_outs: list[str] | UnsetType = UNSET


class Registration(Struct, frozen=True, kw_only=True):
    """A device that logged in; `address` is its token, `auth_token` the session it belongs to.

    Both travel in bodies only; the auth token is kept as a hash.
    """

    platform: str
    address: str
    auth_token: str = ""
    provider_id: str = ""
    timezone: str = ""
    locale: str = ""


class Recipients:
    """The registry of recipients.

    Everywhere `app_id` may be left out while exactly one app is known: `AppUnclear` is raised
    otherwise. Addresses are given in full: mask them before they are shown.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Use a database; the clock gives epoch seconds."""
        self._database = database
        self._clock = clock

    async def get(self, uid: str, app_id: str | None = None) -> Recipient | None:
        """Return a recipient with all contacts, oldest first; None when never heard of."""
        raise NotImplementedError

    async def put(self, uid: str, change: Change, app_id: str | None = None) -> Recipient:
        """Change a recipient, making it if need be, and return it as it is now.

        What waits for a contact that goes is cancelled in the same transaction. Raises
        `RecipientInvalid` with every fault at once.
        """
        raise NotImplementedError

    async def register(
        self, uid: str, registration: Registration, app_id: str | None = None
    ) -> Contact:
        """Register a device for its user and return the contact it is.

        A token known under another user moves and what waits for it is cancelled; a new token
        of the same session and platform replaces the old one, and what waits follows it. Raises
        `RecipientInvalid` with every fault at once.
        """
        raise NotImplementedError

    async def logout(self, uid: str, auth_token: str, app_id: str | None = None) -> int:
        """Remove the devices of one session and no others; return how many those were."""
        raise NotImplementedError

    async def erase(self, uid: str, app_id: str | None = None) -> bool:
        """Forget a recipient for good; False when there was nothing to forget.

        Contacts, attributes, and all notifications to it with their bodies, deliveries and
        attempts are deleted.
        """
        raise NotImplementedError
