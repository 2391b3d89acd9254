"""Events of deliveries and their attempts, and of what holds channels."""

from typing import Final

from router.telemetry.log_events.event import DELIVERY_FIELDS, NOTHING_TO_DO, LogEvent

_ATTEMPT = ("outcome", "status", "reason")

DELIVERY_EVENTS: Final = (
    LogEvent(
        "delivery sent",
        "debug",
        (*DELIVERY_FIELDS, "status"),
        "The provider has taken the message.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "delivery retry scheduled",
        "info",
        (*DELIVERY_FIELDS, *_ATTEMPT, "seconds"),
        "An attempt did not succeed; the next one follows after so many seconds.",
        "If it repeats, look up the reason in the documentation of the provider.",
    ),
    LogEvent(
        "delivery attempt failed",
        "info",
        (*DELIVERY_FIELDS, *_ATTEMPT),
        "An attempt did not succeed, and no other follows. `delivery not delivered` comes next.",
        "See `delivery not delivered`.",
    ),
    LogEvent(
        "delivery not delivered",
        "warning",
        (*DELIVERY_FIELDS, "state", "reason"),
        "A delivery ended dead or expired.",
        "Look up the reason in [Trace a message](../howto/trace-a-message.md). A dead one can be "
        "sent again: `router dead retry`.",
    ),
    LogEvent(
        "deliveries not delivered",
        "warning",
        ("channel", "state", "reason", "count"),
        "More than five deliveries of a channel ended dead or expired at once, for one reason.",
        "As for `delivery not delivered`.",
    ),
    LogEvent(
        "delivery cancelled",
        "debug",
        (*DELIVERY_FIELDS, "reason"),
        "A delivery was cancelled before it was sent: by a rule, a user or an operator.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "deliveries cancelled",
        "debug",
        ("channel", "reason", "count"),
        "More than five deliveries of a channel were cancelled at once, for one reason.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "lease expired before send",
        "warning",
        DELIVERY_FIELDS,
        "A delivery waited in memory for longer than its lease; it is leased again and sent later.",
        "If it repeats, the database does not answer in time, or the event loop is blocked.",
    ),
    LogEvent(
        "lease lost before outcome was written",
        "warning",
        ("notification", "delivery"),
        "Another process took the delivery over, or it was cancelled, while it was being sent: the "
        "message may have been sent twice, or in spite of the cancellation.",
        "If it repeats, the database does not answer in time, or the event loop is blocked.",
    ),
    LogEvent(
        "delivery load failed",
        "warning",
        ("notification", "delivery", "error", "place"),
        "A delivery could not be read from the database; it is tried again.",
        "If `error` is not an error of the database, report it as a bug.",
    ),
    LogEvent(
        "exception in channel plugin",
        "error",
        (*DELIVERY_FIELDS, "error", "place"),
        "A channel's code raised an exception; a send is retried.",
        "Correct the plugin at the place. Of a built-in channel, report it as a bug.",
    ),
    LogEvent(
        "send cancelled by plugin",
        "error",
        (*DELIVERY_FIELDS, "error", "place"),
        "A channel's code cancelled its own task; the send is retried.",
        "Correct the plugin at the place: it must not cancel the task it runs in.",
    ),
    LogEvent(
        "send ignored cancellation",
        "error",
        DELIVERY_FIELDS,
        "A send exceeded the `timeout` of its channel and did not end when it was cancelled. Its "
        "outcome is `unknown`, and the other deliveries go on.",
        "Correct the plugin: it must not swallow `CancelledError`, or block a thread.",
    ),
    LogEvent(
        "send ignored cancellation at shutdown",
        "error",
        DELIVERY_FIELDS,
        "A send did not end when the router stopped; it is sent again after the next start.",
        "Correct the plugin: it must not swallow `CancelledError`, or block a thread.",
    ),
    LogEvent(
        "send aborted",
        "error",
        (*DELIVERY_FIELDS, "error", "place"),
        "The router raised an exception during a send; the delivery is sent again.",
        "Report it as a bug.",
    ),
    LogEvent(
        "outcome processing failed",
        "error",
        (*DELIVERY_FIELDS, "error", "place"),
        "The router raised an exception after a send; the delivery is sent again.",
        "Report it as a bug.",
    ),
)

HOLD_EVENTS: Final = (
    LogEvent(
        "channel suspended",
        "error",
        ("channel", "reason", "until"),
        "The provider refuses the credentials or the account of a channel. Its deliveries wait; "
        "one message at a time tests whether the provider accepts again.",
        "Correct the settings of the channel as the reason says; new settings end the suspension.",
    ),
    LogEvent(
        "channel resumed",
        "info",
        ("channel",),
        "A suspended channel sends again.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "circuit breaker opened",
        "warning",
        ("channel", "host", "seconds"),
        "A host failed several times in succession; nothing is sent to it for so many seconds.",
        "Look at the status page of the provider, and at the network. It ends by itself.",
    ),
    LogEvent(
        "channel daily cap reached",
        "warning",
        ("channel", "cap", "until"),
        "A channel has sent as much as its `daily_cap` allows; its deliveries wait until then.",
        "If the traffic is intended, raise the cap, or lift it for today: "
        "[Pause a channel](../howto/pause-a-channel.md).",
    ),
    LogEvent(
        "app daily cap reached",
        "warning",
        ("app", "cap", "until"),
        "An app has sent as much as its `daily_cap` allows; its deliveries wait until then.",
        "If the traffic is intended, raise the cap, or lift it for today: "
        "[Pause a channel](../howto/pause-a-channel.md).",
    ),
    LogEvent(
        "sending stopped by operator",
        "warning",
        (),
        "An operator holds all channels; deliveries wait.",
        "`router start-sending` ends it.",
    ),
    LogEvent(
        "sending resumed by operator",
        "warning",
        (),
        "An operator lets all channels send again.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "channel not configured",
        "warning",
        ("channel", "count"),
        "Deliveries wait for a channel that the rules in force do not have.",
        "Put the channel back into the rules, or cancel its deliveries: "
        "[Pause a channel](../howto/pause-a-channel.md).",
    ),
)
