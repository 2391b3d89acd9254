"""The tables, as SQLAlchemy Core sees them; times are epoch seconds.

Texts hold no NUL and whole numbers fit 64 bits on every database: `rows` sees to it. Ids grow
with time, so that rows are added at the end of their index; the partial indexes cover only what
is still open, so that a long log costs the hot path nothing. Their conditions
(`is_…`) hold no bound values: a query that uses one of them is served by its index.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    false,
    literal_column,
    or_,
)

metadata = MetaData()

Id = Text().with_variant(Text(collation="C"), "postgresql")
"""A text that sorts by its bytes, as ids must for pages and ranges."""


def _is(column: ColumnElement[Any], word: str) -> ColumnElement[bool]:
    return column == literal_column(f"'{word}'")


def _partial(
    name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False
) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where, unique=unique)


notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("app_id", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("feed", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("sent_at", Double),
    Column("accepted_at", Double, nullable=False),
    Column("skew", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decided_at", Double),
    Column("version", Text, nullable=False, server_default=""),
    Column("matched", LargeBinary, nullable=False, server_default=""),
    Column("classified", LargeBinary, nullable=False, server_default=""),
    Index("notifications_app", "app_id", "id", "uid"),
)
"""What was accepted; `matched` is a JSON list of rule names.

`classified` is what a `classify` entry said of it, as JSON; empty where none matched.
"""

is_unplanned = _is(notifications.c.state, "accepted")
is_undecidable = _is(notifications.c.state, "undecidable")

_partial("notifications_unplanned", notifications.c.id, where=is_unplanned)
_partial("notifications_undecidable", notifications.c.id, where=is_undecidable)

payloads = Table(
    "payloads",
    metadata,
    Column("notification", Id, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The bodies as they came, less secrets; apart, so that lists stay quick."""

