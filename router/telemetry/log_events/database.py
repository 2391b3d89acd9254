"""Events of the database."""

from typing import Final

from router.telemetry.log_events.event import NOTHING_TO_DO, LogEvent

DATABASE_EVENTS: Final = (
    LogEvent(
        "database unavailable",
        "warning",
        ("error",),
        "The database did not answer in time, or returned an error. A request was answered 503; "
        "the decisions of notifications are tried again.",
        "Look at the database, its connections and its free space.",
    ),
    LogEvent(
        "serialization conflict, retrying",
        "info",
        ("sqlstate",),
        "PostgreSQL undid a transaction in favour of another one; it is repeated at once.",
        "Nothing to do; a few are normal with several routers.",
    ),
    LogEvent(
        "batch commit failed, retrying singly",
        "warning",
        ("error",),
        "The database refused one of several writes of a transaction; each is repeated on its own, "
        "so that only that one fails.",
        "Report it as a bug.",
    ),
    LogEvent(
        "outcome write failed, retrying",
        "warning",
        ("count", "error", "place"),
        "The outcomes of deliveries could not be written; they are kept in memory and repeated.",
        "Look at the database. Let the router run: killed, it would send these messages again.",
    ),
    LogEvent(
        "queue operation failed, retrying",
        "warning",
        ("step", "error", "place"),
        "An operation on the queue fails; sending continues with what is in memory.",
        "Look at the database. `queue operation recovered` follows when it works again.",
    ),
    LogEvent(
        "queue operation recovered",
        "info",
        ("step",),
        "An operation on the queue works again.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "lease takeover failed",
        "warning",
        ("error",),
        "The router could not take over at its start what a killed one had begun to send; it is "
        "sent when the leases expire.",
        NOTHING_TO_DO,
    ),
)
