"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _column(name: str, kind: Any = sa.Text, **options: Any) -> sa.Column[Any]:  # noqa: ANN401 - what Column takes
    return sa.Column(name, kind, **{"nullable": False, **options})


def _key(name: str, kind: Any = ID) -> sa.Column[Any]:  # noqa: ANN401 - what Column takes
    return sa.Column(name, kind, primary_key=True)


def _partial(name: str, table: str, *columns: str, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def upgrade() -> None:
    """Make them."""
    _make_journal()
    _make_queue()
    _make_registry()
    _make_marks()


def _make_journal() -> None:
    op.create_table(
        "notifications",
        _key("id"),
        _column("app_id"),
        _column("uid"),
        _column("feed"),
        _column("kind"),
        _column("conversation"),
        _column("event"),
        _column("sent_at", sa.Double, nullable=True),
        _column("accepted_at", sa.Double),
        _column("skew", sa.Double),
        _column("state"),
        _column("reason", server_default=""),
        _column("decided_at", sa.Double, nullable=True),
        _column("version", server_default=""),
        _column("matched", sa.LargeBinary, server_default=""),
        _column("classified", sa.LargeBinary, server_default=""),
    )
    op.create_index("notifications_app", "notifications", ["app_id", "id", "uid"])
    _partial("notifications_unplanned", "notifications", "id", where="state = 'accepted'")
    _partial("notifications_undecidable", "notifications", "id", where="state = 'undecidable'")
    op.create_table("payloads", _key("notification"), _column("body", sa.LargeBinary))
    op.create_table(
        "seen",
        _key("key"),
        _column("notification"),
        _column("expires_at", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_index("seen_expires_at", "seen", ["expires_at"])


def _make_queue() -> None:
    op.create_table(
        "deliveries",
        _key("id"),
        _column("notification"),
        _column("rule"),
        _column("step", sa.Integer),
        _column("channel"),
        _column("contact"),
        _column("address"),
        _column("lane"),
        _column("lane_hash", sa.BigInteger),
        _column("parked", sa.Integer, server_default="0"),
        _column("state"),
        _column("reason"),
        _column("due_at", sa.Double),
        _column("expires_at", sa.Double),
        _column("lease_until", sa.Double),
        _column("leased_to", server_default=""),
        _column("attempts", sa.Integer),
        _column("handouts", sa.Integer),
        _column("urgent", sa.Boolean),
        _column("follows", sa.Boolean),
        _column("priority"),
        _column("privacy"),
        _column("about"),
        _column("collapse"),
        _column("content", sa.LargeBinary),
        _column("handle"),
        _column("operation", server_default="send"),
        _column("original", server_default=""),
        _column("topic", sa.BigInteger, nullable=True),
        _column("unless", sa.LargeBinary, server_default=""),
        _column("awaited", sa.Boolean, server_default=sa.false()),
        _column("cancel_requested", sa.Integer, server_default="0"),
    )
    waiting = "state = 'waiting'"
    in_line, parked = f"{waiting} AND parked = 0", f"{waiting} AND parked = 1"
    line = ("channel", "urgent", "due_at", "id")
    _partial("deliveries_in_line", "deliveries", *line, where=in_line)
    _partial("deliveries_parked", "deliveries", "lane_hash", "due_at", "id", where=parked)
    _partial("deliveries_lane", "deliveries", "lane_hash", "due_at", where=in_line)
    _partial("deliveries_contact", "deliveries", "contact", where=waiting)
    _partial("deliveries_topic", "deliveries", "topic", where="topic IS NOT NULL")
    _partial("deliveries_original", "deliveries", "original", where="original != ''")
    _partial("deliveries_expiry", "deliveries", "expires_at", where=waiting)
    sending = "state = 'sending'"
    _partial("deliveries_sending", "deliveries", "lane_hash", where=sending, unique=True)
    recalled = f"{sending} AND cancel_requested = 1"
    _partial("deliveries_recalled", "deliveries", "leased_to", where=recalled)
    _partial("deliveries_waiting", "deliveries", "id", "channel", "rule", where=waiting)
    dead = "state = 'dead' OR state = 'expired'"
    _partial("deliveries_dead", "deliveries", "id", where=dead)
    op.create_table(
        "attempts",
        _key("delivery"),
        _key("number", sa.Integer),
        _key("started_at", sa.Double),
        _column("ended_at", sa.Double),
        _column("outcome"),
        _column("status", sa.Integer, nullable=True),
        _column("handle"),
        _column("reason"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "once",
        _key("event"),
        _key("rule", sa.Text),
        _key("step", sa.Integer),
        _key("channel", sa.Text),
        _key("address", sa.Text),
        _column("delivery", ID),
        sqlite_with_rowid=False,
    )
    op.create_index("once_delivery", "once", ["delivery"])
    op.create_table(
        "holds",
        _key("channel", sa.Text),
        _key("cause", sa.Text),
        _key("host", sa.Text),
        _column("until", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "daily_counts",
        sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),
        _key("scope", sa.Text),
        _key("name", sa.Text),
        _column("sends", sa.BigInteger),
        _column("cap", sa.BigInteger),
        sa.Column("lifted", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lane_holds",
        sa.Column("lane_hash", sa.BigInteger, primary_key=True, autoincrement=False),
        _column("channel", sa.Text),
        _column("until", sa.Double),
        sa.Column("refusals", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_index("lane_holds_until", "lane_holds", ["until"])
    unrefused = "refusals = 0"
    _partial("lane_holds_unrefused", "lane_holds", "until", where=unrefused)


def _make_registry() -> None:
    op.create_table(
        "recipients",
        _key("app_id", sa.Text),
        _key("uid", sa.Text),
        _column("attributes", sa.LargeBinary),
        _column("timezone"),
        _column("locale"),
        _column("muted", sa.LargeBinary),
        _column("opt_outs", sa.LargeBinary),
        _column("country", server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contacts",
        _key("id"),
        _column("app_id"),
        _column("uid"),
        _column("kind"),
        _column("address"),
        _column("raw", server_default=""),
        _column("country", server_default=""),
        _column("platform", server_default=""),
        _column("provider_id", server_default=""),
        _column("session", server_default=""),
        _column("locale", server_default=""),
        _column("timezone", server_default=""),
        _column("seen_at", sa.Double),
    )
    op.create_index("contacts_recipient", "contacts", ["app_id", "uid"])
    device, other = "platform != ''", "platform = ''"
    _partial("contacts_device", "contacts", "app_id", "address", where=device, unique=True)
    _partial("contacts_kind", "contacts", "app_id", "uid", "kind", where=other, unique=True)
    op.create_table(
        "rulesets",
        _key("version", sa.Text),
        _column("file"),
        _column("text", sa.LargeBinary),
        _column("included", sa.LargeBinary, server_default=""),
        _column("loaded_at", sa.Double),
    )


def _make_marks() -> None:
    op.create_table(
        "calls",
        *(_key(name, sa.Text) for name in ("app_id", "session", "uid", "action")),
        _column("heard_at", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_index("calls_heard_at", "calls", ["heard_at"])
    op.create_table(
        "reads",
        *(_key(name, sa.Text) for name in ("app_id", "uid", "conversation")),
        _column("message", sa.BigInteger),
        _column("read_at", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_index("reads_read_at", "reads", ["read_at"])
    op.create_table("watches", _key("key"), _key("delivery"), sqlite_with_rowid=False)
    op.create_index("watches_delivery", "watches", ["delivery"])
    op.create_table(
        "throttles",
        _key("key"),
        _column("closes_at", sa.Double),
        _column("count", sa.Integer),
        _column("events", sa.LargeBinary, server_default=""),
        _column("summaries", sa.LargeBinary, server_default=""),
        _column("first", server_default=""),
        _column("people", sa.LargeBinary, server_default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("throttles_closes_at", "throttles", ["closes_at"])
    op.create_table(
        "rule_days",
        *(_key(name, sa.Text) for name in ("rule", "day")),
        _column("matches", sa.BigInteger),
        _column("near_misses", sa.BigInteger),
        _column("last_at", sa.Double),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them with everything in them."""
    for table in (
        *("rule_days", "throttles", "watches", "reads", "calls"),
        *("rulesets", "contacts", "recipients", "lane_holds", "daily_counts", "holds", "once"),
        *("attempts", "deliveries"),
        *("seen", "payloads", "notifications"),
    ):
        op.drop_table(table)
