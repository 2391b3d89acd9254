"""What every engine keeps to: what waits hears of calls, reading, and how others ended."""

from collections.abc import Mapping
from typing import Any

import pytest

from router.core.model.call import OVER
from router.core.model.delivery import Delivery
from router.core.model.facts import CallEvent, StateChanges
from router.core.model.read_receipt import ReadReceipt
from router.core.model.retry import Again, Cancelled, Dead, Done, Expired, NextStep
from router.core.model.unless import WaitClause, WaitCondition
from router.queue.ports import Settlement
from tests.queue.rows import HOUR, Engine, QueueRows

READ = (WaitClause(read=True),)
OVER_NOW = (WaitClause(call=OVER),)
ENDED = CallEvent("app", "s1", "", "ended")


def watch(*clauses: WaitClause, **fields: Any) -> WaitCondition:  # noqa: ANN401 - a struct's
    return WaitCondition(
        **{
            "clauses": clauses,
            "app_id": "app",
            "uid": "bob",
            "conversation": "ann_user_bob",
            "session": "s1",
            "message": "7",
            "sent_at": 0.0,
            **fields,
        }
    )


def receipt(message: str = "7", **fields: Any) -> ReadReceipt:  # noqa: ANN401 - a struct's
    return ReadReceipt(
        **{
            "app_id": "app",
            "uid": "bob",
            "conversation": "ann_user_bob",
            "message": message,
            "read_at": None,
            **fields,
        }
    )


OTHERS = (
    *(receipt("6", read_at=1.0), receipt("9", conversation="group_g")),
    *(receipt(uid="cat"), receipt(app_id="other")),
)


async def put(
    queue_rows: QueueRows, *deliveries: Mapping[str, Any], heard: tuple[CallEvent, ...] = ()
) -> str:
    """Accept and plan a notification with these deliveries; return its id."""
    notification = await queue_rows.accept()
    made = [
        queue_rows.delivery(
            notification.id, number, **{"address": f"{notification.id}/{number}", **each}
        )
        for number, each in enumerate(deliveries)
    ]
    effects = StateChanges(calls=heard)
    await queue_rows.settle(queue_rows.plan(notification.id, *made, effects=effects))
    return notification.id


async def put_chain(queue_rows: QueueRows, *, firsts: int = 1) -> str:
    """Plan one or more deliveries, and one that stands by for them for two hours."""
    name = (await queue_rows.accept()).id
    ids = tuple(f"{name}-{number}" for number in range(firsts))
    made = [
        queue_rows.delivery(name, number, address=id_, awaited=True)
        for number, id_ in enumerate(ids)
    ]
    by_app = {"awaited": {"app": ids}, "stands_by": True, "earliest": queue_rows.now}
    watching = watch(WaitClause(delivered="app"), **by_app)
    last = queue_rows.delivery(
        name,
        firsts,
        channel="mail",
        address="mail",
        due_at=queue_rows.now + 2 * HOUR,
        expires_at=queue_rows.now + 3 * HOUR,
        watch=watching,
    )
    await queue_rows.settle(queue_rows.plan(name, *made, last))
    return name


async def ended(queue_rows: QueueRows, id_: str) -> tuple[str, str]:
    delivery = await queue_rows.engine.delivery(id_)
    return delivery.state, delivery.reason


async def settle(queue_rows: QueueRows, delivery: str, next_: NextStep) -> None:
    done = Settlement(delivery=delivery, attempt=queue_rows.attempt(delivery), next=next_)
    assert await queue_rows.engine.queue.settle([done]) == []


