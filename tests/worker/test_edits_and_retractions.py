"""How the worker changes and takes back what was shown, by the handle that was left."""

import pytest
from msgspec.structs import replace

from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Unknown
from router.core.model.types import Operation
from tests.worker.harness import Harness, Script, Scripted, ScriptedSettings, deliver
from tests.worker.virtual_time import run_in_virtual_time


class Changing(Scripted):
    """A channel that can change what it has shown."""

    outcome: Outcome = Delivered(handle="h2")

    def __init__(self, settings: ScriptedSettings, script: Script) -> None:
        super().__init__(settings, script)
        self.changed: list[tuple[str, str, str]] = []
        """What was asked, by which handle, with which words."""

    async def update(self, handle: str, message: Message) -> Outcome:
        self.changed.append(("update", handle, message.title))
        return self.outcome

    async def retract(self, handle: str) -> Outcome:
        self.changed.append(("retract", handle, ""))
        return self.outcome


class Doubtful(Changing):
    """The same, which nobody answers."""

    outcome = Unknown(reason="no answer")


class Refusing(Changing):
    """The same, which nobody lets."""

    outcome = Rejected(reason="edit_window_closed")


class Replacing(Scripted):
    """A channel whose later messages take the place of earlier ones."""

    replaces = True


def change(harness: Harness, operation: Operation, handle: str = "h1") -> str:
    """Plan a change of what another delivery has shown."""
    id_ = harness.plan()
    row = harness.queue.deliveries[id_]
    harness.queue.deliveries[id_] = replace(
        row, operation=operation, original="n0-0", handle=handle
    )
    return id_


@pytest.mark.parametrize("operation", ["update", "retract"])
def test_a_change_goes_by_the_handle_and_nothing_is_sent(operation: Operation) -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(kind=Changing)
        id_ = change(harness, operation)
        await harness.run(1)
        title = "title" if operation == "update" else ""
        assert isinstance(channel, Changing)
        assert channel.changed == [(operation, "h1", title)]
        assert channel.sent == []
        assert harness.state(id_) == ("delivered", "")
        assert [each.outcome for each in harness.tries(id_)] == ["delivered"]

    run_in_virtual_time(scenario())


@pytest.mark.parametrize(
    ("kind", "operation", "handle"),
    [
        (Scripted, "update", "h1"),
        (Scripted, "retract", "h1"),
        (Replacing, "update", "h1"),
        (Changing, "update", ""),
        (Changing, "retract", ""),
    ],
)
def test_what_a_channel_cannot_do_is_cancelled_without_a_try(
    kind: type[Scripted], operation: Operation, handle: str
) -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(kind=kind)
        id_, other = change(harness, operation, handle), harness.plan()
        await harness.run(1)
        assert harness.state(id_) == ("cancelled", "cannot_change")
        assert harness.tries(id_) == []
        assert [sent.delivery for sent in channel.sent] == [other], "the lane is free"

    run_in_virtual_time(scenario())


def test_what_replaces_is_taken_back_by_a_quiet_message() -> None:
    async def scenario() -> None:
        harness = Harness()
        channel = harness.open(deliver, kind=Replacing)
        loud, quiet = harness.plan("b"), change(harness, "retract")
        await harness.run(1)
        assert {sent.delivery: sent.message.quiet for sent in channel.sent} == {
            loud: False,
            quiet: True,
        }

    run_in_virtual_time(scenario())


def test_a_change_of_which_nobody_knows_is_made_again_and_a_refused_one_is_dead() -> None:
    async def scenario() -> None:
        harness = Harness()
        doubtful = harness.open(kind=Doubtful, name="doubtful")
        harness.open(kind=Refusing)
        again, dead = harness.plan(channel="doubtful"), change(harness, "update")
        row = harness.queue.deliveries[again]
        told = replace(row, operation="retract", original="n0-0", handle="h1")
        harness.queue.deliveries[again] = told
        await harness.run(10)
        assert isinstance(doubtful, Doubtful)
        assert len(doubtful.changed) == 2
        assert harness.state(again)[0] == "waiting"
        assert harness.state(dead) == ("dead", "edit_window_closed")

    run_in_virtual_time(scenario())
