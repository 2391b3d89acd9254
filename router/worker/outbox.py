"""What is in memory to be sent: it goes out as lanes and gates allow."""

import asyncio
import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import structlog
from msgspec.structs import replace

from router.channel import Channel
from router.core.model.daily_cap import CAPPED, Cap
from router.core.model.delivery import Attempt
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.model.recipient_guard import GUARDED, RecipientGuard
from router.core.model.retry import (
    Again,
    Cancelled,
    Expired,
    Hold,
    NextStep,
    Suppressed,
    next_step,
)
from router.queue.ports import Capacity, Settlement
from router.redaction import Redactor, collect_secrets
from router.telemetry import Metrics, describe_exception
from router.worker.attempt import log_attempt, log_fields, make_attempt
from router.worker.channel_gate import ChannelGate
from router.worker.daily_caps import DailyCaps, is_counted
from router.worker.lanes import Lanes, SendJob, recipient_of
from router.worker.send import (
    ActiveSend,
    find_host,
    find_recipient,
    find_unsupported_reason,
)

MAX_IN_MEMORY = 2000
"""Deliveries in memory at most; each channel has a share, so that a slow one leaves room."""

CHANNEL_GONE_HOLD_S = 60.0
"""Seconds until a delivery whose channel is not configured any more is looked at again."""

CountryOf = Callable[[str], str]
"""Returns where addresses of an app's recipients are read, empty where that is not known."""

ChannelLookup = Callable[[str], Channel[Any] | None]
"""Returns the channel of that name as it is configured now, None when there is none."""

_log = structlog.get_logger(__name__)


class LeaseHolder(NamedTuple):
    """Whoever holds the leases, as the outbox sees it."""

    is_leased: Callable[[str], bool]
    """Whether a delivery is still leased to this process."""
    settle: Callable[[Settlement], None]
    """Takes what became of a delivery."""
    drop_lease: Callable[[str], object]
    """Hears of a delivery whose lease ran out before its turn."""
    refusals: Callable[[str], int]
    """How many times a delivery's lane was refused, and not served since."""
    suspend: Callable[[str, float, str], None]
    """Hears of a channel that is out of order until a time, and why."""
    end_suspension: Callable[[str], None]
    """Hears of a channel that was suspended for refusals, and serves."""
    hold_host: Callable[[str, str, float], None]
    """Hears of a host of a channel (empty: of the channel) that is left alone until a time."""
    on_slot_free: Callable[[str], None]
    """Hears of a channel that has finished a send."""


