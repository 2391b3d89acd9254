"""The facts a batch of decisions needs, read in bulk."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from router.core.facts import Facts, OnceKey
from router.core.notification import Notification
from router.store.database import Database
from router.store.profiles import read_recipients
from router.store.tables import once as once_keys

_taken = select(once_keys).where(once_keys.c.event.in_(bindparam("events", expanding=True)))


class World:
    """Reads `Facts` from a database."""

    def __init__(self, database: Database) -> None:
        """Use a database."""
        self._database = database

    async def facts(self, notifications: Sequence[Notification], *, once: bool = True) -> Facts:
        """Return what is known of the recipients of these, and (with `once`) their once-keys."""
        uids: dict[str, set[str]] = {}
        for notification in notifications:
            uids.setdefault(notification.app_id, set()).add(notification.uid)
        events = {notification.event for notification in notifications} if once else set()
        return await self._database.glance(lambda connection: _read(connection, uids, events))


def _read(connection: Connection, uids: dict[str, set[str]], events: set[str]) -> Facts:
    facts = Facts()
    for app_id, names in uids.items():
        for uid, recipient in read_recipients(connection, app_id, names).items():
            facts.recipients[app_id, uid] = recipient
    rows = connection.execute(_taken, {"events": list(events)}) if events else ()
    for row in rows:
        key = OnceKey(row.event, row.rule, row.step, row.channel, row.address)
        facts.once[key] = row.delivery
    return facts
