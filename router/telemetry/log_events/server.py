"""Events of the start, the run and the end of the server."""

from typing import Final

from router.telemetry.log_events.event import NOTHING_TO_DO, LogEvent

SERVER_EVENTS: Final = (
    LogEvent(
        "server started",
        "info",
        ("host", "port"),
        "The router accepts requests.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "server crashed",
        "critical",
        ("exception",),
        "The process ends with exit status 1 because of an error that the router does not handle.",
        "Restart the router; accepted notifications are on disk. Report the exception as a bug.",
    ),
    LogEvent(
        "shutdown timed out",
        "critical",
        ("tasks", "threads"),
        "Tasks or threads still ran when the time to stop was over; the process ended anyway.",
        "Correct the plugin whose code the places name: it must end when it is cancelled.",
    ),
    LogEvent(
        "sending restricted to recipients",
        "warning",
        ("recipients",),
        "`ROUTER_ONLY_RECIPIENTS` is set: deliveries to anybody else are suppressed.",
        "In production, unset `ROUTER_ONLY_RECIPIENTS`.",
    ),
    LogEvent(
        "proxy in use",
        "info",
        ("scheme", "url"),
        "Requests of this scheme go through a proxy, except to the hosts of `NO_PROXY`.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "proxy not used for SMTP and other non-HTTP protocols",
        "warning",
        (),
        "A proxy is set, and mail and services without HTTP connect directly.",
        "Let the firewall pass these connections, or use a provider with an HTTP interface.",
    ),
    LogEvent(
        "plugin not loaded",
        "error",
        ("plugin", "source", "reason"),
        "A plugin is broken. The others work; rules that use this one are rejected.",
        "Correct or remove the plugin; `router plugins` shows it. Then restart the router.",
    ),
    LogEvent(
        "event loop blocked",
        "error",
        ("task", "place", "seconds"),
        "Blocking code kept the event loop from running; nothing was accepted or sent meanwhile.",
        "Make the code at the place asynchronous, or run it in a thread (`asyncio.to_thread`). If "
        "the place changes from line to line, the machine is overloaded.",
    ),
    LogEvent(
        "retention sweep failed, retrying",
        "warning",
        ("error",),
        "Old rows could not be deleted; the next sweep tries again.",
        "If it repeats, look at the database and its free space.",
    ),
)
