"""Dead letters: listed, retried and dropped, one by one and in bulk."""

import pytest

from router.core.model.retry import Dead, Done
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.errors import CursorInvalid
from router.store.log import dead_letters
from router.store.log.dead_letters import RETRIED_LIFETIME_S, DeadLetterFilter, DeadLetters
from tests.queue.rows import QueueRows
from tests.store.waiting_deliveries import Waiting


@pytest.fixture
def queue_rows(waiting: Waiting) -> QueueRows:
    return waiting.queue_rows


@pytest.fixture
def letters(database: Database, queue_rows: QueueRows) -> DeadLetters:
    return DeadLetters(database, lambda: queue_rows.now)


async def bury(queue_rows: QueueRows, **fields: object) -> str:
    """Put a delivery and let its only try fail for good."""
    delivery = await queue_rows.put(**fields)
    assert delivery in await queue_rows.claimed()
    dead = Settlement(
        delivery=delivery, attempt=queue_rows.attempt(delivery), next=Dead("bad number")
    )
    assert await queue_rows.engine.queue.settle([dead]) == []
    return delivery


async def expire(queue_rows: QueueRows) -> str:
    delivery = await queue_rows.put(expires_at=queue_rows.now + 1)
    queue_rows.now += 1
    assert await queue_rows.claimed() == []
    return delivery


async def confuse(queue_rows: QueueRows) -> str:
    accepted = await queue_rows.accept()
    await queue_rows.settle(
        queue_rows.plan(accepted.id, state="undecidable", reason="deciding raised")
    )
    return accepted.id


async def test_all_three_kinds_are_listed_newest_first(
    letters: DeadLetters, queue_rows: QueueRows
) -> None:
    dead, expired, undecidable = (
        await bury(queue_rows),
        await expire(queue_rows),
        await confuse(queue_rows),
    )
    await queue_rows.put()
    page = await letters.list()
    assert [(letter.id, letter.state) for letter in page.items] == [
        (undecidable, "undecidable"),
        (expired, "expired"),
        (dead, "dead"),
    ]
    first = page.items[2]
    assert (first.reason, first.rule, first.channel, first.attempts) == (
        "bad number",
        "chat",
        "app",
        1,
    )
    assert (first.recipient, first.app_id, first.accepted_at) == ("bob", "app", queue_rows.now - 1)
    assert first.address == "00…01"
    assert page.items[0].notification == undecidable
    assert await letters.count() == 3


async def test_pages_of_dead_letters_hang_together(
    letters: DeadLetters, queue_rows: QueueRows
) -> None:
    ids = [
        await bury(queue_rows),
        await confuse(queue_rows),
        await bury(queue_rows),
        await confuse(queue_rows),
    ]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(2):
        page = await letters.list(limit=2, cursor=cursor)
        seen += [letter.id for letter in page.items]
        cursor = page.next
    assert (seen, cursor) == (ids[::-1], None)
    with pytest.raises(CursorInvalid):
        await letters.list(cursor="?")


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (DeadLetterFilter(state="dead"), [1, 0]),
        (DeadLetterFilter(state="expired"), [2]),
        (DeadLetterFilter(state="undecidable"), [3]),
        (DeadLetterFilter(channel="mail"), [1]),
        (DeadLetterFilter(rule="chat"), [2, 1, 0]),
        (DeadLetterFilter(reason="bad number"), [1, 0]),
        (DeadLetterFilter(reason="deciding raised"), [3]),
        (DeadLetterFilter(recipient="bob", app_id="app"), [3, 2, 1, 0]),
        (DeadLetterFilter(recipient="ann"), []),
        (DeadLetterFilter(until=0.0), []),
    ],
)
async def test_dead_letters_are_filtered(
    letters: DeadLetters, queue_rows: QueueRows, filter_: DeadLetterFilter, expected: list[int]
) -> None:
    ids = [
        await bury(queue_rows),
        await bury(queue_rows, channel="mail"),
        await expire(queue_rows),
        await confuse(queue_rows),
    ]
    page = await letters.list(filter_)
    assert [letter.id for letter in page.items] == [ids[index] for index in expected]
    assert await letters.count(filter_) == len(expected)


