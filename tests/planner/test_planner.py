"""Planning: what was accepted becomes deliveries, in order."""

import asyncio

from router.core.model.recipient_guard import RecipientGuard
from router.queue.ports import LEASE_S
from router.store.recipients.repository import ProfilePatch
from tests.core.rulesets import rulebook
from tests.planner.harness import Harness


async def test_what_a_crash_left_unplanned_is_planned_at_the_start_in_order(
    harness: Harness,
) -> None:
    uids = [f"u{number}" for number in range(150)]
    await harness.know(*uids)
    accepted = [await harness.queue_rows.accept(uid=uid) for uid in uids]
    await harness.plan()
    assert harness.worker.ids == [f"{each.id}-0" for each in accepted]
    assert await harness.engine.journal.unplanned(after="", limit=9) == []


async def test_what_is_offered_is_planned_and_handed_over(harness: Harness) -> None:
    await harness.know("bob")
    async with harness.planning() as running:
        await running.drain()
        accepted = await harness.queue_rows.accept(uid="bob")
        running.offer(accepted)
        await running.drain()
    ((delivery, notification, contact),) = harness.worker.taken
    assert notification == accepted
    assert contact is not None
    assert (contact.address, delivery.contact) == ("of-bob", contact.id)
    assert (delivery.state, delivery.handouts) == ("sending", 1)
    assert delivery.lease_until == harness.queue_rows.now + LEASE_S
    assert await harness.engine.delivery(delivery.id) == delivery
    assert (delivery.content.title, delivery.rule) == ("Ann", "all")
    assert harness.worker.wakes == 0


async def test_the_decision_is_kept_with_the_rules_it_was_made_by(harness: Harness) -> None:
    await harness.know("bob")
    accepted = await harness.queue_rows.accept(uid="bob")
    await harness.plan()
    timeline = await harness.log.notification(accepted.id)
    assert timeline is not None
    assert timeline.decided is not None
    assert harness.ruleset is not None
    assert timeline.decided.version == harness.ruleset.version
    assert timeline.decided.matched == ("all",)
    assert b'router_rule_matches_total{rule="all"} 1.0' in harness.metrics.exposition()


async def test_without_room_it_waits_on_disk_and_the_worker_is_woken(harness: Harness) -> None:
    await harness.know("bob")
    harness.worker.full = {"app"}
    accepted = await harness.queue_rows.accept(uid="bob")
    await harness.plan()
    assert harness.worker.taken == []
    assert harness.worker.wakes == 1
    assert await harness.queue_rows.claimed() == [f"{accepted.id}-0"]


async def test_the_second_to_an_address_waits_for_the_first(harness: Harness) -> None:
    await harness.know("bob")
    first, second = [await harness.queue_rows.accept(uid="bob") for _ in range(2)]
    await harness.plan()
    assert harness.worker.ids == [f"{first.id}-0"]
    assert harness.worker.wakes == 1
    assert (await harness.engine.delivery(f"{second.id}-0")).state == "waiting"


async def test_a_fixed_destination_has_a_lane_for_each_recipient(harness: Harness) -> None:
    harness.ruleset = rulebook("rules: [{name: all, send: [room]}]")
    for uid in ("ann", "bob", "bob"):
        await harness.queue_rows.accept(uid=uid)
    await harness.plan()
    assert [delivery.lane for delivery, _, _ in harness.worker.taken] == ["app/ann", "app/bob"]
    assert [contact for _, _, contact in harness.worker.taken] == [None, None]


async def test_nobody_is_notified_where_no_rule_matches(harness: Harness) -> None:
    harness.ruleset = rulebook("rules: [{name: calls, when: {kind: call}, send: [app]}]")
    accepted = await harness.queue_rows.accept()
    await harness.plan()
    assert await harness.state(accepted) == ("dropped", "no_match")


async def test_without_a_contact_it_is_kept_to_be_seen(harness: Harness) -> None:
    accepted = await harness.queue_rows.accept(uid="stranger")
    await harness.plan()
    assert await harness.state(accepted) == ("undelivered", "")
    delivery = await harness.engine.delivery(f"{accepted.id}-0")
    assert (delivery.state, delivery.reason) == ("suppressed", "no_contact")
    assert harness.worker.wakes == 0


