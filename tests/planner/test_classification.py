"""What `classify` says holds from planning on: in the log, after a restart, for the worker."""

from router.core.model.notification import is_ring
from router.core.rules.classify import classify
from router.core.rules.ruleset import Ruleset
from router.store.log.filters import NotificationFilter
from tests.core.rulesets import rulebook
from tests.planner.harness import Harness


def meetings(action: str = "initiated") -> Ruleset:
    return rulebook(f"""
classify:
  - when: {{body: {{starts_with: Meeting}}}}
    as: {{kind: call, callAction: "{action}", sessionId: "{{{{ body }}}}"}}
rules:
  - {{name: ring, when: {{kind: call, callAction: initiated}}, send: [app], stop: true}}
  - {{name: rest, send: [app]}}
""")


async def test_what_was_classified_is_the_same_for_the_log_and_for_whoever_sends_it_later(
    harness: Harness,
) -> None:
    harness.ruleset = meetings()
    harness.worker.full = {"app"}
    await harness.know("bob")
    accepted = await harness.queue_rows.accept(uid="bob", text="Meeting 7")
    await harness.plan()
    calls = await harness.log.notifications(NotificationFilter(kind="call"))
    assert [(item.id, item.kind) for item in calls.items] == [(accepted.id, "call")]
    kept = await harness.log.payload(accepted.id)
    assert kept == classify(accepted, harness.ruleset)
    assert kept.details["sessionId"] == "Meeting 7"
    ids = await harness.queue_rows.claimed()
    ((delivery, notification, _),) = await harness.log.open_deliveries(ids)
    assert (delivery.rule, delivery.urgent, delivery.priority) == ("ring", True, "high")
    assert notification == kept
    assert classify(kept, rulebook("rules: []")) == accepted


async def test_what_nobody_classified_keeps_its_kind(harness: Harness) -> None:
    harness.ruleset = meetings()
    await harness.know("bob")
    accepted = await harness.queue_rows.accept(uid="bob")
    await harness.plan()
    timeline = await harness.log.notification(accepted.id)
    assert timeline is not None
    assert timeline.notification.kind == "message"
    assert await harness.log.payload(accepted.id) == accepted


async def test_what_rings_by_classification_is_planned_first(harness: Harness) -> None:
    harness.ruleset = meetings()
    await harness.know("ann", "bob")
    async with harness.planning() as running:
        await running.drain()
        chat = await harness.queue_rows.accept(uid="ann")
        ring = await harness.queue_rows.accept(uid="bob", text="Meeting 8")
        running.offer(chat)
        running.offer(ring)
        await running.drain()
    assert harness.worker.ids == [f"{ring.id}-0", f"{chat.id}-0"]
    assert [is_ring(notification) for _, notification, _ in harness.worker.taken] == [True, False]


async def test_an_entry_that_cannot_be_used_is_counted_and_stops_nothing(harness: Harness) -> None:
    harness.ruleset = meetings("{{ body }}")
    await harness.know("bob")
    accepted = await harness.queue_rows.accept(uid="bob", text="Meeting 9")
    await harness.plan()
    ((delivery, notification, _),) = harness.worker.taken
    assert (delivery.rule, notification) == ("rest", accepted)
    assert b"router_classify_faults_total 1.0" in harness.metrics.exposition()
