"""Whom a delivery reaches is looked up when it goes, and who is dead for good is told apart."""

from typing import Any

import pytest
from msgspec.structs import replace

from router.core.model.outcome import Rejected
from router.core.model.recipient_guard import RecipientGuard
from router.redaction import Redactor
from router.worker.attempt import attempt_send
from tests.plugins.opening import make_message
from tests.worker.harness import Harness, Scripted, ScriptedSettings
from tests.worker.test_outcomes import answering
from tests.worker.virtual_time import run_in_virtual_time


def test_a_contact_is_read_again_and_a_contact_that_is_gone_cancels() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        harness.register("c1", "old")
        harness.register("c2", "other")
        moved, gone = harness.plan("old", contact="c1"), harness.plan("other", contact="c2")
        harness.register("c1", "new")
        del harness.queue.contacts["c2"]
        await harness.run(2)

        assert harness.state(moved)[0] == "delivered"
        assert [sent.message.address for sent in channel.sent] == ["new"]
        assert harness.state(gone) == ("cancelled", "contact_gone")

    run_in_virtual_time(scenario())


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
    async def scenario() -> None:
        harness = Harness()
        harness.open(rate="10/m")
        harness.register("c1", "first")
        harness.register("c2", "other")
        await harness.run(60)
        first = harness.plan("first", contact="c1", uid="ann", forced=True)
        waits = harness.plan("other", contact="c2", uid="bob", forced=True)
        await harness.run(1)
        del harness.queue.contacts["c2"]
        harness.worker.invalidate(uids, addresses)
        await harness.run(20)

        assert harness.state(first)[0] == "delivered"
        assert harness.state(waits)[0] == state

    run_in_virtual_time(scenario())


@pytest.mark.parametrize(
    ("said", "taken"), [(5.0, 5.0), (float("nan"), None), (float("inf"), None), ("soon", None)]
)
async def test_a_time_of_death_that_is_none_is_left_out(said: Any, taken: float | None) -> None:  # noqa: ANN401 - a plugin may not be typed
    outcome = Rejected(reason="gone", forget_contact=True, dead_since=said)
    channel = Scripted(ScriptedSettings(), answering(outcome))
    heard = await attempt_send(channel.send, make_message, Redactor(()), seconds=15.0)
    assert heard == Rejected(reason="gone", forget_contact=True, dead_since=taken)


def test_what_was_planned_before_the_guard_was_set_does_not_go_after_a_restart() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open()
        harness.register("c1", "theirs")
        harness.queue.contacts["c1"] = replace(harness.queue.contacts["c1"], uid="bob")
        refused = [
            harness.plan("b", uid="bob"),
            harness.plan("c", uid="bob", urgent=True),
            harness.plan("theirs", contact="c1", uid="qa-1"),
        ]
        sent = harness.plan("a", uid="qa-1")
        harness.worker = harness.new_worker(RecipientGuard(["qa-*"]))
        refused.append(harness.plan("d", uid="bob", forced=True))
        await harness.run(5)

        assert harness.state(sent)[0] == "delivered"
        assert {harness.state(id_) for id_ in refused} == {("suppressed", "guarded")}
        assert [each.delivery for each in channel.sent] == [sent]
        assert 'guarded_total{channel="ops"} 4.0' in harness.metrics.exposition().decode()

    run_in_virtual_time(scenario())
