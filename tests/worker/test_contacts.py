"""Whom a delivery reaches is looked up when it goes, and who is dead for good is told apart."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.core.model.outcome import Rejected
from router.core.model.recipient_guard import RecipientGuard
from router.redaction import Redactor
from router.worker.attempt import attempt_send
from tests.plugins.opening import make_message
from tests.worker.stage import Scripted, Stage, StageSettings
from tests.worker.test_outcomes import answering
from tests.worker.virtual import play


def test_a_contact_is_read_again_and_a_contact_that_is_gone_cancels() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        stage.register("c1", "old")
        stage.register("c2", "other")
        moved, gone = stage.plan("old", contact="c1"), stage.plan("other", contact="c2")
        stage.register("c1", "new")
        del stage.queue.contacts["c2"]
        await stage.run(2)

        assert stage.state(moved)[0] == "delivered"
        assert [sent.message.address for sent in channel.sent] == ["new"]
        assert stage.state(gone) == ("cancelled", "contact_gone")

    play(scene())


@pytest.mark.parametrize(
    ("uids", "addresses", "state"),
    [
        ({"bob"}, (), "cancelled"),
        ((), {"other"}, "cancelled"),
        ({"ann"}, {"first"}, "delivered"),
    ],
)
def test_what_waits_in_memory_for_who_has_left_is_read_again(
    uids: set[str], addresses: set[str], state: str
) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.open(rate="10/m")
        stage.register("c1", "first")
        stage.register("c2", "other")
        await stage.run(60)
        first = stage.plan("first", contact="c1", uid="ann", forced=True)
        waits = stage.plan("other", contact="c2", uid="bob", forced=True)
        await stage.run(1)
        del stage.queue.contacts["c2"]
        stage.worker.invalidate(uids, addresses)
        await stage.run(20)

        assert stage.state(first)[0] == "delivered"
        assert stage.state(waits)[0] == state

    play(scene())


@pytest.mark.parametrize(
    ("said", "taken"), [(5.0, 5.0), (float("nan"), None), (float("inf"), None), ("soon", None)]
)
async def test_a_time_of_death_that_is_none_is_left_out(said: Any, taken: float | None) -> None:  # noqa: ANN401 - a plugin may not be typed
    outcome = Rejected(reason="gone", forget_contact=True, dead_since=said)
    channel = Scripted(StageSettings(), answering(outcome))
    heard = await attempt_send(channel.send, make_message, Redactor(()), seconds=15.0)
    assert heard == Rejected(reason="gone", forget_contact=True, dead_since=taken)


def test_what_was_planned_before_the_guard_was_set_does_not_go_after_a_restart() -> None:
    async def scene() -> None:
        stage = Stage()
        channel = stage.open()
        stage.register("c1", "theirs")
        stage.queue.contacts["c1"] = replace(stage.queue.contacts["c1"], uid="bob")
        refused = [
            stage.plan("b", uid="bob"),
            stage.plan("c", uid="bob", urgent=True),
            stage.plan("theirs", contact="c1", uid="qa-1"),
        ]
        sent = stage.plan("a", uid="qa-1")
        stage.worker = stage.new_worker(RecipientGuard(["qa-*"]))
        refused.append(stage.plan("d", uid="bob", forced=True))
        await stage.run(5)

        assert stage.state(sent)[0] == "delivered"
        assert {stage.state(id_) for id_ in refused} == {("suppressed", "guarded")}
        assert [each.delivery for each in channel.sent] == [sent]
        assert 'guarded_total{channel="ops"} 4.0' in stage.metrics.exposition().decode()

    play(scene())
