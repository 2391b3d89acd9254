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
from router.core.model.delivery import Attempt, Delivery
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.model.recipient_guard import GUARDED, RecipientGuard
from router.core.model.retry import Again, Cancelled, Done, Expired, Hold, Next, Suppressed, follow
from router.queue.ports import Room, Settlement
from router.redaction import Redactor, reveal
from router.telemetry import Metrics, name_fault
from router.worker.channel_gate import Gate
from router.worker.daily_caps import DailyCaps, is_counted
from router.worker.lanes import Handout, Lanes, recipient_of
from router.worker.send import Sending, find_hindrance, find_host, find_recipient, names_of

MEMORY = 2000
"""Deliveries in memory at most; each channel has a share, so that a slow one leaves room."""

GONE = 60.0
"""Seconds until a delivery whose channel is not configured any more is looked at again."""

Country = Callable[[str], str]
"""Returns where addresses of an app's recipients are read, empty where that is not known."""

Channels = Callable[[str], Channel[Any] | None]
"""Returns the channel of that name as it is configured now, None when there is none."""

_log = structlog.get_logger("router.worker")


class Owner(NamedTuple):
    """Whoever holds the leases, as the outbox sees it."""

    is_leased: Callable[[str], bool]
    """Whether a delivery is still leased to this process."""
    settle: Callable[[Settlement], None]
    """Takes what became of a delivery."""
    lose: Callable[[str], object]
    """Hears of a delivery whose lease ran out before its turn."""
    refusals: Callable[[str], int]
    """How many times a delivery's lane was refused, and not served since."""
    suspend: Callable[[str, float, str], None]
    """Hears of a channel that is out of order until a time, and why."""
    lift: Callable[[str], None]
    """Hears of a channel that was suspended for refusals, and serves."""
    rest: Callable[[str, str, float], None]
    """Hears of a host of a channel (empty: of the channel) that is left alone until a time."""
    free: Callable[[str], None]
    """Hears of a channel that has finished a send."""


