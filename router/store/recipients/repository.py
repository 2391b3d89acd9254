"""Recipients as the API sees them: their contacts, devices, attributes and wishes."""

import time
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection, select

from router.core.model.facts import Contact, Recipient
from router.store.db.analyze import AnalyzeSchedule, analyze
from router.store.db.database import Database
from router.store.db.locks import lock
from router.store.recipients.bulk_import import RecipientRecord, compare, import_recipients
from router.store.recipients.contacts import (
    contact_row,
    log_out,
    register_device,
    remove_contact,
    set_contact,
)
from router.store.recipients.erasure import erase, run_paced
from router.store.recipients.export import ExportRecord, count_recipients, read_export
from router.store.recipients.profiles import (
    change_profile,
    known_apps,
    read_recipients,
    resolve_app,
    save,
)
from router.store.recipients.validation import (
    DEVICE_KIND,
    ProfilePatch,
    Registration,
    check_change,
    check_logout,
    check_registration,
)
from router.store.schema.tables import contacts

__all__ = [
    "DEVICE_KIND",
    "ExportRecord",
    "ProfilePatch",
    "RecipientRecord",
    "Recipients",
    "Registration",
]


Changed = Callable[[Collection[str], Collection[str]], None]
"""Hears of people, by uid, and of addresses of which it is no longer so whom they reach."""


class Recipients:
    """The registry of recipients.

    Everywhere `app_id` may be left out while exactly one app is known: `AppAmbiguous` is raised
    otherwise. Addresses are given in full: mask them before they are shown.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        *,
        changed: Changed = lambda _, __: None,
    ) -> None:
        """Use a database; the clock gives epoch seconds, and `changed` hears of each change."""
        self._database = database
        self._clock = clock
        self._changed = changed
        self._statistics = AnalyzeSchedule()

    async def get(self, uid: str, app_id: str | None = None) -> Recipient | None:
        """Return a recipient with all contacts, oldest first; None when never heard of."""

        def read(connection: Connection) -> Recipient | None:
            if app_id is None and not known_apps(connection):
                return None
            return _read(connection, resolve_app(connection, app_id), uid)

        return await self._database.read(read)

    async def owners(self, address: str) -> Sequence[str]:
        """Return the uids of all who have an address, in any app."""
        query = select(contacts.c.uid).where(contacts.c.address == address)
        return await self._database.read(
            lambda connection: connection.execute(query).scalars().all()
        )

    async def put(self, uid: str, change: ProfilePatch, app_id: str | None = None) -> Recipient:
        """Change a recipient, making it if need be, and return it as it is now.

        What waits for a contact that goes is cancelled in the same transaction. Raises
        `RecipientInvalid` with every fault at once.
        """
        check_change(uid, app_id, change)
        now = self._clock()

        def write(connection: Connection) -> Recipient:
            app = resolve_app(connection, app_id)
            lock(connection, "recipient", app, uid)
            recipient = _read(connection, app, uid) or Recipient(app_id=app, uid=uid)
            save(connection, change_profile(recipient, change))
            for kind, address, registered in change.addresses():
                if address is None:
                    remove_contact(connection, recipient, kind, now)
                else:
                    contact = contact_row(kind, address, registered)
                    set_contact(connection, recipient, contact, now)
            return _read(connection, app, uid) or recipient

        recipient = await self._database.write(write)
        self._changed({uid}, ())
        return recipient

    async def register(
        self, uid: str, registration: Registration, app_id: str | None = None
    ) -> Contact:
        """Register a device for its user and return the contact it is.

        A token known under another user moves and what waits for it is cancelled; a new token
        of the same session and platform replaces the old one, and what waits follows it. Raises
        `RecipientInvalid` with every fault at once.
        """
        check_registration(uid, app_id, registration)
        now = self._clock()

        def write(connection: Connection) -> Contact:
            app = resolve_app(connection, app_id)
            lock(connection, "recipient", app, uid)
            known = _read(connection, app, uid)
            if known is None:
                save(connection, Recipient(app_id=app, uid=uid))
            id_ = register_device(connection, app, uid, registration, now)
            recipient = read_recipients(connection, app, [uid])[uid]
            return next(contact for contact in recipient.contacts if contact.id == id_)

        contact = await self._database.write(write)
        self._changed({uid}, {contact.address})
        return contact

    async def enrol(self, entries: Sequence[RecipientRecord]) -> list[bool]:
        """Make everything as the entries say, in one transaction; return which changed anything."""
        now = self._clock()
        changed = await run_paced(self._database, lambda c: import_recipients(c, entries, now))
        devices = (device.address for entry in entries for device in entry.devices)
        self._changed({entry.uid for entry in entries}, set(devices))
        if self._statistics.count(sum(changed)):
            await run_paced(self._database, analyze)
        return changed

    async def compare(self, entries: Sequence[RecipientRecord]) -> list[bool]:
        """Return which of the entries would change anything; nothing is written."""
        return await self._database.read(lambda c: compare(c, entries))

    async def roster(
        self, app_id: str | None = None, after: tuple[str, str] = ("", ""), limit: int = 200
    ) -> list[ExportRecord]:
        """Return recipients by app and uid, those after a pair of them; of all apps for None."""
        return await self._database.read(lambda c: read_export(c, app_id, after, limit))

    async def count(self, app_id: str | None = None) -> int:
        """Return how many recipients there are, of all apps for None."""
        return await self._database.read(lambda c: count_recipients(c, app_id))

    async def countries(self, people: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the countries of those of the people (app and uid) who have one."""
        uids: dict[str, set[str]] = {}
        for app_id, uid in people:
            uids.setdefault(app_id, set()).add(uid)

        def read(connection: Connection) -> dict[tuple[str, str], str]:
            return {
                (app_id, uid): recipient.country
                for app_id, names in uids.items()
                for uid, recipient in read_recipients(connection, app_id, names).items()
                if recipient.country
            }

        return await self._database.read(read)

    async def only_app(self) -> str:
        """Return the one app that is known; raises `AppAmbiguous` when that is not one."""
        return await self._database.read(lambda c: resolve_app(c, None))

    async def logout(self, uid: str, auth_token: str, app_id: str | None = None) -> int:
        """Remove the devices of one session and no others; return how many those were."""
        check_logout(uid, auth_token)
        now = self._clock()

        def write(connection: Connection) -> int:
            if app_id is None and not known_apps(connection):
                return 0
            return log_out(connection, resolve_app(connection, app_id), uid, auth_token, now)

        removed = await self._database.write(write)
        self._changed({uid}, ())
        return removed

    async def erase(self, uid: str, app_id: str | None = None) -> bool:
        """Forget a recipient for good; False when there was nothing to forget.

        Contacts, attributes, and all notifications to it with their bodies, deliveries and
        attempts are deleted. What others were sent about it is theirs and stays.
        """

        def read(connection: Connection) -> str | None:
            if app_id is None and not known_apps(connection):
                return None
            return resolve_app(connection, app_id)

        app = await self._database.read(read)
        is_gone = app is not None and await erase(self._database, app, uid, self._clock())
        self._changed({uid}, ())
        return is_gone


def _read(connection: Connection, app_id: str, uid: str) -> Recipient | None:
    return read_recipients(connection, app_id, [uid]).get(uid)
