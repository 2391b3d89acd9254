"""What `classify` says holds from planning on: in the log, after a restart, for the worker."""

from router.core.model.notification import is_ring
from router.core.rules.classify import classify
from router.core.rules.ruleset import Ruleset
from router.store.log.filters import NotificationFilter
from tests.core.rulebooks import rulebook
from tests.planner.stage import Stage


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
    stage: Stage,
) -> None:
    stage.ruleset = meetings()
    stage.worker.full = {"app"}
    await stage.know("bob")
    accepted = await stage.scene.accept(uid="bob", text="Meeting 7")
    await stage.plan()
    calls = await stage.log.notifications(NotificationFilter(kind="call"))
    assert [(item.id, item.kind) for item in calls.items] == [(accepted.id, "call")]
    kept = await stage.log.payload(accepted.id)
    assert kept == classify(accepted, stage.ruleset)
    assert kept.details["sessionId"] == "Meeting 7"
    ids = await stage.scene.claimed()
    ((delivery, notification, _),) = await stage.log.open_deliveries(ids)
    assert (delivery.rule, delivery.urgent, delivery.priority) == ("ring", True, "high")
    assert notification == kept
    assert classify(kept, rulebook("rules: []")) == accepted


async def test_what_nobody_classified_keeps_its_kind(stage: Stage) -> None:
    stage.ruleset = meetings()
    await stage.know("bob")
    accepted = await stage.scene.accept(uid="bob")
    await stage.plan()
    timeline = await stage.log.notification(accepted.id)
    assert timeline is not None
    assert timeline.notification.kind == "message"
    assert await stage.log.payload(accepted.id) == accepted


async def test_what_rings_by_classification_is_planned_first(stage: Stage) -> None:
    stage.ruleset = meetings()
    await stage.know("ann", "bob")
    async with stage.planning() as running:
        await running.drain()
        chat = await stage.scene.accept(uid="ann")
        ring = await stage.scene.accept(uid="bob", text="Meeting 8")
        running.offer(chat)
        running.offer(ring)
        await running.drain()
    assert stage.worker.ids == [f"{ring.id}-0", f"{chat.id}-0"]
    assert [is_ring(notification) for _, notification, _ in stage.worker.taken] == [True, False]


async def test_an_entry_that_cannot_be_used_is_counted_and_stops_nothing(stage: Stage) -> None:
    stage.ruleset = meetings("{{ body }}")
    await stage.know("bob")
    accepted = await stage.scene.accept(uid="bob", text="Meeting 9")
    await stage.plan()
    ((delivery, notification, _),) = stage.worker.taken
    assert (delivery.rule, notification) == ("rest", accepted)
    assert b"router_classify_faults_total 1.0" in stage.metrics.exposition()
