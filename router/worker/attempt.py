"""One try: a channel asked once to send, and whatever it does made an outcome."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from router.core.errors import AddressError
from router.core.model.address import name_address_fault
from router.core.model.delivery import Attempt, Delivery
from router.core.model.message import Message
from router.core.model.outcome import Delivered, Outcome, Rejected, Retry, Suspend, Unknown
from router.core.model.retry import Again, Done, Hold, NextStep, asked_wait
from router.redaction import Redactor
from router.telemetry import describe_exception

TIMEOUT_MARGIN_S = 1.0
"""Seconds beyond its own timeout that a channel gets to say what became of the send."""
MAX_TEXT_LENGTH = 500
LAST_EPOCH_S = 1e11
"""An epoch second that no clock will see."""

_log = structlog.get_logger(__name__)


async def attempt_send(
    transmit: Callable[[Message], Awaitable[Outcome]],
    message: Callable[[], Message],
    redactor: Redactor,
    *,
    seconds: float,
) -> Outcome:
    """Return what one try came to, with neither a secret nor the address in its words.

    What the channel raises is a `Retry` that names the type alone, because the text may hold
    anything; no answer in time is `Unknown`. An `AddressError` of `message` is `Rejected`. Only a
    cancellation of this task gets through.
    """
    address = ""
    limit = seconds + TIMEOUT_MARGIN_S
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            try:
                rendered = message()
            except AddressError as fault:
                return Rejected(reason=name_address_fault(str(fault)))
            address = rendered.address
            outcome = await transmit(rendered)
    except asyncio.CancelledError as fault:
        if _is_cancelled():
            raise
        return _retry_after_exception(fault)
    except TimeoutError as fault:
        return (
            Unknown(reason=f"no answer in {limit:g} s")
            if deadline.expired()
            else _retry_after_exception(fault)
        )
    except BaseException as fault:  # noqa: BLE001 - SystemExit and KeyboardInterrupt would end the loop
        return _retry_after_exception(fault)
    if not isinstance(outcome, Delivered | Retry | Rejected | Unknown | Suspend):
        return Retry(reason=f"answered {type(outcome).__name__}, which is not an outcome")  # type: ignore[unreachable]  # a plugin may not be typed
    return _to_storable(redactor.mask_outcome(_with_text_reason(outcome), address))


def _with_text_reason(outcome: Outcome) -> Outcome:
    """Return the outcome with words that are texts; a plugin may not be typed."""
    name = "handle" if isinstance(outcome, Delivered) else "reason"
    return msgspec.structs.replace(outcome, **{name: str(getattr(outcome, name))})


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _retry_after_exception(fault: BaseException) -> Retry:
    _log.error("exception in channel plugin", **describe_exception(fault))
    return Retry(reason=f"raised {type(fault).__name__}")


def _to_storable(outcome: Outcome) -> Outcome:
    """Return the outcome with texts and numbers that any database takes."""
    status = outcome.status if isinstance(outcome.status, int) else None
    changes: dict[str, object] = {
        "status": status if status is not None and 0 <= status < 1000 else None  # noqa: PLR2004 - three digits
    }
    if isinstance(outcome, Delivered):
        changes["handle"] = _bounded_text(outcome.handle)
    else:
        changes["reason"] = _bounded_text(outcome.reason)
    if isinstance(outcome, Retry | Suspend):
        changes["after"] = asked_wait(outcome)
    if isinstance(outcome, Retry):
        changes["throttled"] = outcome.throttled is True
    if isinstance(outcome, Suspend):
        changes["scope"] = "recipient" if outcome.scope == "recipient" else "channel"
    if isinstance(outcome, Rejected):
        changes["dead_since"] = _bounded_epoch(outcome.dead_since)
    return msgspec.structs.replace(outcome, **changes)


def _bounded_epoch(value: object) -> float | None:
    """Return a plugin's epoch second as a number that any database takes, None for no time."""
    if not isinstance(value, int | float) or not -math.inf < value < math.inf:
        return None
    return float(min(max(value, 0), LAST_EPOCH_S))


def _bounded_text(words: str) -> str:
    return words[:MAX_TEXT_LENGTH].replace("\0", "\ufffd")


def make_attempt(
    delivery: Delivery, number: int, outcome: Outcome, started_at: float, ended_at: float
) -> Attempt:
    """Return the record of an attempt, the `number`th of its delivery; times are epoch seconds."""
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


def log_attempt(delivery: Delivery, attempt: Attempt, step: NextStep, now: float) -> None:
    """Log the outcome of an attempt, and the time until the next one."""
    if isinstance(step, Done):
        _log.debug("delivery sent", **log_fields(delivery), status=attempt.status)
    elif isinstance(step, Again | Hold):
        retry_at = step.at if isinstance(step, Again) else step.until
        _log.info(
            "delivery retry scheduled",
            **log_fields(delivery),
            outcome=attempt.outcome,
            status=attempt.status,
            reason=attempt.reason,
            seconds=round(retry_at - now, 1),
        )
    else:
        _log.info(
            "delivery attempt failed",
            **log_fields(delivery),
            outcome=attempt.outcome,
            status=attempt.status,
            reason=attempt.reason,
        )


def log_fields(delivery: Delivery) -> dict[str, str]:
    """Return what every log line about a delivery carries."""
    return {
        "notification": delivery.notification,
        "delivery": delivery.id,
        "channel": delivery.channel,
    }
