"""What a decision needs to know of the world, and what it changes there."""

from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from router.core.model.delivery_record import DeliveryRecord
from router.core.model.recipient_guard import NO_GUARD, RecipientGuard

Scalar = str | int | float | bool
"""A recipient's attribute as the API takes it."""


DeliveryProgress = Literal["waiting", "sending", "delivered"]
"""How far a delivery is that something later may find; one that may have arrived is delivered."""


class Device(Struct, frozen=True, kw_only=True):
    """The device behind a contact; the words are the app's and the plugin's own."""

    platform: str
    provider_id: str = ""
    locale: str = ""
    timezone: str = ""


class Contact(Struct, frozen=True, kw_only=True):
    """One address of a recipient; `kind` is the word a channel's `address_kind` asks for.

    `session` is what the addresses of one device share, where it is told: a hash of its login.
    `raw` is the text that was registered, and `country` what was assumed to read it, if anything.
    """

    id: str
    kind: str
    address: str
    device: Device | None = None
    session: str = ""
    uid: str = ""
    """Whose it is, where that may be somebody else than the notification's recipient."""
    raw: str = ""
    country: str = ""


class Recipient(Struct, frozen=True, kw_only=True):
    """Everything known of one recipient; `muted` maps conversations to an epoch second.

    `country` is where addresses are read that do not stand by themselves.
    """

    app_id: str
    uid: str
    contacts: tuple[Contact, ...] = ()
    attributes: dict[str, Scalar] = field(default_factory=dict)
    timezone: str = ""
    locale: str = ""
    muted: dict[str, float] = field(default_factory=dict)
    opt_outs: frozenset[str] = frozenset()
    is_guarded: bool = False
    """Whether nothing may go to them, whatever the rules say."""
    country: str = ""


def with_device_locale(recipient: Recipient, contact: Contact | None) -> Recipient:
    """Return a recipient as a contact of theirs has them: in a device's language, if it has one."""
    if contact is None or contact.device is None or not contact.device.locale:
        return recipient
    return replace(recipient, locale=contact.device.locale)


class OnceKey(Struct, frozen=True):
    """Names a step's message to a fixed address for all recipients of one event."""

    event: str
    rule: str
    step: int
    channel: str
    address: str


class CallEvent(Struct, frozen=True):
    """Something that happened to a call; an empty `uid` means everybody in it."""

    app_id: str
    session: str
    uid: str
    action: str


class ReadMarker(Struct, frozen=True):
    """How far somebody has read: the number of the last message (0: not told), and when."""

    message: int
    read_at: float


class WaitingSummary(Struct, frozen=True, kw_only=True):
    """A summary that waits for a throttle's window to close, and how many it stands for.

    `slot` names the step and where it goes to, so that nobody can read an address in it. `people`
    are those whom what it stands for came from, as marks.
    """

    slot: str
    delivery: str
    count: int
    due_at: float
    people: tuple[str, ...] = ()


class ThrottleWindow(Struct, frozen=True, kw_only=True):
    """A window of a throttle: when it closes, and how many notifications fell in so far.

    `events` are those that were let through, where many recipients share the window. Where there
    are summaries, `first` is the name of whoever opened it, and `people` those whom what was let
    through came from, as marks.
    """

    closes_at: float
    count: int = 0
    events: tuple[str, ...] = ()
    summaries: tuple[WaitingSummary, ...] = ()
    first: str = ""
    people: tuple[str, ...] = ()


class WindowUpdate(Struct, frozen=True, kw_only=True):
    """How a decision moves a counter; `before` is None where there was none."""

    key: str
    before: ThrottleWindow | None
    after: ThrottleWindow


class PriorDelivery(DeliveryRecord, frozen=True, kw_only=True):
    """A delivery that waits, is being sent or was, as an edit or the end of its call finds it.

    `named` says that the provider left a handle. `app_id` and `uid` are those of its notification.
    """

    app_id: str
    uid: str
    state: DeliveryProgress = "waiting"
    named: bool = False


class Cancellation(Struct, frozen=True, kw_only=True):
    """A delivery that waits, and does so no longer because of a decision."""

    delivery: str
    state: Literal["cancelled", "suppressed"]
    reason: str


class StateChanges(Struct, frozen=True, kw_only=True):
    """What a decision changes: once-keys taken, calls heard of, counters moved, what waits ended.

    `once` has each key with the delivery that holds it.
    """

    once: tuple[tuple[OnceKey, str], ...] = ()
    calls: tuple[CallEvent, ...] = ()
    counters: tuple[WindowUpdate, ...] = ()
    endings: tuple[Cancellation, ...] = ()


class DecisionState(Struct, kw_only=True):
    """The world as one batch of decisions sees it, read in bulk before the first of them.

    `calls` maps an app and a session to what was heard, as pairs of uid and action; `reads` an
    app, a uid and a conversation to how far that has been read.
    `counters` are by key (`throttle.find_keys`), those of closed windows too. `earlier` has, for
    what a batch edits, deletes or ends (its `topic`), the deliveries of it, by id.
    """

    recipients: dict[tuple[str, str], Recipient] = field(default_factory=dict)
    once: dict[OnceKey, str] = field(default_factory=dict)
    calls: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=dict)
    reads: dict[tuple[str, str, str], ReadMarker] = field(default_factory=dict)
    counters: dict[str, ThrottleWindow] = field(default_factory=dict)
    earlier: dict[str, dict[str, PriorDelivery]] = field(default_factory=dict)
    guard: RecipientGuard = NO_GUARD

    def recipient(self, app_id: str, uid: str) -> Recipient:
        """Return what is known of a recipient; one never heard of has no contacts."""
        stored = self.recipients.get((app_id, uid)) or Recipient(app_id=app_id, uid=uid)
        return stored if self.guard.permits(uid) else replace(stored, is_guarded=True)

    def heard(self, app_id: str, session: str, uid: str) -> set[str]:
        """Return the actions heard of a call that concern somebody."""
        events = self.calls.get((app_id, session), ())
        return {action for whose, action in events if whose in {"", uid}}

    def apply_changes(self, effects: StateChanges) -> None:
        """Let the next decision of the batch see what this one changed."""
        self.once.update(effects.once)
        for event in effects.calls:
            of_call = self.calls.setdefault((event.app_id, event.session), set())
            of_call.add((event.uid, event.action))
        for move in effects.counters:
            self.counters[move.key] = move.after
        for ending in effects.endings:
            for earlier in self.earlier.values():
                earlier.pop(ending.delivery, None)
