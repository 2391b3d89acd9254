"""The tables of what one notification leaves for later ones; times are epoch seconds."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, Text

from router.store.schema.tables import Id, metadata

calls = Table(
    "calls",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("session", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("heard_at", Double, nullable=False),
    Index("calls_heard_at", "heard_at"),
    sqlite_with_rowid=False,
)
"""What was heard of call sessions; an empty `uid` means everybody in the call."""

reads = Table(
    "reads",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("conversation", Text, primary_key=True),
    Column("message", BigInteger, nullable=False),
    Column("read_at", Double, nullable=False),
    Index("reads_read_at", "read_at"),
    sqlite_with_rowid=False,
)
"""How far a recipient has read a conversation: the last message's id (0: not told), and when."""

watches = Table(
    "watches",
    metadata,
    Column("key", Id, primary_key=True),
    Column("delivery", Id, primary_key=True),
    Index("watches_delivery", "delivery"),
    sqlite_with_rowid=False,
)
"""Which waiting deliveries want to hear of what: a call, a conversation's reading, an end."""

throttles = Table(
    "throttles",
    metadata,
    Column("key", Id, primary_key=True),
    Column("closes_at", Double, nullable=False),
    Column("count", Integer, nullable=False),
    Column("events", LargeBinary, nullable=False, server_default=""),
    Column("summaries", LargeBinary, nullable=False, server_default=""),
    Column("first", Text, nullable=False, server_default=""),
    Column("people", LargeBinary, nullable=False, server_default=""),
    Index("throttles_closes_at", "closes_at"),
    sqlite_with_rowid=False,
)
"""Open windows of throttles: how many notifications fell in, and the summaries that wait.

Keys and slots are hashes, so that nobody can read in them; `events`, `summaries` and
`people` are JSON.
"""

daily_counts = Table(
    "daily_counts",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sends", BigInteger, nullable=False),
    Column("cap", BigInteger, nullable=False),
    Column("lifted", Integer, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)
"""The sends of channels and apps with a daily cap, by the number of the day (UTC).

`scope` is `channel` or `app`. A cap that an operator `lifted` holds nothing on that day.
"""

rule_days = Table(
    "rule_days",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("matches", BigInteger, nullable=False),
    Column("near_misses", BigInteger, nullable=False),
    Column("last_at", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""How often rules matched, or nearly, on each day (UTC, as 2026-03-29), and when last."""