seen = Table(
    "seen",
    metadata,
    Column("key", Id, primary_key=True),
    Column("notification", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index("seen_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)
"""The idempotency keys, each with the notification that had it first."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("notification", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("lane_hash", BigInteger, nullable=False),
    Column("parked", Integer, nullable=False, server_default="0"),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("leased_to", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False),
    Column("handouts", Integer, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("follows", Boolean, nullable=False),
    Column("priority", Text, nullable=False),
    Column("privacy", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("collapse", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("handle", Text, nullable=False),
    Column("operation", Text, nullable=False, server_default="send"),
    Column("original", Text, nullable=False, server_default=""),
    Column("topic", BigInteger),
    Column("unless", LargeBinary, nullable=False, server_default=""),
    Column("awaited", Boolean, nullable=False, server_default=false()),
    Column("cancel_requested", Integer, nullable=False, server_default="0"),
)
"""Messages to contacts over channels.

`lane_hash` stands for channel and lane: no two deliveries of one are sent at once, which the
unique index guarantees. A delivery that was met while its lane was busy is `parked`, so that a
long line to one address is not walked again and again; it is let out when its turn comes.
`leased_to` is the process that sends it, or sent it last. `unless` is what makes it needless, as
JSON; empty where nothing does. `awaited` says that another one wants to hear of its end.
`cancel_requested` says of a leased one that an operator cancelled it: it is not tried again.
`topic` is a number made of `about`, under which to look for it (`topic_number`).
`original` is the delivery that one with an `operation` other than `send` changes or takes back.
"""

is_waiting = _is(deliveries.c.state, "waiting")
is_in_line = and_(is_waiting, deliveries.c.parked == literal_column("0"))
is_parked = and_(is_waiting, deliveries.c.parked == literal_column("1"))
is_sending = _is(deliveries.c.state, "sending")
is_recalled = and_(is_sending, deliveries.c.cancel_requested == literal_column("1"))


def are_open(table: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that deliveries are open, one for each index that serves them."""
    waiting = _is(table.c.state, "waiting")
    parked = table.c.parked
    return (
        and_(waiting, parked == literal_column("0")),
        and_(waiting, parked == literal_column("1")),
        _is(table.c.state, "sending"),
    )


is_change = deliveries.c.original != literal_column("''")
is_dead = or_(_is(deliveries.c.state, "dead"), _is(deliveries.c.state, "expired"))

_delivery = deliveries.c
_partial(
    "deliveries_in_line",
    *(_delivery.channel, _delivery.urgent, _delivery.due_at, _delivery.id),
    where=is_in_line,
)
_partial("deliveries_parked", _delivery.lane_hash, _delivery.due_at, _delivery.id, where=is_parked)
_partial("deliveries_lane", _delivery.lane_hash, _delivery.due_at, where=is_in_line)
_partial("deliveries_contact", _delivery.contact, where=is_waiting)
_partial("deliveries_topic", _delivery.topic, where=_delivery.topic.is_not(None))
_partial("deliveries_original", _delivery.original, where=is_change)
_partial("deliveries_expiry", _delivery.expires_at, where=is_waiting)
_partial("deliveries_sending", _delivery.lane_hash, where=is_sending, unique=True)
_partial("deliveries_recalled", _delivery.leased_to, where=is_recalled)
_partial("deliveries_waiting", _delivery.id, _delivery.channel, _delivery.rule, where=is_waiting)
_partial("deliveries_dead", _delivery.id, where=is_dead)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", Id, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Double, primary_key=True),
    Column("ended_at", Double, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer),
    Column("handle", Text, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Each try of a delivery; a try that did not count shares its number with the next."""

recipients = Table(
    "recipients",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("attributes", LargeBinary, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("muted", LargeBinary, nullable=False),
    Column("opt_outs", LargeBinary, nullable=False),
    Column("country", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)
"""People; attributes, mutes and opt-outs are JSON. `country` is where their addresses are read."""

contacts = Table(
    "contacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("app_id", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("raw", Text, nullable=False, server_default=""),
    Column("country", Text, nullable=False, server_default=""),
    Column("platform", Text, nullable=False, server_default=""),
    Column("provider_id", Text, nullable=False, server_default=""),
    Column("session", Text, nullable=False, server_default=""),
    Column("locale", Text, nullable=False, server_default=""),
    Column("timezone", Text, nullable=False, server_default=""),
    Column("seen_at", Double, nullable=False),
    Index("contacts_recipient", "app_id", "uid"),
)
"""Addresses; a device has a platform, and the hash of its auth token as `session`.

`raw` is the text that was registered, empty where the address is the same, and `country` the one in
which it was read, empty where it stood by itself.
"""

is_device = contacts.c.platform != literal_column("''")

_partial("contacts_device", contacts.c.app_id, contacts.c.address, where=is_device, unique=True)
_partial(
    "contacts_kind",
    *(contacts.c.app_id, contacts.c.uid, contacts.c.kind),
    where=_is(contacts.c.platform, ""),
    unique=True,
)

once = Table(
    "once",
    metadata,
    Column("event", Id, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("delivery", Id, nullable=False),
    Index("once_delivery", "delivery"),
    sqlite_with_rowid=False,
)
"""Which delivery speaks for all recipients of an event."""

rulesets = Table(
    "rulesets",
    metadata,
    Column("version", Text, primary_key=True),
    Column("file", Text, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Column("included", LargeBinary, nullable=False, server_default=""),
    Column("loaded_at", Double, nullable=False),
)
"""Rules texts that loaded without an error; `included` are those of included files, as JSON."""

holds = Table(
    "holds",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("host", Text, primary_key=True),
    Column("until", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Channels that are held, and until when each cause holds them, or a single host of theirs."""

lane_holds = Table(
    "lane_holds",
    metadata,
    Column("lane_hash", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", Text, nullable=False),
    Column("until", Double, nullable=False),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Index("lane_holds_until", "until"),
    sqlite_with_rowid=False,
)
"""Lanes that are held, because nothing can be sent where they lead to.

`refusals` counts how many times a provider refused to serve the lane; such a row stays when its
time is over, until something of the lane is delivered or a day has passed.
"""
_partial(
    "lane_holds_unrefused",
    lane_holds.c.until,
    where=lane_holds.c.refusals == literal_column("0"),
)
