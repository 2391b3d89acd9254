"""What makes a waiting delivery needless: `unless`, bound to one notification.

Pure, so that the database and a story in virtual time ask the same question: `cancel_reason` says
whether it holds, `is_released` whether what it waits for has ended, `keys` what to be told of.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import chain

from msgspec import Struct

from router.core.model.call import OVER
from router.core.model.facts import DecisionState
from router.core.model.notification import Notification, is_ring

CALL_OVER = "call_over"
"""Why a ring is not sent any more, and why one that comes late is dropped."""

BY_OPERATOR = "operator"
"""Why a delivery is cancelled that an operator did not want to go out."""

_REASON_PREFIX = "unless: "
MAX_KEY_LENGTH = 120
"""Characters of the longest key, and of the longest id of a message."""
_DIGITS = 18
"""Digits of the longest message id that counts as a number; 64 bits hold it."""

EndStates = Mapping[str, bool]
"""The deliveries that have ended, each with whether that makes what waits for it needless."""


class WaitClause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What must be so at once: a channel's delivery was taken, it was read, one of `call` heard."""

    delivered: str = ""
    read: bool = False
    call: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as the log says it."""
        call = "over" if set(self.call) >= set(OVER) else " or ".join(self.call)
        parts = (
            f"delivered {self.delivered}" if self.delivered else "",
            "read" if self.read else "",
            f"call {call}" if call else "",
        )
        return ", ".join(filter(None, parts))


class WaitCondition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a waiting delivery wants to hear of; any of `clauses` makes it needless.

    `message` is the id of the message it tells of, `sent_at` CometChat's time of it (epoch
    seconds). `awaited` maps channels to the deliveries a clause means. One that `stands_by` goes
    as soon as all of those have ended, but not before `earliest`. A `ring` is needless when the
    call is over, whatever the clauses say.
    """

    clauses: tuple[WaitClause, ...] = ()
    app_id: str
    uid: str
    session: str = ""
    conversation: str = ""
    message: str = ""
    sent_at: float = 0.0
    awaited: dict[str, tuple[str, ...]] = {}
    stands_by: bool = False
    earliest: float = 0.0
    ring: bool = False

    def all_awaited(self) -> Iterator[str]:
        """Yield the deliveries whose end it wants to hear of."""
        return chain.from_iterable(self.awaited.values())


def bind_wait_condition(
    clauses: tuple[WaitClause, ...], notification: Notification, *, is_late: bool
) -> WaitCondition | None:
    """Return what a delivery of the notification watches; None where nothing makes it needless.

    One that `is_late` has a time of its own to go, and stands by for no other.
    """
    session = notification.session
    ring = bool(session) and is_ring(notification)
    if not clauses and not ring:
        return None
    sent_at = notification.sent_at
    return WaitCondition(
        clauses=clauses,
        app_id=notification.app_id,
        uid=notification.uid,
        session=session,
        conversation=notification.conversation,
        message=_message(notification),
        sent_at=notification.accepted_at if sent_at is None else sent_at,
        stands_by=not is_late and any(clause.delivered for clause in clauses),
        ring=ring,
    )


def cancel_reason(watch: WaitCondition, facts: DecisionState, ends: EndStates) -> str:
    """Return why a delivery is needless, empty while it is not."""
    actions = facts.heard(watch.app_id, watch.session, watch.uid)
    for clause in watch.clauses:
        if (
            (not clause.delivered or _is_taken(watch, clause.delivered, ends))
            and (not clause.read or _is_read(watch, facts))
            and (not clause.call or not actions.isdisjoint(clause.call))
        ):
            return f"{_REASON_PREFIX}{clause}"
    return CALL_OVER if watch.ring and actions else ""


def is_released(watch: WaitCondition, ends: EndStates) -> bool:
    """Return whether a delivery that stands by need wait no longer."""
    return watch.stands_by and all(id_ in ends for id_ in watch.all_awaited())


def makes_needless(state: str, reason: str) -> bool:
    """Return whether the end of a delivery makes needless what waits for it.

    It was delivered, or was needless itself: what stands in for a stand-in is not needed either.
    Nor is the stand-in of a message that an operator cancelled: the recipient is not to get it.
    """
    return state == "delivered" or (
        state == "cancelled"
        and (reason in {CALL_OVER, BY_OPERATOR} or reason.startswith(_REASON_PREFIX))
    )


def keys(watch: WaitCondition) -> tuple[str, ...]:
    """Return the keys of the events that can make a delivery needless, or let it go."""
    return tuple(dict.fromkeys(_keys(watch)))


def _keys(watch: WaitCondition) -> Iterator[str]:
    if watch.session and (watch.ring or any(clause.call for clause in watch.clauses)):
        yield call_key(watch.app_id, watch.session)
    if any(clause.read for clause in watch.clauses):
        yield read_key(watch.app_id, watch.uid, watch.conversation)
        if watch.message:
            yield read_key(watch.app_id, watch.uid, place_of(watch.message))
    yield from map(end_key, watch.all_awaited())


def call_key(app_id: str, session: str) -> str:
    """Return the key of everything that is heard of a call."""
    return _shorten(f"call:{app_id}/{session}")


def read_key(app_id: str, uid: str, conversation: str) -> str:
    """Return the key of a recipient's reading of a conversation."""
    return _shorten(f"read:{app_id}/{uid}/{conversation}")


def end_key(delivery: str) -> str:
    """Return the key of a delivery's end."""
    return f"end:{delivery}"


def place_of(message: str) -> str:
    """Return what stands for the conversation of a message of which nobody told it."""
    return f"#{message}"


def number(message: str) -> int:
    """Return a message's id as a number, which grows with time; 0 for one that is none."""
    is_one = message.isascii() and message.isdecimal() and len(message) <= _DIGITS
    return int(message) if is_one else 0


def _is_taken(watch: WaitCondition, channel: str, ends: EndStates) -> bool:
    return any(ends.get(id_, False) for id_ in watch.awaited.get(channel, ()))


def _is_read(watch: WaitCondition, facts: DecisionState) -> bool:
    mark = facts.reads.get((watch.app_id, watch.uid, watch.conversation))
    this = number(watch.message)
    if mark is not None and (mark.message >= this > 0 or mark.read_at >= watch.sent_at):
        return True
    return (watch.app_id, watch.uid, place_of(watch.message)) in facts.reads


def _message(notification: Notification) -> str:
    """Return the id of the message that was sent; empty for a later edit or reaction."""
    return notification.message_id[:MAX_KEY_LENGTH] if notification.kind == "message" else ""


def _shorten(key: str) -> str:
    if len(key) <= MAX_KEY_LENGTH:
        return key
    kind, _, name = key.partition(":")
    return f"{kind}:{blake2b(name.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
