"""What the gates and the queue know of channels that are held, kept the same."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from router.queue.ports import ALL_CHANNELS, Cause, Queue
from router.telemetry import Metrics
from router.worker.outbox import Dispatcher

_SUSPENDED: tuple[Cause, ...] = ("suspended",)

_log = structlog.get_logger(__name__)


class HoldKey(NamedTuple):
    """What is held, and why; no host stands for the whole channel."""

    channel: str
    cause: Cause
    host: str = ""


class HoldSynchronizer:
    """Holds found here are told to the queue, and those of the queue put into the gates.

    The queue is shared: other workers, and operators, hold channels and let them go on.
    """

    def __init__(
        self, queue: Queue, dispatcher: Dispatcher, metrics: Metrics, *, clock: Callable[[], float]
    ) -> None:
        self._queue = queue
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._clock = clock
        self._unpushed: dict[HoldKey, float] = {}
        self._renewed: set[str] = set()
        self._lifted: set[str] = set()
        self._reported: set[tuple[str, Cause]] = set()
        self._suspended: set[str] = set()
        self.is_known = False
        """Whether the holds of the queue have been read since the start."""
        self.is_stopped = False
        """Whether an operator holds all channels."""

    def add_hold(
        self, channel: str, cause: Cause, until: float, host: str = "", *, reason: str = ""
    ) -> None:
        """Take up a hold that the queue does not know of yet."""
        key = HoldKey(channel, cause, host)
        self._unpushed[key] = max(until, self._unpushed.get(key, until))
        if cause == "suspended":
            self._lifted.discard(channel)
            self._log_suspension(channel, until, reason)

    def end_suspension(self, channel: str) -> None:
        """End the suspension of a channel that turned out to serve."""
        self._lifted.add(channel)

    def discard_hold(self, channel: str, cause: Cause) -> None:
        """Note that the queue has heard of a hold by another way."""
        self._unpushed.pop(HoldKey(channel, cause), None)

    def reset(self, channels: Iterable[str]) -> None:
        """Let channels go on that their own trouble holds."""
        self._renewed.update(channels)

    async def push_holds(self) -> None:
        """Tell the queue what it does not know."""
        for channel in list(self._renewed):
            for key in [key for key in self._unpushed if key.channel == channel]:
                del self._unpushed[key]
            await self._queue.resume(channel, causes=("suspended", "open"))
            self._dispatcher.gate(channel).reset()
            self._renewed.discard(channel)
        for channel in list(self._lifted):
            if HoldKey(channel, "suspended") not in self._unpushed:  # else it is not written yet
                await self._queue.resume(channel, causes=_SUSPENDED)
                self._dispatcher.gate(channel).end_suspension()
                self._lifted.discard(channel)
        for key, until in list(self._unpushed.items()):
            if key.cause == "open":
                await self._queue.pause(key.channel, cause=key.cause, until=until, host=key.host)
                if self._unpushed.get(key) == until:
                    del self._unpushed[key]

    async def pull_holds(self) -> list[str]:
        """Hold what the queue holds; return the deliveries in memory that must not be sent now."""
        now = self._clock()
        self._unpushed = {key: until for key, until in self._unpushed.items() if until > now}
        holds = dict(self._unpushed)
        for hold in await self._queue.holds(now=now):
            key = HoldKey(hold.channel, hold.cause, hold.host)
            holds[key] = max(hold.until, holds.get(key, hold.until))
        holds |= self._unpushed  # noted while the queue was asked
        self._set_stopped(stopped=any(key.channel == ALL_CHANNELS for key in holds))
        everywhere = {k.cause: until for k, until in holds.items() if k.channel == ALL_CHANNELS}
        holds = {key: until for key, until in holds.items() if key.channel != ALL_CHANNELS}
        causes: defaultdict[str, dict[Cause, float]] = defaultdict(lambda: dict(everywhere))
        hosts: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for key, until in holds.items():
            if key.host:
                hosts[key.channel][key.host] = until
            else:
                causes[key.channel][key.cause] = until
        unsent: list[str] = []
        for channel in {*causes, *hosts, *self._dispatcher.channels}:
            gate = self._dispatcher.gate(channel)
            gate.replace_holds(causes[channel], hosts[channel])
            if gate.is_held():
                unsent += self._dispatcher.clear(channel)
        self._update_metrics(
            {(channel, cause) for channel, hold in causes.items() for cause in hold}
        )
        self._log_changes(holds)
        self.is_known = True
        return unsent

    def _set_stopped(self, *, stopped: bool) -> None:
        """Note that an operator holds all channels, or does so no longer."""
        if stopped and not self.is_stopped:
            _log.warning("sending stopped by operator")
        elif self.is_stopped and not stopped:
            _log.warning("sending resumed by operator")
        self.is_stopped = self._dispatcher.is_stopped = stopped

    def _log_changes(self, holds: Mapping[HoldKey, float]) -> None:
        """Log suspensions that others found, and channels that are suspended no more."""
        for channel in self._dispatcher.channels:
            if (until := holds.get(HoldKey(channel, "suspended"))) is not None:
                self._log_suspension(
                    channel, until, "suspended before this start, or by another process"
                )
            elif channel in self._suspended and not self._dispatcher.gate(channel).is_suspended:
                self._suspended.discard(channel)
                _log.info("channel resumed", channel=channel)

    def _log_suspension(self, channel: str, until: float, reason: str) -> None:
        """Log a suspension once, not each time that a probe makes it longer."""
        if channel in self._suspended:
            return
        self._suspended.add(channel)
        end = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
        _log.error("channel suspended", channel=channel, reason=reason, until=end)

    def _update_metrics(self, held: set[tuple[str, Cause]]) -> None:
        for channel, cause in held ^ self._reported:
            self._metrics.set_hold(channel, cause, held=(channel, cause) in held)
        self._reported = held
