"""Laws that hold for whatever is done to the queue, in whatever order."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from router.core.model.delivery import OPEN_STATES, Delivery
from router.core.model.retry import Again, Cancelled, Dead, Done, Expired, Hold, NextStep
from router.queue.ports import Capacity, Settlement
from router.store.db.database import Database
from tests.queue.rows import QueueRows
from tests.queue.test_sql_engine import SqlEngine

CHANNELS = ("a", "b")
LEASE = 30.0

channels = st.sampled_from(CHANNELS)
addresses = st.sampled_from(("ann", "bob"))
seconds = st.sampled_from((0.0, 0.0, 1.0, 10.0, 100.0))
lives = st.sampled_from((5.0, 200.0, 1000.0))


def nexts(now: float) -> st.SearchStrategy[NextStep]:
    return st.one_of(
        st.builds(Done),
        st.builds(Again, st.builds(lambda wait: now + wait, seconds)),
        st.builds(Hold, st.builds(lambda wait: now + wait, seconds), st.just("held")),
        st.builds(Dead, st.just("dead")),
        st.builds(Expired, st.just("late")),
        st.builds(Cancelled, st.just("gone")),
    )


class QueueMachine(RuleBasedStateMachine):
    """Puts, claims, settles, loses and holds; the model is what the rows said last."""

    make_url: Any

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        url = self.make_url()
        self.engine = SqlEngine(url, self.run(Database.open(url)))
        self.queue_rows = QueueRows(self.engine)
        self.rows: dict[str, Delivery] = {}
        self.leases: dict[str, float] = {}
        self.lanes: dict[tuple[str, str], float] = {}
        self.lost: set[str] = set()

    def run(self, coroutine: Any) -> Any:  # noqa: ANN401 - as the coroutine
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        try:
            self.everything_ends()
        finally:
            for database in self.engine.opened:
                self.run(database.close())
            self.runner.close()

    @rule(puts=st.lists(st.tuples(channels, addresses, st.booleans(), seconds, lives), max_size=4))
    def put(self, puts: list[tuple[str, str, bool, float, float]]) -> None:
        for channel, address, urgent, due, life in puts:
            due_at = self.queue_rows.now + due
            times = {"due_at": due_at, "expires_at": due_at + life}
            self.add(channel=channel, address=address, urgent=urgent, **times)

    @rule(channel=channels, address=addresses)
    def put_and_lease(self, channel: str, address: str) -> None:
        lease = {"state": "sending", "handouts": 1, "lease_until": self.queue_rows.now + LEASE}
        delivery = self.add(channel=channel, address=address, **lease)
        if delivery.state == "sending":
            self.leases[delivery.id] = delivery.lease_until
        else:
            assert self.is_busy(delivery), "what could be leased was not"

    def add(self, **fields: Any) -> Delivery:  # noqa: ANN401 - a struct's
        id_ = self.run(self.queue_rows.put(**fields))
        self.rows[id_] = self.run(self.engine.delivery(id_))
        return self.rows[id_]

    def is_busy(self, delivery: Delivery) -> bool:
        return any(
            other.id != delivery.id
            and (other.channel, other.address) == (delivery.channel, delivery.address)
            and (
                other.state == "sending"
                or (other.state == "waiting" and other.due_at <= self.queue_rows.now)
            )
            for other in self.rows.values()
        )

    @rule()
    def claim_all(self) -> None:
        self.claim(100, None)

    @rule(limit=st.integers(1, 5), room=st.none() | st.integers(0, 3))
    def claim_some(self, limit: int, room: int | None) -> None:
        self.claim(limit, room)

    def claim(self, limit: int, room: int | None) -> None:
        now = self.queue_rows.now
        rooms = None if room is None else {"a": Capacity(slots=room, non_urgent=max(0, room - 1))}
        held = {held.channel for held in self.run(self.engine.queue.holds(now=now))}
        before = dict(self.rows)
        claimed = self.run(self.queue_rows.claimed(limit, lease=LEASE, room=rooms))
        self.look()
        assert len(claimed) == len(set(claimed)) <= limit
        for id_ in claimed:
            was = before[id_]
            assert was.channel not in held
            assert self.lanes.get((was.channel, was.address), now) <= now
            assert was.due_at <= now
            assert was.state == "waiting" or was.lease_until <= now
            assert was.expires_at > now
            assert self.leases.get(id_, now) <= now, "leased twice"
            self.leases[id_] = now + LEASE
            self.lost.discard(id_)
        for id_ in claimed:
            assert not self.overtaken(before[id_], before, set(claimed))
        if rooms is not None:
            kinds = Counter(before[id_].urgent for id_ in claimed)
            assert {before[id_].channel for id_ in claimed} <= {"a"}
            assert kinds.total() <= rooms["a"].slots
            assert kinds[False] <= rooms["a"].non_urgent

    def overtaken(
        self, claimed: Delivery, before: dict[str, Delivery], together: set[str]
    ) -> list[str]:
        """Return those that should have had their first attempt before the one claimed."""
        return [
            other.id
            for other in before.values()
            if other.id not in together
            and (other.channel, other.address) == (claimed.channel, claimed.address)
            and other.urgent >= claimed.urgent
            and other.state == "waiting"
            and self.rows[other.id].state == "waiting"
            and (other.due_at, other.id) < (claimed.due_at, claimed.id)
        ]

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.leases)))
        next_ = data.draw(nexts(self.queue_rows.now))
        number = self.rows[id_].attempts + 1
        attempt = self.queue_rows.attempt(id_, number)
        settlement = Settlement(delivery=id_, attempt=attempt, next=next_)
        was = self.rows[id_]
        lost = self.run(self.engine.queue.settle([settlement]))
        is_ours = was.state == "sending" and id_ not in self.lost
        held = is_ours or (was.state in OPEN_STATES and isinstance(next_, Done))
        assert lost == ([] if held else [id_])
        del self.leases[id_]
        self.look()

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), wait=seconds)
    def hold_lane(self, data: st.DataObject, wait: float) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.leases)))
        was, until = self.rows[id_], self.queue_rows.now + wait
        hold = Settlement(delivery=id_, attempt=None, next=Hold(until, "host_down"))
        if not self.run(self.engine.queue.settle([hold])):
            lane = (was.channel, was.address)
            self.lanes[lane] = max(until, self.lanes.get(lane, until))
        del self.leases[id_]
        self.look()
        assert self.rows[id_].due_at == was.due_at

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.leases)))
        self.run(self.engine.queue.release([id_]))
        if id_ not in self.lost:
            del self.leases[id_]
        self.look()

    @rule(wait=st.sampled_from((1.0, 10.0, LEASE, 200.0)))
    def wait(self, wait: float) -> None:
        self.queue_rows.now += wait

    @rule()
    def lose_every_lease(self) -> None:
        self.queue_rows.now += LEASE
        self.claim(100, None)

    @rule(channel=channels, seconds=st.sampled_from((None, 20.0, 1000.0)))
    def pause(self, channel: str, seconds: float | None) -> None:
        if seconds is None:
            self.run(self.engine.queue.resume(channel))
            self.lanes = {lane: end for lane, end in self.lanes.items() if lane[0] != channel}
        else:
            until = self.queue_rows.now + seconds
            self.run(self.engine.queue.pause(channel, cause="paused", until=until))

    @rule()
    def crash(self) -> None:
        """Go on as another process, to which nothing is leased."""
        self.run(self.engine.crash())
        self.lost.update(self.leases)

    def look(self) -> None:
        for id_ in self.rows:
            self.rows[id_] = self.run(self.engine.delivery(id_))

    @invariant()
    def a_lane_has_one_in_flight(self) -> None:
        flying = Counter(
            (row.channel, row.address) for row in self.rows.values() if row.state == "sending"
        )
        assert all(count == 1 for count in flying.values())

    @invariant()
    def nobody_is_handed_out_for_ever(self) -> None:
        assert all(row.handouts <= 3 for row in self.rows.values())

    def everything_ends(self) -> None:
        """Nothing that was put is ever lost or stuck: in the end all of it has ended."""
        for channel in CHANNELS:
            self.run(self.engine.queue.resume(channel))
        for _ in range(3 * len(self.rows) + 3):
            self.queue_rows.now += LEASE
            for id_ in self.run(self.queue_rows.claimed()):
                done = Settlement(delivery=id_, attempt=None, next=Done())
                assert self.run(self.engine.queue.settle([done])) == []
        self.look()
        assert [row for row in self.rows.values() if row.state in OPEN_STATES] == []
        assert self.run(self.engine.queue.stats(now=self.queue_rows.now)) == {}


def test_the_laws_hold_on_every_database(make_url: Callable[[], str]) -> None:
    is_slow = make_url().startswith("postgresql")
    run_state_machine_as_test(
        type("Machine", (QueueMachine,), {"make_url": staticmethod(make_url)}),
        settings=settings(
            max_examples=8 if is_slow else 25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            # Each example has a database of its own, which takes its time.
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )
