"""What ends undelivered is told once it is committed, whichever way it ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from router.core.model.facts import Cancellation, StateChanges
from router.core.model.retry import Again, Cancelled, Dead, Done, Expired, Hold, NextStep
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.recipients.repository import Recipients, Registration
from router.store.state.endings import EndedDelivery
from router.telemetry import Metrics
from router.worker.endings import MAX_LOG_LINES, make_endings_reporter
from tests.queue.rows import HOUR, QueueRows
from tests.queue.test_sql_engine import SqlEngine


class Told(list[EndedDelivery]):
    """The ends that were told."""

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many ended in each state for each reason."""
        return Counter((each.state, each.reason) for each in self)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
def told(database: Database) -> Told:
    told = Told()
    database.writer.ended = told.extend
    return told


@pytest.mark.parametrize(
    ("step", "ends"),
    [
        (Dead("no such chat"), [("dead", "no such chat")]),
        (Expired("too late"), [("expired", "too late")]),
        (Cancelled("cannot_change"), [("cancelled", "cannot_change")]),
        (Done("handle"), []),
        (Again(1.0), []),
        (Hold(1.0, "403"), []),
    ],
)
async def test_what_is_settled_is_told_unless_it_is_delivered_or_goes_on(
    database: Database, told: Told, step: NextStep, ends: list[tuple[str, str]]
) -> None:
    queue_rows = QueueRows(SqlEngine.over(database))
    delivery = await queue_rows.put()
    await queue_rows.claim()
    await queue_rows.engine.queue.settle([Settlement(delivery=delivery, attempt=None, next=step)])
    assert [(each.state, each.reason) for each in told] == ends
    assert {(each.delivery, each.channel) for each in told} <= {(delivery, "app")}


async def test_what_expires_or_crashes_in_bulk_is_told(database: Database, told: Told) -> None:
    queue_rows = QueueRows(SqlEngine.over(database))
    for _ in range(7):
        await queue_rows.put(expires_at=queue_rows.now + 10)
    poison = await queue_rows.put()
    queue_rows.now += 10
    for _ in range(4):
        assert await queue_rows.claimed() in ([poison], [])
        queue_rows.now += 60
    assert told.counts() == {
        ("expired", "expired before it was sent"): 7,
        ("dead", "crash_loop"): 1,
    }


async def test_what_is_cancelled_for_a_contact_that_goes_is_told(
    database: Database, told: Told
) -> None:
    queue_rows, recipients = QueueRows(SqlEngine.over(database)), Recipients(database)
    device = Registration(platform="p", address="t", auth_token="session")
    await recipients.register("bob", device, "app")
    bob = await recipients.get("bob", "app")
    assert bob is not None
    times = {"due_at": queue_rows.now + HOUR, "expires_at": queue_rows.now + 2 * HOUR}
    for _ in range(3):
        await queue_rows.put(contact=bob.contacts[0].id, **times)
    assert await recipients.logout("bob", "session", "app") == 1
    assert told.counts() == {("cancelled", "contact_gone"): 3}


async def test_what_a_decision_ends_is_told(database: Database, told: Told) -> None:
    queue_rows = QueueRows(SqlEngine.over(database))
    waiting = await queue_rows.put(
        due_at=queue_rows.now + HOUR, expires_at=queue_rows.now + 2 * HOUR
    )
    later = await queue_rows.accept()
    ending = Cancellation(delivery=waiting, state="cancelled", reason="deleted")
    late = queue_rows.delivery(later.id, state="cancelled", reason="not_shown")
    await queue_rows.settle(
        queue_rows.plan(later.id, late, effects=StateChanges(endings=(ending,)))
    )
    assert told.counts() == {("cancelled", "deleted"): 1, ("cancelled", "not_shown"): 1}


async def test_what_cannot_be_written_is_not_told(database: Database, told: Told) -> None:
    queue_rows = QueueRows(SqlEngine.over(database))
    good, bad = await queue_rows.put(), await queue_rows.put()
    await queue_rows.claim()
    settlements = [
        Settlement(delivery=id_, attempt=queue_rows.attempt(id_), next=Dead("no"))
        for id_ in (good, bad)
    ]
    settlements[1] = replace(
        settlements[1], attempt=replace(queue_rows.attempt(bad), status=10**26)
    )
    with pytest.raises(Exception, match=r".+"):
        await asyncio.wait_for(queue_rows.engine.queue.settle(settlements), 30)
    assert [each.delivery for each in told] == [good]


def test_ends_are_counted_by_class_and_logged_by_their_weight() -> None:
    metrics = Metrics()
    report = make_endings_reporter(metrics)
    with capture_logs() as lines:
        report([EndedDelivery("n1-0", "bot", "dead", "404 not found")])
        report(
            [
                EndedDelivery(f"n{n}-0", "bot", "expired", "too late")
                for n in range(MAX_LOG_LINES + 1)
            ]
        )
        report([EndedDelivery("n2-0", "bot", "cancelled", "operator")])
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "delivery not delivered"),
        ("warning", "deliveries not delivered"),
        ("debug", "delivery cancelled"),
    ]
    assert lines[0]["delivery"] == "n1-0"
    assert lines[0]["reason"] == "404 not found"
    assert lines[1]["count"] == MAX_LOG_LINES + 1
    text = metrics.exposition().decode()
    for state, reason, count in (
        ("dead", "rejected", 1),
        ("expired", "expired", MAX_LOG_LINES + 1),
        ("cancelled", "operator", 1),
    ):
        labels = f'{{channel="bot",reason="{reason}",state="{state}"}}'
        assert f"router_deliveries_ended_total{labels} {count}.0" in text
