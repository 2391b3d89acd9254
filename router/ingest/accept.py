"""Accepting a payload: decode it, name it, put it on disk."""

import random
import time
from collections.abc import Callable

import structlog

from router.core.errors import PayloadError
from router.core.model.notification import DAY_S, Notification, derive
from router.core.model.payload import Json, decode, kept_body, scalar
from router.core.model.read_receipt import read_event
from router.ingest.clock_skew import WARN_ABOVE_S, ClockSkew
from router.queue.ports import AcceptedPayload, Journal, JournalUnavailable, Receipt
from router.store.schema.ids import IdGenerator
from router.telemetry import Metrics

IDEMPOTENCY_WINDOW_S = DAY_S
"""Seconds for which the same payload again is a repeat."""

DIGEST_IDEMPOTENCY_WINDOW_S = 50.0
"""The same for a digest that names no messages: an equal one may lawfully follow in a minute."""


_log = structlog.get_logger(__name__)


class PayloadAcceptor:
    """The way in: what it has answered with a receipt is on disk."""

    def __init__(  # noqa: PLR0913 - what it works on, its clocks and dice, who is told
        self,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
        accepted: Callable[[Notification], None] = lambda _: None,
        metrics: Metrics | None = None,
    ) -> None:
        """Accept into a journal, and tell `accepted` of each new notification."""
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._steady = steady
        self._skew = ClockSkew()
        self._is_off = False
        self._minter = IdGenerator(dice)
        self._accepted = accepted

    async def accept(self, body: bytes) -> Receipt:
        """Return the receipt of a payload once it is durable; of a repeat, the first one's id.

        Raises `PayloadError` for a body that is no payload, `JournalUnavailable` when it could
        not be made durable in time.
        """
        began = time.perf_counter()
        try:
            payload = decode(body)
        except PayloadError:
            self._count("", "", "invalid", began)
            raise
        now, steady = self._clock(), self._steady()
        notification = derive(
            payload,
            id=self._minter.mint(now),
            accepted_at=now,
            skew=self._skew.believed(now, steady),
        )
        entry = AcceptedPayload(
            notification=notification,
            body=kept_body(body, payload),
            window=window_of(notification),
        )
        try:
            receipt = await self._journal.append(entry)
        except JournalUnavailable:
            self._count(notification.feed, notification.kind, "unavailable", began)
            raise
        result = "duplicate" if receipt.duplicate else "accepted"
        self._count(notification.feed, notification.kind, result, began)
        if not receipt.duplicate:
            self._accepted(notification)
            if notification.sent_at is not None:
                self._compare_clocks(notification.sent_at, now, steady)
        return receipt

    async def record_read_receipt(self, body: bytes) -> bool:
        """Return whether a general webhook's body was of use, once what it says is durable.

        Raises `PayloadError` for a body that is none, `JournalUnavailable` as `accept` does.
        """
        event = read_event(body)
        if event.receipt is not None:
            await self._journal.record_read_receipt(event.receipt, now=self._clock())
        is_heard = event.receipt is not None
        if self._metrics is not None:
            self._metrics.record_event(event.trigger, "accepted" if is_heard else "ignored")
        return is_heard

    def skew(self) -> float:
        """Return the seconds to add to a `sentAt` before it is held against the clock here."""
        return self._skew.believed(self._clock(), self._steady())

    def _compare_clocks(self, sent_at: float, now: float, steady: float) -> None:
        """Show the skew, and warn when it becomes remarkable."""
        self._skew.observe(sent_at, now, steady)
        skew = self._skew.measured(now, steady)
        if self._metrics is not None:
            self._metrics.set_clock_skew(skew)
        is_off = abs(skew) > WARN_ABOVE_S
        if is_off and not self._is_off:
            if skew > 0:
                _log.warning("clock ahead of CometChat", seconds=round(skew, 1))
            else:
                _log.warning("clock behind CometChat", seconds=round(-skew, 1))
        self._is_off = is_off

    def _count(self, feed: str, kind: str, result: str, began: float) -> None:
        if self._metrics is not None:
            self._metrics.record_accepted(feed, kind, result, time.perf_counter() - began)


def window_of(notification: Notification) -> float:
    """Return the seconds for which the same payload again is a repeat."""
    if notification.kind != "digest":
        return IDEMPOTENCY_WINDOW_S
    messages = notification.data.get("messages")
    is_named = isinstance(messages, list) and messages and all(map(_has_id, messages))
    return IDEMPOTENCY_WINDOW_S if is_named else DIGEST_IDEMPOTENCY_WINDOW_S


def _has_id(entry: Json) -> bool:
    if not isinstance(entry, dict):
        return False
    return any(isinstance(part, dict) and scalar(part.get("id")) for part in entry.values())
