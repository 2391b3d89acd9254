"""What the gates and the queue know of channels that are held, kept the same."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from router.queue.ports import ALL_CHANNELS, Cause, Queue
from router.telemetry import Metrics
from router.worker.outbox import Outbox

_SUSPENDED: tuple[Cause, ...] = ("suspended",)

_log = structlog.get_logger("router.worker")


class Key(NamedTuple):
    """What is held, and why; no host stands for the whole channel."""

    channel: str
    cause: Cause
    host: str = ""


class Holds:
    """Holds found here are told to the queue, and those of the queue put into the gates.

    The queue is shared: other workers, and operators, hold channels and let them go on.
    """

    def __init__(
        self, queue: Queue, outbox: Outbox, metrics: Metrics, *, clock: Callable[[], float]
    ) -> None:
        self._queue = queue
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._untold: dict[Key, float] = {}
        self._renewed: set[str] = set()
        self._lifted: set[str] = set()
        self._shown: set[tuple[str, Cause]] = set()
        self._suspended: set[str] = set()
        self.is_known = False
        """Whether the holds of the queue have been read since the start."""
        self.is_stopped = False
        """Whether an operator holds all channels."""

    def note(
        self, channel: str, cause: Cause, until: float, host: str = "", *, reason: str = ""
    ) -> None:
        """Take up a hold that the queue does not know of yet."""
        key = Key(channel, cause, host)
        self._untold[key] = max(until, self._untold.get(key, until))
        if cause == "suspended":
            self._lifted.discard(channel)
            self._report_suspension(channel, until, reason)

    def lift(self, channel: str) -> None:
        """End the suspension of a channel that turned out to serve."""
        self._lifted.add(channel)

    def forget(self, channel: str, cause: Cause) -> None:
        """Note that the queue has heard of a hold by another way."""
        self._untold.pop(Key(channel, cause), None)

    def renew(self, channels: Iterable[str]) -> None:
        """Let channels go on that their own trouble holds."""
        self._renewed.update(channels)

    async def tell(self) -> None:
        """Tell the queue what it does not know."""
        for channel in list(self._renewed):
            for key in [key for key in self._untold if key.channel == channel]:
                del self._untold[key]
            await self._queue.resume(channel, causes=("suspended", "open"))
            self._outbox.gate(channel).renew()
            self._renewed.discard(channel)
        for channel in list(self._lifted):
            if Key(channel, "suspended") not in self._untold:  # else it is not written yet
                await self._queue.resume(channel, causes=_SUSPENDED)
                self._outbox.gate(channel).lift()
                self._lifted.discard(channel)
        for key, until in list(self._untold.items()):
            if key.cause == "open":
                await self._queue.pause(key.channel, cause=key.cause, until=until, host=key.host)
                if self._untold.get(key) == until:
                    del self._untold[key]

    async def learn(self) -> list[str]:
        """Hold what the queue holds; return the deliveries in memory that must not be sent now."""
        now = self._clock()
        self._untold = {key: until for key, until in self._untold.items() if until > now}
        known = dict(self._untold)
        for held in await self._queue.holds(now=now):
            key = Key(held.channel, held.cause, held.host)
            known[key] = max(held.until, known.get(key, held.until))
        known |= self._untold  # noted while the queue was asked
        self._stop(stopped=any(key.channel == ALL_CHANNELS for key in known))
        everywhere = {k.cause: until for k, until in known.items() if k.channel == ALL_CHANNELS}
        known = {key: until for key, until in known.items() if key.channel != ALL_CHANNELS}
        causes: defaultdict[str, dict[Cause, float]] = defaultdict(lambda: dict(everywhere))
        hosts: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for key, until in known.items():
            if key.host:
                hosts[key.channel][key.host] = until
            else:
                causes[key.channel][key.cause] = until
        unsent: list[str] = []
        for channel in {*causes, *hosts, *self._outbox.channels}:
            gate = self._outbox.gate(channel)
            gate.hold_only(causes[channel], hosts[channel])
            if gate.held():
                unsent += self._outbox.clear(channel)
        self._show({(channel, cause) for channel, held in causes.items() for cause in held})
        self._report_changes(known)
        self.is_known = True
        return unsent

    def _stop(self, *, stopped: bool) -> None:
        """Note that an operator holds all channels, or does so no longer."""
        if stopped and not self.is_stopped:
            _log.warning("sending stopped by an operator")
        elif self.is_stopped and not stopped:
            _log.warning("sending started again by an operator")
        self.is_stopped = self._outbox.is_stopped = stopped

    def _report_changes(self, known: Mapping[Key, float]) -> None:
        """Log suspensions that others found, and channels that are suspended no more."""
        for channel in self._outbox.channels:
            if (until := known.get(Key(channel, "suspended"))) is not None:
                self._report_suspension(channel, until, "found before, or by another process")
            elif channel in self._suspended and not self._outbox.gate(channel).is_suspended:
                self._suspended.discard(channel)
                _log.info("channel resumed", channel=channel)

    def _report_suspension(self, channel: str, until: float, reason: str) -> None:
        """Log a suspension once, not each time that a probe makes it longer."""
        if channel in self._suspended:
            return
        self._suspended.add(channel)
        end = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
        _log.error("channel suspended", channel=channel, reason=reason, until=end)

    def _show(self, held: set[tuple[str, Cause]]) -> None:
        for channel, cause in held ^ self._shown:
            self._metrics.held(channel, cause, held=(channel, cause) in held)
        self._shown = held
