"""The two ports behind which everything waits; any engine passes the same conformance suite."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol, get_args, runtime_checkable

from msgspec import Struct

from router.core.model.daily_cap import Cap
from router.core.model.delivery import Attempt, Delivery
from router.core.model.facts import StateChanges
from router.core.model.notification import Notification
from router.core.model.read_receipt import ReadReceipt
from router.core.model.retry import NextStep

Cause = Literal["suspended", "open", "paused", "stopped", "cap"]
"""Why a channel is held: its own trouble, its breaker, an operator, alone or with all others, or
its daily cap."""

CAUSES: tuple[Cause, ...] = get_args(Cause)

ALL_CHANNELS = "*"
"""The name under which every channel is held, those that are configured later too."""

LEASE_S = 30.0
"""Seconds a delivery is handed out for; who sends it extends the lease at half-time."""


class JournalUnavailable(Exception):  # noqa: N818 - it names a state of the journal
    """The notification could not be made durable in time; the sender should come again."""


class AcceptedPayload(Struct, frozen=True, kw_only=True):
    """An accepted payload: its notification and the body as kept (redacted).

    `window` is how many seconds a repeat counts as the same.
    """

    notification: Notification
    body: bytes
    window: float


class Receipt(Struct, frozen=True, kw_only=True):
    """What `append` answers; of a duplicate, `id` is the first one's."""

    id: str
    duplicate: bool


