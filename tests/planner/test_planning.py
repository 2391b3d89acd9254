"""Planning: what was accepted becomes deliveries, in order."""

import asyncio

from router.core.model.recipient_guard import RecipientGuard
from router.queue.ports import LEASE_S
from router.store.recipients.repository import ProfilePatch
from tests.core.rulebooks import rulebook
from tests.planner.stage import Stage


async def test_what_a_crash_left_unplanned_is_planned_at_the_start_in_order(stage: Stage) -> None:
    uids = [f"u{number}" for number in range(150)]
    await stage.know(*uids)
    accepted = [await stage.scene.accept(uid=uid) for uid in uids]
    await stage.plan()
    assert stage.worker.ids == [f"{each.id}-0" for each in accepted]
    assert await stage.engine.journal.unplanned(after="", limit=9) == []


async def test_what_is_offered_is_planned_and_handed_over(stage: Stage) -> None:
    await stage.know("bob")
    async with stage.planning() as running:
        await running.drain()
        accepted = await stage.scene.accept(uid="bob")
        running.offer(accepted)
        await running.drain()
    ((delivery, notification, contact),) = stage.worker.taken
    assert notification == accepted
    assert contact is not None
    assert (contact.address, delivery.contact) == ("of-bob", contact.id)
    assert (delivery.state, delivery.handouts) == ("sending", 1)
    assert delivery.lease_until == stage.scene.now + LEASE_S
    assert await stage.engine.delivery(delivery.id) == delivery
    assert (delivery.content.title, delivery.rule) == ("Ann", "all")
    assert stage.worker.wakes == 0


async def test_the_decision_is_kept_with_the_rules_it_was_made_by(stage: Stage) -> None:
    await stage.know("bob")
    accepted = await stage.scene.accept(uid="bob")
    await stage.plan()
    timeline = await stage.log.notification(accepted.id)
    assert timeline is not None
    assert timeline.decided is not None
    assert stage.ruleset is not None
    assert timeline.decided.version == stage.ruleset.version
    assert timeline.decided.matched == ("all",)
    assert b'router_rule_matches_total{rule="all"} 1.0' in stage.metrics.exposition()


async def test_without_room_it_waits_on_disk_and_the_worker_is_woken(stage: Stage) -> None:
    await stage.know("bob")
    stage.worker.full = {"app"}
    accepted = await stage.scene.accept(uid="bob")
    await stage.plan()
    assert stage.worker.taken == []
    assert stage.worker.wakes == 1
    assert await stage.scene.claimed() == [f"{accepted.id}-0"]


async def test_the_second_to_an_address_waits_for_the_first(stage: Stage) -> None:
    await stage.know("bob")
    first, second = [await stage.scene.accept(uid="bob") for _ in range(2)]
    await stage.plan()
    assert stage.worker.ids == [f"{first.id}-0"]
    assert stage.worker.wakes == 1
    assert (await stage.engine.delivery(f"{second.id}-0")).state == "waiting"


async def test_a_fixed_destination_has_a_lane_for_each_recipient(stage: Stage) -> None:
    stage.ruleset = rulebook("rules: [{name: all, send: [room]}]")
    for uid in ("ann", "bob", "bob"):
        await stage.scene.accept(uid=uid)
    await stage.plan()
    assert [delivery.lane for delivery, _, _ in stage.worker.taken] == ["app/ann", "app/bob"]
    assert [contact for _, _, contact in stage.worker.taken] == [None, None]


async def test_nobody_is_notified_where_no_rule_matches(stage: Stage) -> None:
    stage.ruleset = rulebook("rules: [{name: calls, when: {kind: call}, send: [app]}]")
    accepted = await stage.scene.accept()
    await stage.plan()
    assert await stage.state(accepted) == ("dropped", "no_match")


async def test_without_a_contact_it_is_kept_to_be_seen(stage: Stage) -> None:
    accepted = await stage.scene.accept(uid="stranger")
    await stage.plan()
    assert await stage.state(accepted) == ("undelivered", "")
    delivery = await stage.engine.delivery(f"{accepted.id}-0")
    assert (delivery.state, delivery.reason) == ("suppressed", "no_contact")
    assert stage.worker.wakes == 0


