"""Lists and timelines."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.core.model.delivery import Attempt
from router.core.model.facts import Contact, Device
from router.core.model.retry import Again, Dead, Done
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.errors import CursorInvalid
from router.store.log.log import DeliveryFilter, DeliveryLog, NotificationFilter
from router.store.log.pagination import read_cursor, write_cursor
from router.store.recipients.repository import ProfilePatch, Recipients
from router.store.schema.ids import IdGenerator
from tests.queue.rows import QueueRows
from tests.store.waiting_deliveries import Waiting, device


@pytest.fixture
def log(database: Database) -> DeliveryLog:
    return DeliveryLog(database)


@pytest.fixture
def queue_rows(waiting: Waiting) -> QueueRows:
    return waiting.queue_rows


async def end(queue_rows: QueueRows, delivery: str, *outcomes: Any) -> None:  # noqa: ANN401 - what follows each try
    for number, next_ in enumerate(outcomes, 1):
        assert delivery in await queue_rows.claimed()
        attempt = queue_rows.attempt(
            delivery, number, "retry" if isinstance(next_, Again) else "end"
        )
        settlement = Settlement(delivery=delivery, attempt=attempt, next=next_)
        assert await queue_rows.engine.queue.settle([settlement]) == []
        queue_rows.now += 1


async def test_notifications_come_newest_first_page_by_page(
    log: DeliveryLog, queue_rows: QueueRows
) -> None:
    ids = [(await queue_rows.accept()).id for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    for size in (2, 2, 1):
        page = await log.notifications(limit=2, cursor=cursor)
        assert len(page.items) == size
        seen += [item.id for item in page.items]
        cursor = page.next
    assert cursor is None
    assert seen == ids[::-1]


async def test_a_full_last_page_has_no_next(log: DeliveryLog, queue_rows: QueueRows) -> None:
    for _ in range(2):
        await queue_rows.accept()
    assert (await log.notifications(limit=2)).next is None
    assert (await log.notifications(limit=1)).next is not None


async def test_what_comes_between_two_pages_moves_nothing(
    log: DeliveryLog, queue_rows: QueueRows
) -> None:
    ids = [(await queue_rows.accept()).id for _ in range(4)]
    first = await log.notifications(limit=2)
    await queue_rows.accept()
    second = await log.notifications(limit=2, cursor=first.next)
    assert [item.id for item in second.items] == ids[1::-1]


@pytest.mark.parametrize("cursor", ["", "x", "no cursor", "ü", "AAAA", write_cursor("a\nb"), "="])
async def test_a_cursor_that_no_list_gave_out_is_refused(log: DeliveryLog, cursor: str) -> None:
    for attempt in (log.notifications(cursor=cursor), log.deliveries(cursor=cursor)):
        with pytest.raises(CursorInvalid, match="not one that a list gave out"):
            await attempt


def test_a_cursor_reads_as_it_was_written() -> None:
    assert read_cursor(write_cursor("0192-3")) == "0192-3"
    assert read_cursor(None) is None


async def test_an_item_says_what_was_accepted(log: DeliveryLog, queue_rows: QueueRows) -> None:
    accepted = await queue_rows.accept(uid="bob")
    (item,) = (await log.notifications()).items
    assert (item.id, item.feed, item.kind) == (accepted.id, "push", "message")
    assert (item.recipient, item.app_id, item.state) == ("bob", "app", "accepted")
    assert (item.sent_at, item.accepted_at) == (queue_rows.now, queue_rows.now)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (NotificationFilter(recipient="ann"), [0]),
        (NotificationFilter(recipient="nobody"), []),
        (NotificationFilter(app_id="app"), [2, 1, 0]),
        (NotificationFilter(app_id="other"), []),
        (NotificationFilter(state="dropped"), [1]),
        (NotificationFilter(feed="push", kind="message"), [2, 1, 0]),
        (NotificationFilter(feed="email"), []),
        (NotificationFilter(kind="call"), []),
        (NotificationFilter(state="accepted", recipient="bob"), [2]),
    ],
)
async def test_notifications_are_filtered(
    log: DeliveryLog, queue_rows: QueueRows, filter_: NotificationFilter, expected: list[int]
) -> None:
    ids = [(await queue_rows.accept(uid=uid)).id for uid in ("ann", "bob", "bob")]
    await queue_rows.settle(queue_rows.plan(ids[1], reason="no_match"))
    page = await log.notifications(filter_)
    assert [item.id for item in page.items] == [ids[index] for index in expected]


async def test_lists_are_cut_by_time(log: DeliveryLog, queue_rows: QueueRows) -> None:
    minter = IdGenerator(lambda: 0.5)
    ids: list[str] = []
    for _ in range(3):
        entry = queue_rows.entry()
        notification = entry.notification
        moved = type(notification)(
            **{
                **{name: getattr(notification, name) for name in notification.__struct_fields__},
                "id": minter.mint(queue_rows.now),
            }
        )
        await queue_rows.engine.journal.append(
            type(entry)(notification=moved, body=entry.body, window=1)
        )
        await queue_rows.settle(queue_rows.plan(moved.id, queue_rows.delivery(moved.id)))
        ids.append(moved.id)
        queue_rows.now += 10
    start = queue_rows.now - 30
    cases = [(start, None, [2, 1, 0]), (start + 10, None, [2, 1]), (None, start + 10, [0])]
    for since, until, expected in cases:
        notifications = await log.notifications(NotificationFilter(since=since, until=until))
        assert [item.id for item in notifications.items] == [ids[index] for index in expected]
        deliveries = await log.deliveries(DeliveryFilter(since=since, until=until))
        assert [d.notification for d in deliveries.items] == [ids[index] for index in expected]


async def test_a_timeline_tells_everything(log: DeliveryLog, queue_rows: QueueRows) -> None:
    accepted = await queue_rows.accept()
    assert await log.notification("unknown") is None
    before = await log.notification(accepted.id)
    assert before is not None
    assert (before.decided, before.deliveries) == (None, ())
    rows = [
        queue_rows.delivery(accepted.id, number, address=f"+1212555{number:04}")
        for number in range(11)
    ]
    await queue_rows.settle(queue_rows.plan(accepted.id, *rows))
    await end(queue_rows, rows[0].id, Done("m-1"))
    queue_rows.now += 30
    await end(queue_rows, rows[1].id, Again(queue_rows.now), Dead("gone"))
    after = await log.notification(accepted.id)
    assert after is not None
    assert after.decided is not None
    assert (after.decided.version, after.decided.matched) == ("v1", ("chat",))
    assert [trail.delivery.id for trail in after.deliveries] == [row.id for row in rows]
    first, second, third, *_ = after.deliveries
    assert (first.delivery.state, first.delivery.handle) == ("delivered", "m-1")
    assert first.delivery.address == "+1…00"
    assert (second.delivery.state, second.delivery.reason) == ("dead", "gone")
    assert [attempt.outcome for attempt in second.attempts] == ["retry", "end"]
    assert third.attempts == ()
    assert after.notification.state == "pending"


async def test_a_delivery_and_its_attempts_can_be_read(
    log: DeliveryLog, queue_rows: QueueRows
) -> None:
    delivery = await queue_rows.put()
    assert await log.delivery(delivery[:-1]) is None
    assert await log.delivery("") is None
    await end(queue_rows, delivery, Again(queue_rows.now), Done(""))
    trail = await log.delivery(delivery)
    assert trail is not None
    assert [attempt.number for attempt in trail.attempts] == [1, 2]
    assert await log.attempts(delivery) == trail.attempts
    assert isinstance(trail.attempts[0], Attempt)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (DeliveryFilter(channel="mail"), [1]),
        (DeliveryFilter(rule="chat"), [2, 1, 0]),
        (DeliveryFilter(rule="other"), []),
        (DeliveryFilter(state="delivered"), [0]),
        (DeliveryFilter(state="sending"), [2, 1]),
        (DeliveryFilter(recipient="bob", app_id="app"), [2, 1, 0]),
        (DeliveryFilter(recipient="ann"), []),
    ],
)
async def test_deliveries_are_filtered(
    log: DeliveryLog, queue_rows: QueueRows, filter_: DeliveryFilter, expected: list[int]
) -> None:
    ids = [await queue_rows.put(channel=channel) for channel in ("app", "mail", "app")]
    await end(queue_rows, ids[0], Done(""))
    page = await log.deliveries(filter_)
    assert [item.id for item in page.items] == [ids[index] for index in expected]


async def test_deliveries_of_one_notification(log: DeliveryLog, queue_rows: QueueRows) -> None:
    await queue_rows.put()
    accepted = await queue_rows.accept()
    rows = [queue_rows.delivery(accepted.id, number) for number in range(3)]
    await queue_rows.settle(queue_rows.plan(accepted.id, *rows))
    await queue_rows.put()
    page = await log.deliveries(DeliveryFilter(notification=accepted.id), limit=2)
    assert [item.id for item in page.items] == [rows[2].id, rows[1].id]
    last = await log.deliveries(DeliveryFilter(notification=accepted.id), 2, page.next)
    assert [item.id for item in last.items] == [rows[0].id]


async def test_a_notification_reads_back_as_it_was(log: DeliveryLog, queue_rows: QueueRows) -> None:
    accepted = await queue_rows.accept(uid="bob")
    assert await log.payload(accepted.id) == accepted
    assert await log.payload("unknown") is None


@pytest.fixture
async def handed(queue_rows: QueueRows, recipients: Recipients) -> tuple[str, str, str]:
    contact = await recipients.register("bob", device("token", "s", platform="fcm_android"), "app")
    to_device = await queue_rows.put(contact=contact.id, address="token")
    fixed = await queue_rows.put(channel="slack", address="", lane="bob")
    with_payload = await queue_rows.put(channel="sms", address="+12125550123")
    await queue_rows.claim()
    return to_device, fixed, with_payload


async def test_what_is_handed_out_reads_with_all_it_takes(
    log: DeliveryLog, handed: tuple[str, str, str], recipients: Recipients
) -> None:
    to_device, fixed, with_payload = handed
    found = await log.open_deliveries([with_payload, to_device, "unknown", fixed])
    assert [delivery.id for delivery, _, _ in found] == [with_payload, to_device, fixed]
    contacts = {delivery.id: contact for delivery, _, contact in found}
    bob = await recipients.get("bob", "app")
    assert bob is not None
    whose = replace(bob.contacts[0], uid="bob")
    assert contacts == {to_device: whose, fixed: None, with_payload: None}
    assert bob.contacts[0].device == Device(platform="fcm_android")
    assert all(delivery.notification == about.id for delivery, about, _ in found)


async def test_the_contact_reads_as_it_is_now(
    log: DeliveryLog, handed: tuple[str, str, str], recipients: Recipients
) -> None:
    to_device, *_ = handed
    await recipients.register("bob", device("fresh", "s", platform="fcm_android"), "app")
    ((delivery, _, contact),) = await log.open_deliveries([to_device])
    assert isinstance(contact, Contact)
    assert (delivery.address, contact.address) == ("token", "fresh")
    await recipients.put("bob", ProfilePatch(), "app")
    await recipients.logout("bob", "s", "app")
    ((delivery, _, contact),) = await log.open_deliveries([to_device])
    assert (delivery.contact != "", contact) == (True, None)


async def test_what_is_no_longer_sent_is_not_handed_out(
    log: DeliveryLog, handed: tuple[str, str, str], queue_rows: QueueRows
) -> None:
    await queue_rows.engine.queue.release([handed[0]])
    assert await log.open_deliveries([handed[0]]) == []