async def test_what_came_too_late_is_a_dead_letter(harness: Harness) -> None:
    await harness.know("bob")
    harness.ruleset = rulebook("rules: [{name: all, send: [{channel: app, expires: 10s}]}]")
    accepted = await harness.queue_rows.accept(uid="bob")
    harness.queue_rows.now += 11
    await harness.plan()
    assert (await harness.state(accepted))[0] == "undelivered"
    delivery = await harness.engine.delivery(f"{accepted.id}-0")
    assert (delivery.state, delivery.content.body) == ("expired", "text 1")


async def test_without_rules_it_holds_and_loses_nothing(harness: Harness) -> None:
    await harness.know("bob")
    ruleset, harness.ruleset = harness.ruleset, None
    before = await harness.queue_rows.accept(uid="bob")
    async with harness.planning() as running:
        after = await harness.queue_rows.accept(uid="bob")
        running.offer(after)
        await asyncio.sleep(0)
        assert await harness.state(before) == await harness.state(after) == ("accepted", "")
        harness.ruleset = ruleset
        running.wake()
        await running.drain()
    assert (await harness.state(before))[0] == (await harness.state(after))[0] == "pending"


async def test_new_rules_hold_for_what_is_planned_after_them(harness: Harness) -> None:
    async with harness.planning() as running:
        for name in ("one", "two"):
            harness.ruleset = rulebook(f"rules: [{{name: {name}, drop: true}}]")
            running.offer(accepted := await harness.queue_rows.accept())
            await running.drain()
            assert await harness.state(accepted) == ("dropped", f"dropped: {name}")


async def test_once_for_a_message_holds_within_a_batch_and_across_them(harness: Harness) -> None:
    harness.ruleset = rulebook("rules: [{name: all, send: [{channel: room, once_per: message}]}]")
    uids = ("ann", "bob", "cat")
    batch = [await harness.queue_rows.accept(uid=uid, text="same") for uid in uids[:2]]
    await harness.plan()
    late = await harness.queue_rows.accept(uid=uids[2], text="same")
    await harness.plan()
    states = [(await harness.engine.delivery(f"{each.id}-0")) for each in (*batch, late)]
    assert [delivery.state for delivery in states] == ["sending", "suppressed", "suppressed"]
    assert states[2].reason == f"once: {batch[0].id}-0"


async def test_preferences_count_from_the_next_decision_on(harness: Harness) -> None:
    await harness.know("bob")
    await harness.recipients.put("bob", ProfilePatch(opt_outs=["app"]), "app")
    accepted = await harness.queue_rows.accept(uid="bob")
    await harness.plan()
    assert (await harness.engine.delivery(f"{accepted.id}-0")).reason == "opted_out"


async def test_what_is_due_later_waits_on_disk_alone(harness: Harness) -> None:
    harness.ruleset = rulebook("rules: [{name: all, send: [{channel: app, after: 10s}]}]")
    await harness.know("bob")
    accepted = await harness.queue_rows.accept(uid="bob")
    await harness.plan()
    assert (harness.worker.taken, harness.worker.remembered, harness.worker.wakes) == ([], [], 0)
    planned = await harness.engine.delivery(f"{accepted.id}-0")
    assert planned is not None
    assert (planned.state, planned.due_at) == ("waiting", accepted.accepted_at + 10)
    assert await harness.queue_rows.claimed() == []
    harness.queue_rows.now = planned.due_at
    assert await harness.queue_rows.claimed() == [f"{accepted.id}-0"]


async def test_who_is_guarded_is_seen_to_get_nothing(harness: Harness) -> None:
    await harness.know("bob", "qa-1")
    harness.guard = RecipientGuard(["qa-*"])
    guarded, stranger, tester = [
        await harness.queue_rows.accept(uid=uid) for uid in ("bob", "zoe", "qa-1")
    ]
    await harness.plan()
    assert harness.worker.ids == [f"{tester.id}-0"]
    for each in (guarded, stranger):
        delivery = await harness.engine.delivery(f"{each.id}-0")
        assert (delivery.state, delivery.reason) == ("suppressed", "guarded")
        assert (await harness.state(each))[0] == "undelivered"
    assert 'guarded_total{channel="app"} 2.0' in harness.metrics.exposition().decode()
