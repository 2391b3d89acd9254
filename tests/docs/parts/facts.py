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
    if seconds == notification.DAY:
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
        (str(number), f"up to {span(longest)}", _long(sum(retry.DELAYS[: number - 1])))
        for number, longest in enumerate(retry.DELAYS, 2)
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
        sent_at = arrived + direction * minutes * notification.MINUTE
        return replace(whole, sent_at=sent_at).occurred_at == sent_at

    return max(filter(counts, range(3 * 24 * 60))) * notification.MINUTE


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
        ("the longest a payload may take to be durable; then 503", span(queue_accept.PATIENCE)),
        ("payloads that may wait to be written; beyond them 503", f"{queue_accept.WAITING:,}"),
        ("`Retry-After` of a 503", span(float(problems.RETRY_AFTER))),
        ("the largest body; beyond it 413", f"{webhook.MOST // 1024 // 1024} MiB"),
        ("all bodies in hand together; beyond it 503", f"{webhook.ROOM // 1024 // 1024} MiB"),
        ("the longest a request may take to come in; then 408", span(connection.WHOLE)),
        ("the largest head of a request; beyond it 431", f"{connection.HEAD // 1024} KiB"),
        ("connections at the same time; beyond them 503", f"{server.MOST:,}"),
        ("how long the writer waits for another process's lock", span(sqlite_file.BUSY)),
    ),
    "repeats": _numbers(
        ("the same payload again is a duplicate for", span(accept.WINDOW)),
        ("the same for a digest that names no messages", span(accept.DIGEST_WINDOW)),
    ),
    "sending": _numbers(
        ("a lease, renewed at half-time", span(ports.LEASE)),
        ("hand-outs without an answer until `crash_loop`", str(retry.HANDOUTS)),
        ("attempts to decide until `undecidable`", str(planner.TRIES)),
        ("`timeout` of a send, unless the channel says otherwise", span(_CHANNEL.timeout)),
        ("grace beyond it, then the outcome is unknown", span(attempt.MARGIN)),
        ("`concurrency` of a channel, unless it says otherwise", str(_CHANNEL.concurrency)),
        (
            "of those, kept for calls that ring",
            str(channel_gate.kept_for_urgent(_CHANNEL.concurrency)),
        ),
        ("deliveries in memory at most", f"{outbox.MEMORY:,}"),
        ("a suspension, unless the provider names a time", span(retry.SUSPENSION)),
        ("a look for due deliveries at least every", span(worker.POLL)),
    ),
    "refusals": _numbers(
        (
            "recipients refused, with nobody served in between, that suspend the channel",
            str(refusals.DISTINCT_RECIPIENTS),
        ),
        ("a recipient is held after its first refusal for", span(refusals.FIRST_HOLD_S)),
        ("after each further one", "twice as long"),
        ("at most", span(refusals.MAX_HOLD_S)),
        ("at most, while the provider serves nobody", span(refusals.MAX_HOLD_UNSERVED_S)),
        ("its refusals are forgotten after its next message, or", span(notification.DAY)),
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
        ("failures in a row that open it", str(circuit_breaker.FAILURES)),
        ("requests for fewer in a row that open it", str(circuit_breaker.THROTTLES)),
        ("the first rest, unless the provider names one, up to", span(circuit_breaker.SHORTEST)),
        ("each rest after a failed probe", "twice as long"),
        ("any rest at most", span(circuit_breaker.LONGEST)),
        ("any rest the provider asks for at most", span(circuit_breaker.LONGEST_ASKED)),
    ),
    "expiry": _numbers(
        ("a call that rings", span(timing.RING)),
        ("a reaction", span(timing.REACTION)),
        ("everything else", span(notification.DAY)),
        ("a `sentAt` is believed, before the arrival, up to", span(_believed(-1))),
        ("a `sentAt` is believed, after the arrival, up to", span(_believed(1))),
    ),
    "several": _numbers(
        ("what a process was sending when it died goes to another after", span(ports.LEASE)),
        ("what it accepted and had not decided, after up to", span(2 * planner.POLL)),
    ),
    "postgres": _numbers(
        ("connections of a process, at most", str(database.READERS + 1)),
        ("of those, to write", "1"),
        ("a payload that is not durable is answered 503 after", span(queue_accept.PATIENCE)),
        ("the server must let the router in within", span(connections.CONNECT)),
        ("a statement waits for what somebody else locked", span(connections.BUSY)),
        ("a query ends after", span(database.LONGEST_READ)),
        ("a transaction that writes, or stands still, ends after", span(database.LONGEST_WRITE)),
        ("a server that says nothing at all is given up later by", span(connections.MARGIN)),
    ),
    "clocks": _numbers(
        ("a moment, of which the quickest payload counts", span(clock_skew.SLOT)),
        ("moments that must agree until the difference is believed", str(clock_skew.WITNESSES)),
        ("they agree within", span(clock_skew.TOLERANCE)),
        ("the log warns of a difference above", span(clock_skew.REMARKABLE)),
    ),
    "stopping": _numbers(
        ("requests and sends in flight may still take", span(app.GRACE)),
        ("their outcomes may take to be written", span(worker.DRAIN)),
        ("channels may take to close", span(channels.CLOSING_S)),
        ("the process has ended, whatever still runs in it", span(signals.LAST)),
    ),
    "keeping": _numbers(
        (
            "what has ended is kept, unless `defaults.retention` says otherwise",
            span(Defaults().retention),
        ),
        ("what is older is deleted, looked for every", span(app.SWEEP)),
        ("what is retried lives for another", span(dead_letters.LIFE)),
    ),
}
"""What writes each table, by its name."""
