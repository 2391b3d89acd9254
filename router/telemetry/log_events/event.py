"""A log event as the catalogue describes it, and the meaning of each field."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

EventLevel = Literal["debug", "info", "warning", "error", "critical"]


class LogEvent(NamedTuple):
    """A log event; its phrase never changes with what happened: the fields do."""

    phrase: str
    level: EventLevel
    fields: tuple[str, ...]
    meaning: str
    remedy: str


DELIVERY_FIELDS: Final = ("notification", "delivery", "channel")
"""The fields of every event about a delivery; also bound to each line while it is being sent."""

NOTHING_TO_DO: Final = "Nothing to do."

FIELDS: Final[Mapping[str, str]] = {
    "app": "The id of the CometChat app.",
    "cap": "The most sends on one day.",
    "channel": "The name of the channel in `rules.yaml`.",
    "count": "The number of deliveries, outcomes, rules, templates or errors, as the event says.",
    "delivery": "The id of the delivery: the id of its notification and a number.",
    "detail": "What is wrong with the request, in the words of the answer.",
    "error": "The type of the exception, or the message of the database or template error.",
    "exception": "The types of the exceptions and the lines they passed, without their messages.",
    "file": "The path of the rules file.",
    "files": "The paths of the rules files.",
    "hint": "What to write instead, or empty.",
    "host": "The host: of a provider (`all`: every host of the channel), or the one listened on.",
    "left_out": "The number of refusals of the same kind since the last line about them.",
    "notification": "The id of the notification, as the webhook answered it.",
    "outcome": "The result of the attempt: `retry`, `rejected`, `unknown` or `suspend`.",
    "owner": "The owner of the included file, or empty.",
    "peer": "The address of the other end of the connection.",
    "place": "The file and the line of the code or the rules; in rules the column, too.",
    "plugin": "The name of the plugin.",
    "port": "The TCP port.",
    "reason": "Why, in words.",
    "recipients": "The recipients of `ROUTER_ONLY_RECIPIENTS`.",
    "route": "The first part of the requested path, `unknown` if the router has no such route.",
    "rule": "The name of the rule.",
    "scheme": "The scheme of the requests: `http` or `https`.",
    "seconds": "A duration in seconds.",
    "source": "The file or the distribution that the plugin comes from.",
    "sqlstate": "The error code of PostgreSQL.",
    "standing": "`last good`: the last good rules of the file stay in force. "
    "`left out`: none of its rules is in force.",
    "state": "The state of the delivery: `dead` or `expired`.",
    "status": "The HTTP status or SMTP code of the answer; of `request refused` the router's own.",
    "step": "The operation on the queue.",
    "task": "The name of the asyncio task.",
    "tasks": "The names of the asyncio tasks, each with its file and line.",
    "thread": "The name of the thread.",
    "threads": "The names of the threads, each with its file and line.",
    "until": "The time of the end, in UTC.",
    "url": "The URL of the proxy, without its credentials.",
    "version": "The version of the rules, a hash of their texts.",
}
"""Every field of an event, with its meaning: the same name always has the same meaning."""
