"""The intake on a machine whose clock is not CometChat's."""

from collections.abc import Iterator
from itertools import count

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from router.core.decide.timing import RING_S
from router.core.model.notification import Notification
from router.ingest.accept import PayloadAcceptor
from router.ingest.clock_skew import MIN_AGREEING_SLOTS, SLOT_S
from router.queue.engine import SqlJournal
from router.store.db.database import Database
from router.store.log.log import DeliveryLog
from router.telemetry import Metrics
from tests.queue.rows import START, body_of

HOUR = 3600.0
DELAY = 1.1
"""Seconds CometChat takes to post."""


class Machine:
    """An intake, CometChat's time, and how wrong the clock here is."""

    def __init__(self, database: Database) -> None:
        self.time, self.wrong = START, 0.0
        self.metrics = Metrics()
        self.told: list[Notification] = []
        self._texts = count()
        self.intake = PayloadAcceptor(
            SqlJournal(database),
            clock=lambda: self.time + self.wrong,
            steady=lambda: self.time - START + 1000,
            accepted=self.told.append,
            metrics=self.metrics,
        )

    async def get(self, late: float = 0.0, text: str = "") -> float:
        """Get a payload, and return its age as it is decided by; -1 for a repeat."""
        known = len(self.told)
        body = body_of("bob", text or f"{next(self._texts)}", sent_at=self.time - DELAY - late)
        await self.intake.accept(body)
        if len(self.told) == known:
            return -1
        age = self.told[-1].age(self.time + self.wrong)
        assert age is not None
        return age

    async def settle(self) -> None:
        for _ in range(MIN_AGREEING_SLOTS):
            await self.get()
            self.time += SLOT_S

    @property
    def shown(self) -> float:
        line = next(
            line
            for line in self.metrics.exposition().decode().splitlines()
            if line.startswith("router_clock_skew_seconds ")
        )
        return float(line.split()[1])


@pytest.fixture
def machine(database: Database) -> Machine:
    return Machine(database)


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.mark.parametrize("wrong", [HOUR, -HOUR, 0.0])
async def test_a_wrong_clock_is_taken_off_the_age(machine: Machine, wrong: float) -> None:
    machine.wrong = wrong
    await machine.settle()
    assert abs(await machine.get()) < 0.01
    assert abs(await machine.get(late=RING_S) - RING_S) < 0.01
    assert abs(machine.shown - wrong - DELAY) < 0.01


async def test_what_is_read_back_is_as_old_as_when_it_was_accepted(
    machine: Machine, database: Database
) -> None:
    machine.wrong = HOUR
    await machine.settle()
    await machine.get()
    (*_, found) = await SqlJournal(database).unplanned(after="", limit=9)
    assert found == machine.told[-1]
    assert found.skew == pytest.approx(HOUR + DELAY)
    assert await DeliveryLog(database).payload(found.id) == found


async def test_a_repeat_is_no_evidence(machine: Machine) -> None:
    await machine.settle()
    before = machine.shown
    sent_at = machine.time
    first = body_of("bob", "again", sent_at=sent_at)
    machine.time += DELAY
    await machine.intake.accept(first)
    after = machine.shown
    machine.time += HOUR
    await machine.intake.accept(first)
    assert (machine.shown, len(machine.told)) == (after, MIN_AGREEING_SLOTS + 1)
    assert after == pytest.approx(before, abs=0.01)


async def test_a_remarkable_skew_is_warned_about_once_and_again_after_it_was_fine(
    machine: Machine, lines: list[EventDict]
) -> None:
    await machine.settle()
    assert lines == []
    for wrong, warnings in ((4.0 - DELAY, 0), (HOUR, 1), (2 * HOUR, 1), (0.0, 1), (-HOUR, 2)):
        machine.wrong = wrong
        for _ in range(3):
            machine.time += SLOT_S
            await machine.get()
        assert len(lines) == warnings, wrong
    ahead, behind = lines
    assert ahead["event"] == "clock ahead of CometChat"
    assert ahead["seconds"] == pytest.approx(HOUR + DELAY, abs=0.1)
    assert behind["event"] == "clock behind CometChat"
    assert behind["seconds"] == pytest.approx(HOUR - DELAY, abs=0.1)


async def test_a_payload_without_a_time_says_nothing_of_clocks(machine: Machine) -> None:
    body = body_of("bob", "hello").replace(b'"sentAt"', b'"other"')
    await machine.intake.accept(body)
    assert machine.told[-1].age(machine.time) is None
    assert machine.shown == 0.0


async def test_the_skew_is_what_the_next_payload_is_held_against(machine: Machine) -> None:
    machine.wrong = HOUR
    assert machine.intake.skew() == 0.0
    await machine.settle()
    assert machine.intake.skew() == pytest.approx(HOUR + DELAY)