async def test_one_dead_letter_can_be_read(letters: DeadLetters, queue_rows: QueueRows) -> None:
    dead, undecidable, alive = (
        await bury(queue_rows),
        await confuse(queue_rows),
        await queue_rows.put(),
    )
    for id_, state in ((dead, "dead"), (undecidable, "undecidable")):
        letter = await letters.get(id_)
        assert letter is not None
        assert (letter.id, letter.state) == (id_, state)
    assert await letters.get(alive) is None
    assert await letters.get("unknown") is None


async def test_a_retried_delivery_goes_out_under_its_own_id(
    letters: DeadLetters, queue_rows: QueueRows
) -> None:
    dead = await bury(queue_rows, expires_at=queue_rows.now + 10)
    queue_rows.now += 1000
    assert await letters.retry([dead]) == 1
    assert await queue_rows.engine.state(dead.rpartition("-")[0]) == "pending"
    again = await queue_rows.engine.delivery(dead)
    assert (again.state, again.attempts, again.reason) == ("waiting", 1, "")
    assert (again.due_at, again.expires_at) == (queue_rows.now, queue_rows.now + RETRIED_LIFETIME_S)
    assert await queue_rows.claimed() == [dead]
    done = Settlement(delivery=dead, attempt=queue_rows.attempt(dead, 2), next=Done(""))
    assert await queue_rows.engine.queue.settle([done]) == []
    assert await queue_rows.engine.state(dead.rpartition("-")[0]) == "delivered"
    assert await letters.count() == 0


async def test_a_crash_loop_can_be_retried(letters: DeadLetters, queue_rows: QueueRows) -> None:
    delivery = await queue_rows.put()
    for _ in range(3):
        assert await queue_rows.claimed() == [delivery]
        queue_rows.now += 30
    assert await queue_rows.claimed() == []
    assert await letters.retry([delivery]) == 1
    assert await queue_rows.claimed() == [delivery]


async def test_an_undecidable_one_is_decided_again(
    letters: DeadLetters, queue_rows: QueueRows
) -> None:
    id_ = await confuse(queue_rows)
    assert await queue_rows.engine.journal.unplanned(after="", limit=9) == []
    assert await letters.retry([id_]) == 1
    (again,) = await queue_rows.engine.journal.unplanned(after="", limit=9)
    assert again.id == id_
    await queue_rows.settle(queue_rows.plan(id_, queue_rows.delivery(id_)))
    assert await queue_rows.engine.state(id_) == "pending"


async def test_what_is_dropped_is_closed_for_good(
    letters: DeadLetters, queue_rows: QueueRows
) -> None:
    dead, undecidable = await bury(queue_rows), await confuse(queue_rows)
    assert await letters.drop([dead, undecidable]) == 2
    assert await letters.count() == 0
    dropped = await queue_rows.engine.delivery(dead)
    assert (dropped.state, dropped.reason) == ("cancelled", "dropped_by_operator")
    assert await queue_rows.engine.state(undecidable) == "dropped"
    assert await letters.retry([dead, undecidable]) == 0


async def test_what_is_alive_is_neither_retried_nor_dropped(
    letters: DeadLetters, queue_rows: QueueRows
) -> None:
    alive = await queue_rows.put()
    accepted = await queue_rows.accept()
    for change in (letters.retry, letters.drop):
        assert await change([alive, accepted.id, "unknown"]) == 0
    assert (await queue_rows.engine.delivery(alive)).state == "waiting"
    assert await queue_rows.engine.state(accepted.id) == "accepted"


async def test_in_bulk_it_goes_by_steps_and_tells_how_far_it_is(
    letters: DeadLetters, queue_rows: QueueRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "CHANGED_PER_TRANSACTION", 2)
    ids = [await bury(queue_rows) for _ in range(3)] + [await confuse(queue_rows)]
    kept = await bury(queue_rows, channel="mail")
    seen: list[int] = []
    assert await letters.retry(DeadLetterFilter(reason="nothing"), seen.append) == 0
    assert await letters.drop(DeadLetterFilter(channel="app"), seen.append) == 3
    assert seen == [2, 3]
    assert await letters.retry([kept, *ids], seen.append) == 2
    assert seen == [2, 3, 1, 1, 2]
    assert await letters.count() == 0
