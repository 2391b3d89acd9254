"""Events of requests, accepted payloads and their decisions."""

from typing import Final

from router.telemetry.log_events.event import DELIVERY_FIELDS, LogEvent

PAYLOAD_EVENTS: Final = (
    LogEvent(
        "request refused",
        "warning",
        ("route", "status", "reason", "detail", "peer", "left_out"),
        "A webhook request, an API request without a valid key or a broken connection was refused. "
        "The first refusal is logged at once, its repeats as a number (`left_out`) every 10 s.",
        "401, 403: correct the credentials of the caller. 400: compare the body with the detail. "
        "413: the body is too large. 503: look at the database and the disk.",
    ),
    LogEvent(
        "request failed",
        "error",
        ("exception",),
        "A request was answered 500 because of an error that the router does not handle.",
        "Report the exception as a bug.",
    ),
    LogEvent(
        "clock ahead of CometChat",
        "warning",
        ("seconds",),
        "Payloads arrive more than 5 s after they were sent: this machine's clock is ahead, or "
        "they are delayed on the way. The router corrects the times by the difference.",
        "Set the clock by NTP. If it is right, look for delays between CometChat and the router.",
    ),
    LogEvent(
        "clock behind CometChat",
        "warning",
        ("seconds",),
        "Payloads arrive more than 5 s before they were sent: this machine's clock is behind. The "
        "router corrects the times by the difference.",
        "Set the clock by NTP.",
    ),
    LogEvent(
        "classification failed",
        "warning",
        ("notification", "error"),
        "An entry of `classify` could not be applied; the notification keeps what CometChat says.",
        "Correct the entry; `router explain` shows it for the payload.",
    ),
    LogEvent(
        "template rendering failed",
        "warning",
        (*DELIVERY_FIELDS, "rule", "count"),
        "Templates of a message failed. It goes out without their texts; title and body are then "
        "those of the payload.",
        "Correct the templates of the rule; `router explain` shows the error for the payload.",
    ),
    LogEvent(
        "planning failed, retrying",
        "error",
        ("notification", "reason"),
        "The decision for a notification raised an error; it is tried three times.",
        "Report it as a bug, with the rules and the payload.",
    ),
    LogEvent(
        "planning failed, giving up",
        "error",
        ("notification", "reason"),
        "The decision for a notification raised an error three times. The notification is "
        "`undecidable`, and listed with the dead letters.",
        "Report it as a bug; then `router dead retry` decides it again.",
    ),
    LogEvent(
        "rule counts not written, retrying",
        "warning",
        ("error",),
        "The database did not take the counts of `router rules stats`; they are kept in memory.",
        "If it repeats, look at the database.",
    ),
)
