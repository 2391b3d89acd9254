"""The facts a batch of decisions needs, read in bulk."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, literal_column, or_, select

from router.core.model.facts import (
    DecisionState,
    OnceKey,
    PriorDelivery,
    Recipient,
    ThrottleWindow,
    WaitingSummary,
)
from router.core.model.notification import Notification
from router.core.model.recipient_guard import NO_GUARD, RecipientGuard
from router.core.model.topic import topic_number
from router.store.db.database import Database
from router.store.recipients.profiles import read_recipients
from router.store.schema.rows import storable_text
from router.store.schema.state_tables import throttles
from router.store.schema.tables import deliveries, is_sending, is_waiting, notifications
from router.store.schema.tables import once as once_keys
from router.store.state.call_and_read_state import read_calls

_counters = select(throttles).where(throttles.c.key.in_(bindparam("keys", expanding=True)))
_events = msgspec.json.Decoder(tuple[str, ...])
_summaries = msgspec.json.Decoder(tuple[WaitingSummary, ...])
_row = deliveries.c
_is_found = or_(
    is_waiting,
    is_sending,
    _row.state == literal_column("'delivered'"),
    _row.reason == literal_column("'may_have_arrived'"),
)
"""What waits, or may have been shown."""
_still_waiting = select(_row.id).where(is_waiting, _row.id.in_(bindparam("ids", expanding=True)))
_earlier = (
    select(*(column for column in _row if column.name in PriorDelivery.__struct_fields__))
    .add_columns(notifications.c.app_id, notifications.c.uid, (_row.handle != "").label("named"))
    .join(notifications, notifications.c.id == _row.notification)
    .where(_row.topic.in_(bindparam("topics", expanding=True)))
    .where(_row.about.in_(bindparam("subjects", expanding=True)), _is_found)
    .where(
        or_(
            _row.contact == "",
            _row.about.in_(bindparam("calls", expanding=True)),
            notifications.c.uid.in_(bindparam("uids", expanding=True)),
        )
    )
    .order_by(_row.id)
)
_taken = select(once_keys).where(once_keys.c.event.in_(bindparam("events", expanding=True)))


class FactsReader:
    """Reads `DecisionState` from a database."""

    def __init__(self, database: Database, guard: RecipientGuard = NO_GUARD) -> None:
        """Use a database; the facts know whom a guard permits."""
        self._database = database
        self._guard = guard

    async def facts(
        self, notifications: Sequence[Notification], events: Collection[str] = ()
    ) -> DecisionState:
        """Return what is known of the recipients of these, and what was heard of their calls.

        The once-keys of `events` are there. What was read is asked when the plan is written.
        """
        uids: dict[str, set[str]] = {}
        for notification in notifications:
            uids.setdefault(notification.app_id, set()).add(notification.uid)
        named = ((each.app_id, each.session) for each in notifications)
        sessions = {key for key in named if key[1]}

        def read(connection: Connection) -> DecisionState:
            facts = DecisionState(calls=read_calls(connection, sessions), guard=self._guard)
            _read(connection, facts, uids, events)
            return facts

        return await self._database.read_fast(read)

    async def recipients(
        self, people: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Recipient]:
        """Return what is known of people, by app and uid."""
        uids: dict[str, set[str]] = {}
        for app_id, uid in people:
            uids.setdefault(app_id, set()).add(uid)
        return await self._database.read_fast(lambda connection: _read_recipients(connection, uids))

    async def counters(self, keys: Collection[str]) -> dict[str, ThrottleWindow]:
        """Return the counters there are of these keys, each with the summaries that still wait."""
        return await self._database.read_fast(lambda connection: _read_counters(connection, keys))

    async def earlier(
        self, notifications: Sequence[Notification]
    ) -> dict[str, dict[str, PriorDelivery]]:
        """Return what there is of what each of these changes or ends, by id.

        Of a message's deliveries to a contact those are left out that go to none of the
        recipients of these.
        """
        subjects = {each.topic: each.kind == "call" for each in notifications}
        parameters = {
            "topics": [topic_number(subject) for subject in subjects],
            "subjects": [storable_text(subject) for subject in subjects],
            "calls": [storable_text(subject) for subject, is_call in subjects.items() if is_call],
            "uids": list({notification.uid for notification in notifications}),
        }
        return await self._database.read_fast(
            lambda connection: _read_prior_deliveries(connection, subjects, parameters)
        )


def _read_counters(connection: Connection, keys: Collection[str]) -> dict[str, ThrottleWindow]:
    rows = connection.execute(_counters, {"keys": list(keys)}).mappings().all()
    summaries_by_key = {row["key"]: _summaries.decode(row["summaries"]) for row in rows}
    ids = {summary.delivery for summaries in summaries_by_key.values() for summary in summaries}
    waiting = set(connection.execute(_still_waiting, {"ids": list(ids)}).scalars()) if ids else ()
    return {
        row["key"]: ThrottleWindow(
            closes_at=row["closes_at"],
            count=row["count"],
            events=_events.decode(row["events"]),
            summaries=tuple(
                waiting_summary
                for waiting_summary in summaries_by_key[row["key"]]
                if waiting_summary.delivery in waiting
            ),
            first=row["first"],
            people=_events.decode(row["people"]),
        )
        for row in rows
    }


def _read_prior_deliveries(
    connection: Connection, subjects: Collection[str], parameters: Mapping[str, object]
) -> dict[str, dict[str, PriorDelivery]]:
    priors: dict[str, dict[str, PriorDelivery]] = {subject: {} for subject in subjects}
    names = {storable_text(subject): subject for subject in subjects}
    for row in connection.execute(_earlier, parameters).mappings():
        state = "delivered" if row["state"] == "dead" else row["state"]
        fields = {**row, "state": state, "named": bool(row["named"])}
        priors[names[row["about"]]][row["id"]] = PriorDelivery(**fields)
    return priors


def _read_recipients(
    connection: Connection, uids: Mapping[str, Collection[str]]
) -> dict[tuple[str, str], Recipient]:
    return {
        (app_id, uid): recipient
        for app_id, names in uids.items()
        for uid, recipient in read_recipients(connection, app_id, names).items()
    }


def _read(
    connection: Connection, facts: DecisionState, uids: dict[str, set[str]], events: Collection[str]
) -> None:
    facts.recipients = _read_recipients(connection, uids)
    rows = connection.execute(_taken, {"events": list(events)}) if events else ()
    for row in rows:
        key = OnceKey(row.event, row.rule, row.step, row.channel, row.address)
        facts.once[key] = row.delivery