async def test_what_came_too_late_is_a_dead_letter(stage: Stage) -> None:
    await stage.know("bob")
    stage.ruleset = rulebook("rules: [{name: all, send: [{channel: app, expires: 10s}]}]")
    accepted = await stage.scene.accept(uid="bob")
    stage.scene.now += 11
    await stage.plan()
    assert (await stage.state(accepted))[0] == "undelivered"
    delivery = await stage.engine.delivery(f"{accepted.id}-0")
    assert (delivery.state, delivery.content.body) == ("expired", "text 1")


async def test_without_rules_it_holds_and_loses_nothing(stage: Stage) -> None:
    await stage.know("bob")
    ruleset, stage.ruleset = stage.ruleset, None
    before = await stage.scene.accept(uid="bob")
    async with stage.planning() as running:
        after = await stage.scene.accept(uid="bob")
        running.offer(after)
        await asyncio.sleep(0)
        assert await stage.state(before) == await stage.state(after) == ("accepted", "")
        stage.ruleset = ruleset
        running.wake()
        await running.drain()
    assert (await stage.state(before))[0] == (await stage.state(after))[0] == "pending"


async def test_new_rules_hold_for_what_is_planned_after_them(stage: Stage) -> None:
    async with stage.planning() as running:
        for name in ("one", "two"):
            stage.ruleset = rulebook(f"rules: [{{name: {name}, drop: true}}]")
            running.offer(accepted := await stage.scene.accept())
            await running.drain()
            assert await stage.state(accepted) == ("dropped", f"dropped: {name}")


async def test_once_for_a_message_holds_within_a_batch_and_across_them(stage: Stage) -> None:
    stage.ruleset = rulebook("rules: [{name: all, send: [{channel: room, once_per: message}]}]")
    uids = ("ann", "bob", "cat")
    batch = [await stage.scene.accept(uid=uid, text="same") for uid in uids[:2]]
    await stage.plan()
    late = await stage.scene.accept(uid=uids[2], text="same")
    await stage.plan()
    states = [(await stage.engine.delivery(f"{each.id}-0")) for each in (*batch, late)]
    assert [delivery.state for delivery in states] == ["sending", "suppressed", "suppressed"]
    assert states[2].reason == f"once: {batch[0].id}-0"


async def test_preferences_count_from_the_next_decision_on(stage: Stage) -> None:
    await stage.know("bob")
    await stage.recipients.put("bob", ProfilePatch(opt_outs=["app"]), "app")
    accepted = await stage.scene.accept(uid="bob")
    await stage.plan()
    assert (await stage.engine.delivery(f"{accepted.id}-0")).reason == "opted_out"


async def test_what_is_due_later_waits_on_disk_alone(stage: Stage) -> None:
    stage.ruleset = rulebook("rules: [{name: all, send: [{channel: app, after: 10s}]}]")
    await stage.know("bob")
    accepted = await stage.scene.accept(uid="bob")
    await stage.plan()
    assert (stage.worker.taken, stage.worker.remembered, stage.worker.wakes) == ([], [], 0)
    planned = await stage.engine.delivery(f"{accepted.id}-0")
    assert planned is not None
    assert (planned.state, planned.due_at) == ("waiting", accepted.accepted_at + 10)
    assert await stage.scene.claimed() == []
    stage.scene.now = planned.due_at
    assert await stage.scene.claimed() == [f"{accepted.id}-0"]


async def test_who_is_guarded_is_seen_to_get_nothing(stage: Stage) -> None:
    await stage.know("bob", "qa-1")
    stage.guard = RecipientGuard(["qa-*"])
    guarded, stranger, tester = [
        await stage.scene.accept(uid=uid) for uid in ("bob", "zoe", "qa-1")
    ]
    await stage.plan()
    assert stage.worker.ids == [f"{tester.id}-0"]
    for each in (guarded, stranger):
        delivery = await stage.engine.delivery(f"{each.id}-0")
        assert (delivery.state, delivery.reason) == ("suppressed", "guarded")
        assert (await stage.state(each))[0] == "undelivered"
    assert 'guarded_total{channel="app"} 2.0' in stage.metrics.exposition().decode()
