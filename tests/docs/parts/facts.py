"""The numbers of the promise of delivery, from the constants that make them true."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from router import app, samples, signals
from router.channel import Settings
from router.core.decide import timing
from router.core.model import notification, refusals, retry
from router.core.model.notification import derive
from router.core.model.payload import decode
from router.core.rules.ruleset import Defaults
from router.ingest import accept, clock_skew
from router.planner import planner
from router.queue import accept as queue_accept
from router.queue import ports
from router.registry import load_plugins
from router.rulebook import channels
from router.store.db import database, sqlite_file
from router.store.db import postgres as connections
from router.store.log import dead_letters
from router.web import connection, problems, server, webhook
from router.worker import attempt, channel_gate, circuit_breaker, outbox, worker
from tests.docs.parts.table import code, table

SAMPLE = Path(samples.__file__).parent / "push_chat_one_on_one.json"
_CHANNEL = Settings()
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """Return a length of time as people write it."""
    if seconds == notification.DAY_S:
        return "24 h"
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _pragma(name: str) -> str:
    (found,) = [each for each in sqlite_file._PRAGMAS if each.startswith(f"{name}=")]
    return code(found)


def _numbers(*rows: tuple[str, str]) -> Callable[[], str]:
    return lambda: table(("what", "how much"), rows)


def _write_retries() -> str:
    later = [
        (str(number), f"up to {span(longest)}", _long(sum(retry.RETRY_DELAYS_S[: number - 1])))
        for number, longest in enumerate(retry.RETRY_DELAYS_S, 2)
    ]
    headings = ("attempt", "waits after the one before", "at the latest, after the first")
    return table(headings, [("1", "", ""), *later])


def _long(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{size} {unit}" for size, unit in parts if size)


def _believed(direction: int) -> float:
    """Return for how many seconds before (-1) or after (1) its arrival a `sentAt` counts."""
    payload = decode(SAMPLE.read_bytes())
    arrived = 2e9
    whole = derive(payload, id="n", accepted_at=arrived)

    def counts(minutes: int) -> bool:
        sent_at = arrived + direction * minutes * notification.MINUTE_S
        return replace(whole, sent_at=sent_at).occurred_at == sent_at

    return max(filter(counts, range(3 * 24 * 60))) * notification.MINUTE_S


def _write_doubts() -> str:
    schemas = sorted(load_plugins().schemas.items())
    return table(
        ("plugin", "after an unknown outcome"),
        (
            (code(name), "sent again" if schema.channel.idempotent else "dead: `may_have_arrived`")
            for name, schema in schemas
        ),
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "accept": _numbers(
        ("SQLite's journal", _pragma("journal_mode")),
        ("when SQLite calls fsync", _pragma("synchronous")),
        (
            "the longest a payload may take to be durable; then 503",
            span(queue_accept.ACCEPT_TIMEOUT_S),
        ),
        (
            "payloads that may wait to be written; beyond them 503",
            f"{queue_accept.MAX_WAITING_WRITES:,}",
        ),
        ("`Retry-After` of a 503", span(float(problems.RETRY_AFTER_S))),
        ("the largest body; beyond it 413", f"{webhook.MAX_BODY_BYTES // 1024 // 1024} MiB"),
        (
            "all bodies in hand together; beyond it 503",
            f"{webhook.MAX_TOTAL_BODY_BYTES // 1024 // 1024} MiB",
        ),
        ("the longest a request may take to come in; then 408", span(connection.REQUEST_TIMEOUT_S)),
        (
            "the largest head of a request; beyond it 431",
            f"{connection.MAX_HEAD_BYTES // 1024} KiB",
        ),
        ("connections at the same time; beyond them 503", f"{server.MAX_CONNECTIONS:,}"),
        ("how long the writer waits for another process's lock", span(sqlite_file.BUSY_TIMEOUT_S)),
    ),
    "repeats": _numbers(
        ("the same payload again is a duplicate for", span(accept.IDEMPOTENCY_WINDOW_S)),
        ("the same for a digest that names no messages", span(accept.DIGEST_IDEMPOTENCY_WINDOW_S)),
    ),
    "sending": _numbers(
        ("a lease, renewed at half-time", span(ports.LEASE_S)),
        ("hand-outs without an answer until `crash_loop`", str(retry.MAX_HANDOUTS)),
        ("attempts to decide until `undecidable`", str(planner.MAX_PLAN_TRIES)),
        ("`timeout` of a send, unless the channel says otherwise", span(_CHANNEL.timeout)),
        ("grace beyond it, then the outcome is unknown", span(attempt.TIMEOUT_MARGIN_S)),
        ("`concurrency` of a channel, unless it says otherwise", str(_CHANNEL.concurrency)),
        (
            "of those, kept for calls that ring",
            str(channel_gate.reserved_for_urgent(_CHANNEL.concurrency)),
        ),
        ("deliveries in memory at most", f"{outbox.MAX_IN_MEMORY:,}"),
        ("a suspension, unless the provider names a time", span(retry.DEFAULT_SUSPENSION_S)),
        ("a look for due deliveries at least every", span(worker.POLL_INTERVAL_S)),
    ),
    "refusals": _numbers(
        (
            "recipients refused, with nobody served in between, that suspend the channel",
            str(refusals.MIN_DISTINCT_RECIPIENTS),
        ),
        ("a recipient is held after its first refusal for", span(refusals.FIRST_HOLD_S)),
        ("after each further one", "twice as long"),
        ("at most", span(refusals.MAX_HOLD_S)),
        ("at most, while the provider serves nobody", span(refusals.MAX_HOLD_UNSERVED_S)),
        ("its refusals are forgotten after its next message, or", span(notification.DAY_S)),
    ),
    "bounds": _numbers(
        (
            "the next attempt comes after",
            f"{span(retry.MIN_RETRY_S)} to {span(retry.MAX_RETRY_S)}",
        ),
        ("after such an answer that names no time, at least after", span(retry.THROTTLE_S)),
        (
            "a suspension takes",
            f"{span(retry.MIN_SUSPENSION_S)} to {span(retry.MAX_SUSPENSION_S)}",
        ),
    ),
    "doubts": _write_doubts,
    "retries": _write_retries,
    "breaker": _numbers(
        ("failures in a row that open it", str(circuit_breaker.MAX_FAILURES)),
        ("requests for fewer in a row that open it", str(circuit_breaker.MAX_THROTTLES)),
        (
            "the first rest, unless the provider names one, up to",
            span(circuit_breaker.FIRST_OPEN_S),
        ),
        ("each rest after a failed probe", "twice as long"),
        ("any rest at most", span(circuit_breaker.MAX_OPEN_S)),
        ("any rest the provider asks for at most", span(circuit_breaker.MAX_RETRY_AFTER_S)),
    ),
    "expiry": _numbers(
        ("a call that rings", span(timing.RING_S)),
        ("a reaction", span(timing.REACTION_LIFETIME_S)),
        ("everything else", span(notification.DAY_S)),
        ("a `sentAt` is believed, before the arrival, up to", span(_believed(-1))),
        ("a `sentAt` is believed, after the arrival, up to", span(_believed(1))),
    ),
    "several": _numbers(
        ("what a process was sending when it died goes to another after", span(ports.LEASE_S)),
        ("what it accepted and had not decided, after up to", span(2 * planner.POLL_INTERVAL_S)),
    ),
    "postgres": _numbers(
        ("connections of a process, at most", str(database.MAX_CONCURRENT_READS + 1)),
        ("of those, to write", "1"),
        (
            "a payload that is not durable is answered 503 after",
            span(queue_accept.ACCEPT_TIMEOUT_S),
        ),
        ("the server must let the router in within", span(connections.CONNECT_TIMEOUT_S)),
        ("a statement waits for what somebody else locked", span(connections.LOCK_TIMEOUT_S)),
        ("a query ends after", span(database.READ_TIMEOUT_S)),
        ("a transaction that writes, or stands still, ends after", span(database.WRITE_TIMEOUT_S)),
        (
            "a server that says nothing at all is given up later by",
            span(connections.TIMEOUT_MARGIN_S),
        ),
    ),
    "clocks": _numbers(
        ("a moment, of which the quickest payload counts", span(clock_skew.SLOT_S)),
        (
            "moments that must agree until the difference is believed",
            str(clock_skew.MIN_AGREEING_SLOTS),
        ),
        ("they agree within", span(clock_skew.TOLERANCE_S)),
        ("the log warns of a difference above", span(clock_skew.WARN_ABOVE_S)),
    ),
    "stopping": _numbers(
        ("requests and sends in flight may still take", span(app.SHUTDOWN_GRACE_S)),
        ("their outcomes may take to be written", span(worker.DRAIN_TIMEOUT_S)),
        ("channels may take to close", span(channels.CLOSE_TIMEOUT_S)),
        ("the process has ended, whatever still runs in it", span(signals.EXIT_TIMEOUT_S)),
    ),
    "keeping": _numbers(
        (
            "what has ended is kept, unless `defaults.retention` says otherwise",
            span(Defaults().retention),
        ),
        ("what is older is deleted, looked for every", span(app.RETENTION_INTERVAL_S)),
        ("what is retried lives for another", span(dead_letters.RETRIED_LIFETIME_S)),
    ),
}
"""What writes each table, by its name."""