class Outbox:
    """Sends each delivery put into it once, as soon as its turn comes.

    Urgent ones go first, then the order is that of acceptance. At most one delivery of a lane is
    in flight at a time.
    """

    def __init__(  # noqa: PLR0913 - its collaborators, brought together once
        self,
        owner: Owner,
        channels: Channels,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        dice: Callable[[], float],
        country: Country,
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
        self._gates: dict[str, Gate] = {}
        self._sends: dict[asyncio.Task[None], Sending] = {}
        self._lost: set[asyncio.Task[None]] = set()
        self._alarms: dict[str, asyncio.TimerHandle] = {}
        self._redactors: WeakKeyDictionary[Channel[Any], Redactor] = WeakKeyDictionary()
        self._closed = False
        self.is_stopped = False
        """Whether an operator holds all channels, those that are not seen yet too."""

    @property
    def channels(self) -> Collection[str]:
        """The names of the channels seen so far."""
        return self._gates.keys()

    def gate(self, channel: str) -> Gate:
        """Return the gate of a channel, with its settings as they are now."""
        gate = self._gates.get(channel)
        if gate is None:
            gate = self._gates[channel] = Gate(clock=self._clock)
            if self.is_stopped:
                gate.hold("stopped", math.inf)
        configured = self._channels(channel)
        if configured is not None:
            gate.adapt(configured.settings)
        return gate

    def room(self, channel: str, promised: int) -> Room:
        """Return how many more of a channel may be taken, when room for some is promised."""
        gate = self.gate(channel)
        waiting, ordinary = self._lanes.waiting(channel)
        room = gate.room(
            waiting=waiting + promised,
            ordinary=ordinary + promised,
            share=MEMORY // len(self._gates),
        )
        left = self._caps.left(channel) - waiting - promised
        if left >= room.slots:
            return room
        slots = max(0, int(left))
        return replace(room, slots=slots, ordinary=min(slots, room.ordinary))

    def put(self, handout: Handout) -> None:
        """Take a leased delivery, and send it at once if its turn has come."""
        self._lanes.put(handout)
        self.send(handout.delivery.channel)

    def send(self, channel: str) -> None:
        """Start every send of a channel whose turn has come."""
        configured = self._channels(channel)
        if configured is None:
            self._set_aside(channel)
            return
        gate = self.gate(channel)
        while not self._closed:
            # Asked once a turn: asked again, it may allow by then what was just refused.
            if (seconds := gate.wait()) > 0:
                self._set_alarm(channel, seconds)
                return
            if not gate.admits(urgent=True) or self._caps.left(channel) <= 0:
                return
            handout = self._lanes.next(channel, urgent_only=not gate.admits(urgent=False))
            if handout is None:
                return
            if self._is_over(handout, configured):
                continue
            if until := self._caps.find_wait(handout.notification.app_id):
                self._settle(handout, Again(until, counts=False, reason=CAPPED))
                self._lanes.free(handout)
                continue
            host = find_host(configured, handout)
            if seconds := gate.rest(host):
                self._settle(handout, Hold(self._clock() + seconds, "host_down"))
                self._lanes.free(handout)
                continue
            probed = gate.enter(urgent=handout.delivery.urgent, host=host)
            app_id = handout.notification.app_id
            sending = Sending(
                *(handout, configured, gate, host, probed, self._clock()),
                country=self._country(app_id),
                caps=self._caps.begin(channel, app_id),
            )
            task = asyncio.create_task(self._send(sending), name=f"sending over {channel}")
            self._sends[task] = sending

    def give_up_lost(self) -> None:
        """Let go of sends that neither end nor let themselves be cancelled: others wait."""
        now = self._clock()
        for task, sending in list(self._sends.items()):
            if sending.is_lost(now):
                self._lost.add(task)
                task.add_done_callback(self._lost.discard)
                del self._sends[task]
                _log.error("a send ignores its cancellation", **names_of(sending.handout.delivery))
                self._end(sending, Unknown(reason="no answer, and it cannot be cancelled"))

    def clear(self, channel: str) -> list[str]:
        """Return the ids of what waits for a channel, and forget it."""
        return [handout.delivery.id for handout in self._lanes.clear(channel)]

    def withdraw(self, which: Callable[[Handout], bool]) -> list[str]:
        """Return the ids of what waits for its turn and is such a one, and forget it."""
        return [handout.delivery.id for handout in self._lanes.withdraw(which)]

    async def close(self, grace: float) -> None:
        """Start no more sends; let those in flight finish, or cancel them after `grace` seconds."""
        self._closed = True
        for alarm in self._alarms.values():
            alarm.cancel()
        for seconds in (grace, 1.0):
            if self._sends:
                await asyncio.wait(self._sends, timeout=seconds)
            for task in list(self._sends):
                task.cancel()
        for sending in self._sends.values():
            names = names_of(sending.handout.delivery)
            _log.error("a send ignores its cancellation, and is left behind", **names)

    def _set_aside(self, channel: str) -> None:
        handouts = self._lanes.clear(channel)
        if handouts:
            _log.warning("channel is not configured", channel=channel, deliveries=len(handouts))
        for handout in handouts:
            self._settle(handout, Hold(self._clock() + GONE, "channel_gone"))

    def _set_alarm(self, channel: str, seconds: float) -> None:
        """Look again when the rate allows the next send, if there is one to be made."""
        if not self._lanes.waiting(channel)[0]:
            return
        if old := self._alarms.get(channel):
            old.cancel()
        loop = asyncio.get_running_loop()
        self._alarms[channel] = loop.call_later(seconds, self.send, channel)

    def _is_over(self, handout: Handout, channel: Channel[Any]) -> bool:
        """End a delivery that comes too late, or that nobody can make; return whether it did."""
        delivery = handout.delivery
        if not self._owner.is_leased(delivery.id):
            _log.warning("lease ran out before its turn", **names_of(delivery))
            self._owner.lose(delivery.id)
        elif delivery.expires_at <= self._clock():
            self._settle(handout, Expired("expired before it was sent"))
        elif not self._guard.permits(recipient_of(handout)):
            self._metrics.guarded(delivery.channel)
            self._settle(handout, Suppressed(GUARDED))
        elif delivery.contact and handout.contact is None:
            self._settle(handout, Cancelled("contact_gone"))
        elif hindrance := find_hindrance(channel, delivery):
            self._settle(handout, Cancelled(hindrance))
        else:
            return False
        self._lanes.free(handout)
        return True

    async def _send(self, sending: Sending) -> None:
        delivery, channel = sending.handout.delivery, sending.channel
        structlog.contextvars.bind_contextvars(**names_of(delivery))
        outcome: Outcome | None = None
        try:
            outcome = await sending.attempt(self._redactor(channel))
        except asyncio.CancelledError as fault:
            if self._closed:
                raise
            _log.error("a send cancelled itself", **name_fault(fault))
            outcome = Retry(reason="cancelled itself")
        except Exception as fault:  # noqa: BLE001 - as after a crash: the lease runs out
            _log.error("could not be tried", **name_fault(fault))
            self._owner.lose(delivery.id)
        finally:
            task = asyncio.current_task()
            if task in self._sends:
                del self._sends[task]
                self._end(sending, outcome)

    def _end(self, sending: Sending, outcome: Outcome | None) -> None:
        """Settle a send that came to an outcome, and let the next one go."""
        delivery, gate = sending.handout.delivery, sending.gate
        try:
            if outcome is not None:
                self._follow(sending, outcome)
                self._heed(sending, outcome)
        except Exception as fault:  # noqa: BLE001 - as after a crash: the lease runs out
            _log.error("could not tell what follows", **names_of(delivery), **name_fault(fault))
            self._owner.lose(delivery.id)
        self._caps.end(sending.caps, is_counted=is_counted(outcome))
        gate.leave(urgent=delivery.urgent, probed=sending.probed)
        self._lanes.free(sending.handout)
        self.send(delivery.channel)
        self._owner.free(delivery.channel)

    def _redactor(self, channel: Channel[Any]) -> Redactor:
        """Return what masks a channel's secrets; made once for as long as the channel lives."""
        redactor = self._redactors.get(channel)
        if redactor is None:
            redactor = self._redactors[channel] = Redactor(reveal(channel.settings))
        return redactor

    def _follow(self, sending: Sending, outcome: Outcome) -> None:
        handout, started_at = sending.handout, sending.began
        delivery, now = handout.delivery, self._clock()
        number = delivery.attempts + 1
        hold = 0.0
        if isinstance(outcome, Suspend) and outcome.scope == "recipient":
            scope, hold = sending.gate.blame(
                find_recipient(sending.channel, handout),
                sending.host,
                refusals=self._owner.refusals(delivery.id),
            )
            outcome = replace(outcome, scope=scope)
        elif isinstance(outcome, Rejected) and outcome.forget_contact:
            recipient = find_recipient(sending.channel, handout)
            is_gone = sending.gate.believes_gone(recipient, sending.host)
            outcome = replace(outcome, forget_contact=is_gone)
        step = follow(
            outcome,
            attempts=number,
            idempotent=sending.channel.idempotent or delivery.operation != "send",
            now=now,
            expires_at=delivery.expires_at,
            age=now - handout.notification.accepted_at,
            dice=self._dice(),
            hold=hold,
        )
        tried = _attempt(delivery, number, outcome, started_at, now)
        self._metrics.attempted(
            delivery.channel,
            tried.outcome,
            now - started_at,
            max(0.0, started_at - delivery.due_at),
        )
        write = _log.debug if isinstance(step, Done) else _log.info
        told = {"outcome": tried.outcome, "status": tried.status, "reason": tried.reason}
        write("tried", **names_of(delivery), **told)
        caps = sending.caps if is_counted(outcome) else ()
        self._settle(handout, step, tried, caps)
        if isinstance(step, Hold) and step.scope == "channel":
            self.gate(delivery.channel).hold("suspended", step.until)
            self._owner.suspend(delivery.channel, step.until, step.reason)
        elif isinstance(outcome, Delivered) and sending.gate.absolve(sending.host):
            self._owner.lift(delivery.channel)

    def _heed(self, sending: Sending, outcome: Outcome) -> None:
        """Leave a provider alone that fails again and again."""
        channel, host = sending.handout.delivery.channel, sending.host
        until = sending.gate.learn(outcome, host, began=sending.began, dice=self._dice())
        if until is not None:
            seconds = round(until - self._clock(), 1)
            _log.warning("provider is left alone", host=host or "all", seconds=seconds)
            self._owner.rest(channel, host, until)

    def _settle(
        self,
        handout: Handout,
        step: Next,
        tried: Attempt | None = None,
        caps: tuple[Cap, ...] = (),
    ) -> None:
        self._owner.settle(
            Settlement(delivery=handout.delivery.id, attempt=tried, next=step, caps=caps)
        )


def _attempt(
    delivery: Delivery, number: int, outcome: Outcome, started_at: float, ended_at: float
) -> Attempt:
    return Attempt(
        delivery=delivery.id,
        number=number,
        started_at=started_at,
        ended_at=ended_at,
        outcome=str(outcome.__struct_config__.tag),
        status=outcome.status,
        handle=outcome.handle if isinstance(outcome, Delivered) else "",
        reason="" if isinstance(outcome, Delivered) else outcome.reason,
    )
