"""Planning: what was accepted, decided by the rules, becomes deliveries."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import structlog

from router.core.decide.decide import Decision, decide
from router.core.model.delivery import OPEN_STATES, Delivery
from router.core.model.facts import Contact, DecisionState
from router.core.model.notification import Notification
from router.core.model.recipient_guard import GUARDED
from router.core.rules.ruleset import Ruleset
from router.planner.build_plan import BuiltPlan, build_plan, lease
from router.planner.classification import classify_all, is_incoming_call
from router.planner.inbox import Inbox
from router.planner.load_facts import StateLoader, note_planned
from router.planner.rule_counter import RuleMatchCounter
from router.queue.ports import Journal, JournalUnavailable, Plan
from router.store.errors import StoreUnavailable
from router.store.facts_reader import FactsReader
from router.telemetry import Metrics

MAX_BATCH = 64
"""How many notifications are decided with the same reading of the facts."""

DECISIONS_PER_YIELD = 8
"""After so many decisions others get a turn."""

REST_FACTOR = 20.0
"""While more is accepted, planning rests so many times as long as it took, unless nobody else has
anything to do: whoever posts has two seconds, a plan has time. A call that rings ends the rest."""

IDLE_TURN_S = 0.0005
"""A turn of the event loop that takes fewer seconds found nothing to do."""

MAX_PLAN_TRIES = 3
"""A notification whose decision failed so often is undecidable."""

POLL_INTERVAL_S = 5.0
"""Seconds between two looks for what nobody plans; at most so long it was accepted ago."""

RIVAL_WAIT_S = 0.02
"""Seconds to wait for another process that plans what must be planned first."""

RETRY_INTERVAL_S = 0.5
"""Seconds to wait when the database does not answer."""

Decide = Callable[[Notification, Ruleset, DecisionState, float], Decision]

_log = structlog.get_logger(__name__)


class DeliverySink(Protocol):
    """The worker as the planner sees it."""

    def room(self, channel: str) -> bool:
        """Return whether a delivery of the channel can be taken now, overtaking none on disk."""

    def take(self, delivery: Delivery, notification: Notification, contact: Contact | None) -> None:
        """Send a delivery that is already leased to this process."""

    def remember(self, delivery: Delivery, notification: Notification) -> None:
        """Keep what was just written and waits for room, to be sent without reading it back."""

    def wake(self) -> None:
        """Look for due deliveries: some were just written."""


class Planner:
    """Decides what was accepted, in batches and in order; `run` is its task.

    With no ruleset it holds. A notification that cannot be decided three times is
    `undecidable`, and the planner goes on. What it has in memory is on disk too: after any
    trouble, and at the start, it reads the journal. There it also finds what another process
    accepted and did not plan.
    """

    def __init__(  # noqa: PLR0913 - what it works on, and how it is told and seen
        self,
        journal: Journal,
        world: FactsReader,
        rules: Callable[[], Ruleset | None],
        worker: DeliverySink,
        *,
        clock: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
        decide: Decide = decide,
        tally: RuleMatchCounter | None = None,
    ) -> None:
        """Plan what a journal holds by the rules in force, and hand over what is due."""
        self._journal = journal
        self._loader = StateLoader(world)
        self._rules = rules
        self._worker = worker
        self._clock = clock
        self._metrics = metrics
        self._tally = tally
        self._decide = decide
        self._inbox = Inbox()
        self._busy = 0.0
        self._looked_at = float("-inf")
        self._failures: Counter[str] = Counter()
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()

    def offer(self, notification: Notification) -> None:
        """Take a notification that was just accepted; what does not fit is read back later."""
        self._inbox.offer(notification, rings=is_incoming_call(notification, self._rules()))
        self._idle.clear()
        self._awake.set()

    def wake(self) -> None:
        """Look at the journal: the rules changed, or something was put back."""
        self._inbox.is_behind = True
        self._idle.clear()
        self._awake.set()

    async def run(self) -> None:
        """Plan until cancelled, starting with what a crash left unplanned."""
        while True:
            self._awake.clear()
            ruleset = self._rules()
            batch = await self._next() if ruleset is not None else ()
            if ruleset is None or not batch:
                if ruleset is None or not self._inbox.is_behind:
                    await self._rest(is_idle=ruleset is not None)
                continue
            step = asyncio.ensure_future(self._plan(batch, ruleset))
            try:
                await asyncio.shield(step)
            except asyncio.CancelledError:
                await step  # what it leased must be handed over
                raise
            await self._yield_to_intake(len(batch))

    async def drain(self) -> None:
        """Return when nothing that was offered is left to plan."""
        await self._idle.wait()

    async def _next(self) -> Sequence[Notification]:
        """Return what comes next: from memory, else from the journal if there may be more."""
        if abandoned := await self._abandoned():
            return abandoned
        if batch := self._inbox.take(MAX_BATCH):
            return batch
        if not self._inbox.is_behind:
            return ()
        self._inbox.is_behind, self._looked_at = False, self._clock()
        try:
            abandoned = await self._journal.unplanned(after="", limit=MAX_BATCH)
        except JournalUnavailable as fault:
            await self._wait_for_rival(fault)
            return ()
        if len(abandoned) == MAX_BATCH:
            self._inbox.fall_behind()
        self._inbox.drop({notification.id for notification in abandoned})
        return abandoned

    async def _abandoned(self) -> Sequence[Notification]:
        """Return what was accepted long ago, looked for now and then: who took it is gone."""
        now = self._clock()
        if self._inbox.is_behind or 0 <= now - self._looked_at < POLL_INTERVAL_S:
            return ()
        self._looked_at = now
        try:
            unplanned = await self._journal.unplanned(after="", limit=MAX_BATCH)
        except JournalUnavailable as fault:
            await self._wait_for_rival(fault)
            return ()
        unplanned = [each for each in unplanned if each.accepted_at <= now - POLL_INTERVAL_S]
        self._inbox.drop({notification.id for notification in unplanned})
        return unplanned

    async def _yield_to_intake(self, planned: int) -> None:
        """Let those who post go first, if they are as fast as planning; until a call rings."""
        rest, self._busy = self._busy * REST_FACTOR, 0.0
        if self._inbox.arrivals < planned:
            return
        now = time.perf_counter()
        until = now + rest
        while now < until and not self._inbox.rings:
            await asyncio.sleep(0)
            before, now = now, time.perf_counter()
            if now - before < IDLE_TURN_S:
                return

    async def _rest(self, *, is_idle: bool) -> None:
        if is_idle:
            self._idle.set()
        try:
            async with asyncio.timeout(POLL_INTERVAL_S):
                await self._awake.wait()
        except TimeoutError:
            self._inbox.is_behind = True

    async def _wait_for_rival(self, fault: Exception) -> None:
        _log.warning("database unavailable", error=str(fault))
        self._inbox.clear()
        await asyncio.sleep(RETRY_INTERVAL_S)

    async def _plan(self, batch: Sequence[Notification], ruleset: Ruleset) -> None:
        """Plan a batch; whatever goes wrong, it is on disk, and tried again or given up."""
        try:
            await self._plan_together(batch, ruleset)
        except (JournalUnavailable, StoreUnavailable) as fault:
            await self._wait_for_rival(fault)
        except Exception as fault:  # noqa: BLE001 - one notification must not stop the others
            if len(batch) > 1:
                for notification in batch:
                    await self._plan([notification], ruleset)
            else:
                await self._mark_undecidable(batch[0], f"deciding raised {type(fault).__name__}")

    async def _plan_together(self, batch: Sequence[Notification], ruleset: Ruleset) -> None:
        batch = classify_all(batch, ruleset, self._metrics)
        facts = await self._loader.prepare(batch, ruleset, self._clock())
        assemblies: list[BuiltPlan] = []
        for number, notification in enumerate(batch, 1):
            try:
                assemblies.append(self._build(notification, ruleset, facts))
            except Exception as fault:  # noqa: BLE001 - as above
                await self._mark_undecidable(
                    notification, f"deciding raised {type(fault).__name__}"
                )
            if number % DECISIONS_PER_YIELD == 0:
                await asyncio.sleep(0)
        await self._settle(assemblies)

    def _build(
        self, notification: Notification, ruleset: Ruleset, facts: DecisionState
    ) -> BuiltPlan:
        began = time.perf_counter()
        now = self._clock()
        decision = self._decide(notification, ruleset, facts, now)
        if self._metrics is not None:
            self._metrics.record_decided(
                decision.matched, decision.mismatches, time.perf_counter() - began
            )
        if self._tally is not None:
            self._tally.note(notification, decision.matched, ruleset, facts, now)
        recipient = facts.recipient(notification.app_id, notification.uid)
        assembly = build_plan(notification, recipient, decision, ruleset, now)
        facts.apply_changes(decision.effects)
        leased = lease(assembly, now, self._worker.room)
        note_planned(facts, notification, leased.plan.deliveries)
        self._busy += time.perf_counter() - began
        return leased

    async def _settle(self, assemblies: Sequence[BuiltPlan]) -> None:
        """Write the plans, and hand over what was leased with them."""
        settled = await self._journal.settle([assembly.plan for assembly in assemblies])
        is_something_due = False
        for assembly in assemblies:
            plan = assembly.plan
            if plan.notification in settled.stale:
                continue
            if plan.notification in settled.refused:
                await self._mark_undecidable(
                    assembly.notification, settled.refused[plan.notification]
                )
                continue
            self._failures.pop(plan.notification, None)
            self._count_guarded(plan)
            is_something_due |= self._hand_to_worker(assembly, settled.leased)
        if is_something_due:
            self._worker.wake()
        if settled.stale:
            self._inbox.fall_behind()
            await asyncio.sleep(RIVAL_WAIT_S)

    def _count_guarded(self, plan: Plan) -> None:
        if self._metrics is not None:
            for delivery in plan.deliveries:
                if delivery.reason == GUARDED:
                    self._metrics.record_guarded(delivery.channel)

    def _hand_to_worker(self, assembly: BuiltPlan, leased: Collection[str]) -> bool:
        """Give the worker what was leased; return whether something is left that is due."""
        for handout in assembly.handouts():
            if handout[0].id in leased:
                self._worker.take(*handout)
        due = [
            delivery
            for delivery in assembly.plan.deliveries
            if delivery.state in OPEN_STATES
            and delivery.id not in leased
            and delivery.due_at <= assembly.plan.decided_at
        ]
        for delivery in due:
            if not delivery.original:  # what that came to is read when it goes
                self._worker.remember(delivery, assembly.notification)
        return bool(due)

    async def _mark_undecidable(self, notification: Notification, reason: str) -> None:
        """Try a notification again later, or never again if it fails every time."""
        self._failures[notification.id] += 1
        if self._failures[notification.id] < MAX_PLAN_TRIES:
            _log.error("planning failed, retrying", notification=notification.id, reason=reason)
            self._inbox.clear()
            return
        _log.error("planning failed, giving up", notification=notification.id, reason=reason)
        plan = Plan(
            notification=notification.id,
            decided_at=self._clock(),
            state="undecidable",
            reason=f"{reason}, {MAX_PLAN_TRIES} times",
            version="",
        )
        await self._journal.settle([plan])
        del self._failures[notification.id]