class Dispatcher:
    """Sends each delivery put into it once, as soon as its turn comes.

    Urgent ones go first, then the order is that of acceptance. At most one delivery of a lane is
    in flight at a time.
    """

    def __init__(  # noqa: PLR0913 - its collaborators, brought together once
        self,
        owner: LeaseHolder,
        channels: ChannelLookup,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        dice: Callable[[], float],
        country: CountryOf,
        guard: RecipientGuard,
        caps: DailyCaps,
    ) -> None:
        self._caps = caps
        self._country = country
        self._owner = owner
        self._channels = channels
        self._metrics = metrics
        self._clock = clock
        self._dice = dice
        self._guard = guard
        self._lanes = Lanes()
        self._gates: dict[str, ChannelGate] = {}
        self._sends: dict[asyncio.Task[None], ActiveSend] = {}
        self._stuck: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._redactors: WeakKeyDictionary[Channel[Any], Redactor] = WeakKeyDictionary()
        self._is_closed = False
        self.is_stopped = False
        """Whether an operator holds all channels, those that are not seen yet too."""

    @property
    def channels(self) -> Collection[str]:
        """The names of the channels seen so far."""
        return self._gates.keys()

    def gate(self, channel: str) -> ChannelGate:
        """Return the gate of a channel, with its settings as they are now."""
        gate = self._gates.get(channel)
        if gate is None:
            gate = self._gates[channel] = ChannelGate(clock=self._clock)
            if self.is_stopped:
                gate.hold("stopped", math.inf)
        configured = self._channels(channel)
        if configured is not None:
            gate.apply_settings(configured.settings)
        return gate

    def free_capacity(self, channel: str, promised: int) -> Capacity:
        """Return how many more of a channel may be taken, when room for some is promised."""
        gate = self.gate(channel)
        waiting, non_urgent = self._lanes.waiting(channel)
        room = gate.free_capacity(
            waiting=waiting + promised,
            non_urgent=non_urgent + promised,
            share=MAX_IN_MEMORY // len(self._gates),
        )
        left = self._caps.left(channel) - waiting - promised
        if left >= room.slots:
            return room
        slots = max(0, int(left))
        return replace(room, slots=slots, non_urgent=min(slots, room.non_urgent))

    def put(self, job: SendJob) -> None:
        """Take a leased delivery, and send it at once if its turn has come."""
        self._lanes.put(job)
        self.send(job.delivery.channel)

    def send(self, channel: str) -> None:
        """Start every send of a channel whose turn has come."""
        configured = self._channels(channel)
        if configured is None:
            self._hold_unconfigured(channel)
            return
        gate = self.gate(channel)
        while not self._is_closed:
            # Asked once a turn: asked again, it may allow by then what was just refused.
            if (seconds := gate.wait()) > 0:
                self._set_timer(channel, seconds)
                return
            if not gate.can_send(urgent=True) or self._caps.left(channel) <= 0:
                return
            job = self._lanes.next(channel, urgent_only=not gate.can_send(urgent=False))
            if job is None:
                return
            if self._end_if_undeliverable(job, configured):
                continue
            if until := self._caps.find_wait(job.notification.app_id):
                self._settle(job, Again(until, counts=False, reason=CAPPED))
                self._lanes.release_lane(job)
                continue
            host = find_host(configured, job)
            if seconds := gate.host_wait_s(host):
                self._settle(job, Hold(self._clock() + seconds, "host_down"))
                self._lanes.release_lane(job)
                continue
            probed = gate.acquire(urgent=job.delivery.urgent, host=host)
            app_id = job.notification.app_id
            sending = ActiveSend(
                *(job, configured, gate, host, probed, self._clock()),
                country=self._country(app_id),
                caps=self._caps.begin(channel, app_id),
            )
            task = asyncio.create_task(self._run_send(sending), name=f"sending over {channel}")
            self._sends[task] = sending

    def abandon_stuck_sends(self) -> None:
        """Let go of sends that neither end nor let themselves be cancelled: others wait."""
        now = self._clock()
        for task, sending in list(self._sends.items()):
            if sending.is_stuck(now):
                self._stuck.add(task)  # the loop holds tasks weakly: one that is lost would warn
                task.add_done_callback(self._stuck.discard)
                del self._sends[task]  # before it is finished here: its own end would do it again
                _log.error("send ignored cancellation", **log_fields(sending.job.delivery))
                self._finish_send(
                    sending, Unknown(reason="no answer; the send ignored its cancellation")
                )

    def clear(self, channel: str) -> list[str]:
        """Return the ids of what waits for a channel, and forget it."""
        return [job.delivery.id for job in self._lanes.clear(channel)]

    def remove_matching(self, which: Callable[[SendJob], bool]) -> list[str]:
        """Return the ids of what waits for its turn and is such a one, and forget it."""
        return [job.delivery.id for job in self._lanes.remove_matching(which)]

    async def close(self, grace: float) -> None:
        """Start no more sends; let those in flight finish, or cancel them after `grace` seconds."""
        self._is_closed = True
        for alarm in self._timers.values():
            alarm.cancel()
        for seconds in (grace, 1.0):
            if self._sends:
                await asyncio.wait(self._sends, timeout=seconds)
            for task in list(self._sends):
                task.cancel()
        for sending in self._sends.values():
            _log.error("send ignored cancellation at shutdown", **log_fields(sending.job.delivery))

    def _hold_unconfigured(self, channel: str) -> None:
        handouts = self._lanes.clear(channel)
        if handouts:
            _log.warning("channel not configured", channel=channel, count=len(handouts))
        for job in handouts:
            self._settle(job, Hold(self._clock() + CHANNEL_GONE_HOLD_S, "channel_gone"))

    def _set_timer(self, channel: str, seconds: float) -> None:
        """Look again when the rate allows the next send, if there is one to be made."""
        if not self._lanes.waiting(channel)[0]:
            return
        if old := self._timers.get(channel):
            old.cancel()
        loop = asyncio.get_running_loop()
        self._timers[channel] = loop.call_later(seconds, self.send, channel)

    def _end_if_undeliverable(self, job: SendJob, channel: Channel[Any]) -> bool:
        """End a delivery that comes too late, or that nobody can make; return whether it did."""
        delivery = job.delivery
        if not self._owner.is_leased(delivery.id):
            _log.warning("lease expired before send", **log_fields(delivery))
            self._owner.drop_lease(delivery.id)
        elif delivery.expires_at <= self._clock():
            self._settle(job, Expired("expired before it was sent"))
        elif not self._guard.permits(recipient_of(job)):
            self._metrics.record_guarded(delivery.channel)
            self._settle(job, Suppressed(GUARDED))
        elif delivery.contact and job.contact is None:
            self._settle(job, Cancelled("contact_gone"))
        elif hindrance := find_unsupported_reason(channel, delivery):
            self._settle(job, Cancelled(hindrance))
        else:
            return False
        self._lanes.release_lane(job)
        return True

    async def _run_send(self, sending: ActiveSend) -> None:
        delivery, channel = sending.job.delivery, sending.channel
        structlog.contextvars.bind_contextvars(**log_fields(delivery))
        outcome: Outcome | None = None
        try:
            outcome = await sending.attempt(self._redactor(channel))
        except asyncio.CancelledError as fault:
            if self._is_closed:
                raise
            _log.error(
                "send cancelled by plugin", **log_fields(delivery), **describe_exception(fault)
            )
            outcome = Retry(reason="the plugin cancelled the send")
        except Exception as fault:  # noqa: BLE001 - as after a crash: the lease runs out
            _log.error("send aborted", **log_fields(delivery), **describe_exception(fault))
            self._owner.drop_lease(delivery.id)
        finally:
            task = asyncio.current_task()
            if task in self._sends:
                del self._sends[task]
                self._finish_send(sending, outcome)

    def _finish_send(self, sending: ActiveSend, outcome: Outcome | None) -> None:
        """Settle a send that came to an outcome, and let the next one go."""
        delivery, gate = sending.job.delivery, sending.gate
        try:
            if outcome is not None:
                self._settle_outcome(sending, outcome)
                self._observe_outcome(sending, outcome)
        except Exception as fault:  # noqa: BLE001 - as after a crash: the lease runs out
            _log.error(
                "outcome processing failed", **log_fields(delivery), **describe_exception(fault)
            )
            self._owner.drop_lease(delivery.id)
        # After the outcome is noted: a lane that is free earlier would let the next delivery
        # overtake this one's retry, and a slot that is free earlier would miss an open breaker.
        self._caps.end(sending.caps, is_counted=is_counted(outcome))
        gate.release(urgent=delivery.urgent, probed=sending.probed)
        self._lanes.release_lane(sending.job)
        self.send(delivery.channel)
        self._owner.on_slot_free(delivery.channel)

    def _redactor(self, channel: Channel[Any]) -> Redactor:
        """Return what masks a channel's secrets; made once for as long as the channel lives."""
        redactor = self._redactors.get(channel)
        if redactor is None:
            redactor = self._redactors[channel] = Redactor(collect_secrets(channel.settings))
        return redactor

    def _settle_outcome(self, sending: ActiveSend, outcome: Outcome) -> None:
        job, started_at = sending.job, sending.began
        delivery, now = job.delivery, self._clock()
        number = delivery.attempts + 1
        hold = 0.0
        if isinstance(outcome, Suspend) and outcome.scope == "recipient":
            scope, hold = sending.gate.attribute_refusal(
                find_recipient(sending.channel, job),
                sending.host,
                refusals=self._owner.refusals(delivery.id),
            )
            outcome = replace(outcome, scope=scope)
        elif isinstance(outcome, Rejected) and outcome.forget_contact:
            recipient = find_recipient(sending.channel, job)
            is_gone = sending.gate.believes_gone(recipient, sending.host)
            outcome = replace(outcome, forget_contact=is_gone)
        step = next_step(
            outcome,
            attempts=number,
            idempotent=sending.channel.idempotent or delivery.operation != "send",
            now=now,
            expires_at=delivery.expires_at,
            age=now - job.notification.accepted_at,
            dice=self._dice(),
            hold=hold,
        )
        attempt = make_attempt(delivery, number, outcome, started_at, now)
        self._metrics.record_attempt(
            delivery.channel,
            attempt.outcome,
            now - started_at,
            max(0.0, started_at - delivery.due_at),
        )
        log_attempt(delivery, attempt, step, now)
        caps = sending.caps if is_counted(outcome) else ()
        self._settle(job, step, attempt, caps)
        if isinstance(step, Hold) and step.scope == "channel":
            self.gate(delivery.channel).hold("suspended", step.until)
            self._owner.suspend(delivery.channel, step.until, step.reason)
        elif isinstance(outcome, Delivered) and sending.gate.record_success(sending.host):
            self._owner.end_suspension(delivery.channel)

    def _observe_outcome(self, sending: ActiveSend, outcome: Outcome) -> None:
        """Leave a provider alone that fails again and again."""
        channel, host = sending.job.delivery.channel, sending.host
        until = sending.gate.record_outcome(outcome, host, began=sending.began, dice=self._dice())
        if until is not None:
            seconds = round(until - self._clock(), 1)
            _log.warning(
                "circuit breaker opened", channel=channel, host=host or "all", seconds=seconds
            )
            self._owner.hold_host(channel, host, until)

    def _settle(
        self,
        job: SendJob,
        step: NextStep,
        tried: Attempt | None = None,
        caps: tuple[Cap, ...] = (),
    ) -> None:
        self._owner.settle(
            Settlement(delivery=job.delivery.id, attempt=tried, next=step, caps=caps)
        )