class Plan(Struct, frozen=True, kw_only=True):
    """What the planner settled for one notification, written in one piece.

    `decided_at` is an epoch second. `state` is `pending` when a delivery is open, `dropped` when
    there is none to send, `undelivered` when all were suppressed, `undecidable` when deciding
    failed for good. `classified` is the notification's.
    """

    notification: str
    decided_at: float
    state: Literal["pending", "dropped", "undelivered", "undecidable"]
    reason: str = ""
    version: str
    matched: tuple[str, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    effects: StateChanges = StateChanges()
    classified: dict[str, str] = {}


class PlanResults(Struct, frozen=True, kw_only=True):
    """What became of plans: the deliveries now leased to the caller, and why plans were refused.

    `stale` are the notifications to be decided again, since another process got in between;
    `refused` maps those whose plans cannot be written to the reason.
    """

    leased: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    refused: dict[str, str] = {}


class Journal(Protocol):
    """Accepted notifications that no plan has been made for."""

    async def append(self, entry: AcceptedPayload) -> Receipt:
        """Return once the entry is on disk, or at once with the id of its first.

        Raises `JournalUnavailable` when it could not be made durable; the entry may still
        be there, and a repeat is then a duplicate.
        """

    async def unplanned(self, *, after: str, limit: int) -> Sequence[Notification]:
        """Return accepted notifications without a plan, oldest first, with ids above `after`."""

    async def settle(self, plans: Sequence[Plan]) -> PlanResults:
        """Write the plans with their deliveries and effects, each in one piece.

        A delivery planned as `sending` is leased to the caller, unless another one in the same
        lane is being sent or due: then it is written as `waiting`. A plan for a notification
        that already has one, or is gone, is not written. One is stale, and not written, when a
        once-key of it has been taken meanwhile, a counter of it moved, or what it ends no longer
        waits; and while an earlier notification of the same recipient has no plan, and is not
        planned here; urgent ones do not wait for that. Raises `JournalUnavailable` when nothing
        of it may be durable.
        """

    async def record_read_receipt(self, receipt: ReadReceipt, *, now: float) -> None:
        """Return once it is on disk who read what, and what that makes needless is cancelled.

        Raises `JournalUnavailable` when nothing of it may be durable.
        """


class Capacity(Struct, frozen=True, kw_only=True):
    """How many deliveries of a channel can be taken: `slots` in all, `non_urgent` not urgent.

    Urgent ones are taken first, unless the room is for a probe: that may well fail, and a call
    rings for too short a time to be tried again, so that one is taken only if nothing else waits.
    A lane that was refused, and not served since, is probed after all others.
    """

    slots: int
    non_urgent: int
    probes: bool = False


class Lease(Struct, frozen=True, kw_only=True):
    """A delivery handed out until `until` (epoch seconds).

    `refusals` is how many times its lane was refused, and not served since.
    """

    delivery: str
    channel: str
    until: float
    refusals: int = 0


class Settlement(Struct, frozen=True, kw_only=True):
    """What became of a leased delivery: the attempt made and what follows it.

    A `Hold` leaves the delivery its place in line and holds its lane. After an attempt that is a
    refusal of the lane, and with `scope="channel"` it holds the channel too, and what was held
    for refusals is held no longer than that. The attempt counts against each of the `caps`.
    """

    delivery: str
    attempt: Attempt | None
    next: NextStep
    caps: tuple[Cap, ...] = ()


class DailyCount(Struct, frozen=True, kw_only=True):
    """The sends of a channel or an app on one day, and the cap that was in force last.

    A cap that an operator `lifted` holds nothing for the rest of the day.
    """

    cap: Cap
    count: int
    lifted: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the cap holds what is still to be sent."""
        return 0 < self.cap.limit <= self.count and not self.lifted


class ChannelHold(Struct, frozen=True, kw_only=True):
    """A cause that holds a channel until a time (epoch seconds; infinity: until resumed).

    With a `host` it holds only what goes there.
    """

    channel: str
    cause: Cause
    host: str = ""
    until: float


class ChannelStats(Struct, frozen=True, kw_only=True):
    """How many deliveries of a channel are due, waiting for a later time, or being sent."""

    due: int = 0
    waiting: int = 0
    sending: int = 0
    oldest_due_at: float | None = None


@runtime_checkable
class Queue(Protocol):
    """Deliveries with a due time; it speaks in ids, the rows are read apart."""

    async def claim(
        self, *, now: float, until: float, limit: int, room: Mapping[str, Capacity] | None = None
    ) -> Sequence[Lease]:
        """Lease due deliveries of channels not held, urgent ones first, then oldest first.

        At most one delivery per channel and `Delivery.lane` is leased at a time. With `room`,
        channels not named in it are left alone, the others give no more than they have room for.
        Deliveries whose lease ran out are due again, with one more hand-out; after the last
        one they are dead: `crash_loop`. Those past their expiry become `expired`, those whose
        contact is gone `cancelled`.
        """

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[str]:
        """Write attempts and what follows, in one piece; return ids whose lease was lost.

        Of a lost lease nothing is written, unless the delivery is open and turns out delivered.
        """

    async def extend(self, ids: Sequence[str], *, until: float) -> None:
        """Keep leased deliveries longer."""

    async def release(self, ids: Sequence[str]) -> None:
        """Hand leased deliveries back unsent, due at once; those cancelled meanwhile end."""

    async def recalled(self) -> Sequence[str]:
        """Return those leased to this process that an operator cancelled since.

        Whoever holds them sends none that it has not begun to send, and settles it as cancelled.
        One that is being sent already goes out; it is not tried again.
        """

    async def pause(self, channel: str, *, cause: Cause, until: float, host: str = "") -> None:
        """Hold a channel, or one host of it, for a cause until a time; the later wins.

        A host that is held is shown by `holds`; who sends keeps away from it by `Hold`. With the
        name `ALL_CHANNELS` nothing is claimed of any channel.
        """

    async def resume(self, channel: str, *, causes: Collection[Cause] = CAUSES) -> None:
        """End what holds a channel, its hosts and its lanes for these causes.

        Lanes are held for the cause `open`: their hosts, and refusals. A cap that is reached is
        lifted for the rest of the day.
        """

    async def holds(self, *, now: float) -> Sequence[ChannelHold]:
        """Return the causes in force."""

    async def daily_counts(self, *, now: float) -> Sequence[DailyCount]:
        """Return how many sends counted against caps on the day of `now`."""

    async def set_cap(self, cap: Cap, *, now: float) -> None:
        """Replace the cap of a channel or an app that has counted sends on the day of `now`.

        Where an app's cap is not reached any more, its deliveries that wait for it are due again.
        """

    async def stats(self, *, now: float) -> dict[str, ChannelStats]:
        """Return counts by channel."""