class WatchingConformance:
    """Subclass it with a fixture `engine`."""

    async def test_what_is_watched_for_survives_a_crash(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        watching = watch(*READ, awaited={"app": ("x-0",)})
        id_ = await put(
            queue_rows, {"due_at": queue_rows.now + 60, "watch": watching, "awaited": True}
        )
        await engine.crash()
        delivery: Delivery = await engine.delivery(f"{id_}-0")
        assert (delivery.watch, delivery.awaited) == (watching, True)

    @pytest.mark.parametrize("message", ["7", "8"])
    async def test_reading_a_message_or_a_later_one_cancels_what_waits(
        self, engine: Engine, message: str
    ) -> None:
        queue_rows = QueueRows(engine)
        waiting = {
            "due_at": queue_rows.now + 600,
            "watch": watch(*READ, sent_at=queue_rows.now + 1),
        }
        id_ = await put(queue_rows, waiting)
        await engine.journal.record_read_receipt(
            receipt(message, read_at=queue_rows.now - 60), now=queue_rows.now
        )
        assert await ended(queue_rows, f"{id_}-0") == ("cancelled", "unless: read")
        assert await engine.state(id_) == "undelivered"

    @pytest.mark.parametrize("other", OTHERS)
    async def test_what_somebody_else_read_or_earlier_or_elsewhere_cancels_nothing(
        self, engine: Engine, other: ReadReceipt
    ) -> None:
        queue_rows = QueueRows(engine)
        id_ = await put(
            queue_rows, {"due_at": queue_rows.now + 600, "watch": watch(*READ, sent_at=2.0)}
        )
        await engine.journal.record_read_receipt(other, now=queue_rows.now)
        assert await ended(queue_rows, f"{id_}-0") == ("waiting", "")

    async def test_a_receipt_that_names_no_conversation_is_that_of_the_message(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        late = {"due_at": queue_rows.now + 600}
        these = [
            await put(queue_rows, {**late, "watch": watch(*READ, message=message, sent_at=4e9)})
            for message in ("6", "7", "8")
        ]
        await engine.journal.record_read_receipt(receipt(conversation=""), now=queue_rows.now)
        states = [(await ended(queue_rows, f"{id_}-0"))[0] for id_ in these]
        assert states == ["cancelled", "cancelled", "waiting"]

    async def test_a_reading_that_came_before_the_plan_is_seen(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        for which in (receipt(), receipt("9", conversation="")):
            await engine.journal.record_read_receipt(which, now=queue_rows.now)
        late = {"due_at": queue_rows.now + 600}
        by_place = await put(queue_rows, {**late, "watch": watch(*READ, sent_at=4e9)})
        by_name = await put(
            queue_rows, {**late, "watch": watch(*READ, message="9", conversation="x", sent_at=4e9)}
        )
        for id_ in (by_place, by_name):
            assert await ended(queue_rows, f"{id_}-0") == ("cancelled", "unless: read")
            assert await engine.state(id_) == "undelivered"

    async def test_the_later_reading_stays(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        for message, read_at in (("9", 5.0), ("3", 9.0), ("", 1.0)):
            await engine.journal.record_read_receipt(
                receipt(message, read_at=read_at), now=queue_rows.now
            )
        late = {"due_at": queue_rows.now + 600}
        of_message = await put(
            queue_rows, {**late, "watch": watch(*READ, message="9", sent_at=10.0)}
        )
        of_time = await put(queue_rows, {**late, "watch": watch(*READ, message="10", sent_at=9.0)})
        unread = await put(queue_rows, {**late, "watch": watch(*READ, message="10", sent_at=9.5)})
        assert await ended(queue_rows, f"{of_message}-0") == ("cancelled", "unless: read")
        assert await ended(queue_rows, f"{of_time}-0") == ("cancelled", "unless: read")
        assert await ended(queue_rows, f"{unread}-0") == ("waiting", "")

    async def test_the_end_of_a_call_cancels_what_waits_for_its_ring(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        ring = watch(ring=True)
        rings = await put(queue_rows, {"watch": ring, "urgent": True}, {"watch": watch(*OVER_NOW)})
        other = await put(queue_rows, {"watch": watch(ring=True, session="s2")})
        mine = await put(queue_rows, {"watch": watch(ring=True, uid="cat")})
        await put(queue_rows, heard=(CallEvent("app", "s1", "bob", "rejected"),))
        assert await ended(queue_rows, f"{rings}-0") == ("cancelled", "call_over")
        assert await ended(queue_rows, f"{rings}-1") == ("cancelled", "unless: call over")
        assert await engine.state(rings) == "undelivered"
        await put(queue_rows, heard=(ENDED, ENDED))
        assert await ended(queue_rows, f"{mine}-0") == ("cancelled", "call_over")
        assert await ended(queue_rows, f"{other}-0") == ("waiting", "")

    async def test_a_ring_and_its_end_may_be_planned_together(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        first, second = await queue_rows.accept(), await queue_rows.accept()
        heard = StateChanges(calls=(ENDED,))
        rings = queue_rows.plan(first.id, queue_rows.delivery(first.id, watch=watch(ring=True)))
        await engine.journal.settle([rings, queue_rows.plan(second.id, effects=heard)])
        assert await ended(queue_rows, f"{first.id}-0") == ("cancelled", "call_over")
        assert await engine.state(first.id) == "undelivered"

    async def test_a_ring_that_is_tried_again_is_not_sent_when_the_call_is_over(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        id_ = await put(queue_rows, {"watch": watch(ring=True), "urgent": True})
        assert await queue_rows.claimed() == [f"{id_}-0"]
        await put(queue_rows, heard=(ENDED,))
        assert (await engine.delivery(f"{id_}-0")).state == "sending"
        await settle(queue_rows, f"{id_}-0", Again(queue_rows.now + 5))
        queue_rows.now += 5
        assert await queue_rows.claimed() == []
        assert await ended(queue_rows, f"{id_}-0") == ("cancelled", "call_over")
        assert await engine.state(id_) == "undelivered"

    async def test_what_a_delivery_stood_by_for_lets_it_go_when_it_ends_badly(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        id_ = await put_chain(queue_rows, firsts=2)
        assert await queue_rows.claimed() == [f"{id_}-0", f"{id_}-1"]
        queue_rows.now += 10
        await settle(queue_rows, f"{id_}-0", Dead("wrong number"))
        assert await queue_rows.claimed() == []
        await settle(queue_rows, f"{id_}-1", Expired("too late"))
        woken = await engine.delivery(f"{id_}-2")
        assert (woken.due_at <= queue_rows.now, woken.expires_at - woken.due_at) == (True, HOUR)
        assert await queue_rows.claimed() == [f"{id_}-2"]
        await settle(queue_rows, f"{id_}-2", Again(queue_rows.now + 60))
        assert await queue_rows.claimed() == []

    async def test_what_was_delivered_cancels_what_stood_by_and_all_behind_it(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        name = (await queue_rows.accept()).id
        late: dict[str, Any] = {
            "due_at": queue_rows.now + HOUR,
            "expires_at": queue_rows.now + 2 * HOUR,
        }
        by_app, by_mail = (
            watch(WaitClause(delivered=channel), awaited={channel: (of,)}, stands_by=True)
            for channel, of in (("app", f"{name}-0"), ("mail", f"{name}-1"))
        )
        chain = [
            queue_rows.delivery(name, 0, awaited=True),
            queue_rows.delivery(name, 1, channel="mail", awaited=True, watch=by_app, **late),
            queue_rows.delivery(name, 2, channel="text", watch=by_mail, **late),
        ]
        await queue_rows.settle(queue_rows.plan(name, *chain))
        await queue_rows.claim()
        await settle(queue_rows, f"{name}-0", Done("m"))
        assert await ended(queue_rows, f"{name}-1") == ("cancelled", "unless: delivered app")
        assert await ended(queue_rows, f"{name}-2") == ("cancelled", "unless: delivered mail")
        assert await engine.state(name) == "delivered"

    @pytest.mark.parametrize("how", ["expired", "crash_loop", "cancelled"])
    async def test_an_end_by_itself_is_heard_too(self, engine: Engine, how: str) -> None:
        queue_rows = QueueRows(engine)
        id_ = await put_chain(queue_rows)
        if how == "expired":
            queue_rows.now += HOUR
        elif how == "crash_loop":
            for _ in range(3):
                await queue_rows.claim(lease=1.0)
                queue_rows.now += 1
        else:
            await queue_rows.claim()
            await settle(queue_rows, f"{id_}-0", Cancelled("contact_gone"))
        assert await queue_rows.claimed() == [f"{id_}-1"]

    async def test_a_delivery_with_a_time_of_its_own_goes_only_then(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        name = (await queue_rows.accept()).id
        watching = watch(WaitClause(delivered="app"), awaited={"app": (f"{name}-0",)})
        first = queue_rows.delivery(name, 0, awaited=True)
        last = queue_rows.delivery(
            name, 1, channel="mail", due_at=queue_rows.now + 60, watch=watching
        )
        await queue_rows.settle(queue_rows.plan(name, first, last))
        await queue_rows.claim()
        await settle(queue_rows, f"{name}-0", Dead("no"))
        assert await queue_rows.claimed() == []
        queue_rows.now += 60
        assert await queue_rows.claimed() == [f"{name}-1"]

    async def test_the_delivery_of_another_notification_can_be_awaited(
        self, engine: Engine
    ) -> None:
        queue_rows = QueueRows(engine)
        winner = await queue_rows.put()
        ended_winner = await queue_rows.put()
        await queue_rows.claim()
        await settle(queue_rows, ended_winner, Done("m"))
        for of, state in ((winner, "waiting"), (ended_winner, "cancelled"), ("gone-0", "waiting")):
            watching = watch(WaitClause(delivered="app"), awaited={"app": (of,)}, stands_by=True)
            late = {"due_at": queue_rows.now + HOUR, "expires_at": queue_rows.now + 2 * HOUR}
            id_ = await put(queue_rows, {**late, "channel": "mail", "watch": watching})
            assert (await ended(queue_rows, f"{id_}-0"))[0] == state
            if of == winner:
                await settle(queue_rows, winner, Done("m"))
                assert (await ended(queue_rows, f"{id_}-0"))[0] == "cancelled"
            if of == "gone-0":
                assert await queue_rows.claimed() == [f"{id_}-0"]

    async def test_two_that_must_hold_at_once_do_not_suffice_alone(self, engine: Engine) -> None:
        queue_rows = QueueRows(engine)
        both = WaitClause(read=True, call=OVER)
        id_ = await put(queue_rows, {"due_at": queue_rows.now + 60, "watch": watch(both)})
        await engine.journal.record_read_receipt(receipt(), now=queue_rows.now)
        assert await ended(queue_rows, f"{id_}-0") == ("waiting", "")
        await put(queue_rows, heard=(ENDED,))
        assert await ended(queue_rows, f"{id_}-0") == ("cancelled", "unless: read, call over")
