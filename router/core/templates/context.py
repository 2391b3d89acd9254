"""The names a template can use, and what they stand for."""

from collections.abc import Mapping

from router.core.model.facts import Recipient
from router.core.model.notification import Notification
from router.core.model.payload import Json, scalar
from router.core.templates.expression import ASSUMED_VALUE
from router.core.templates.filters import MAX_ITEMS, MAX_RESULT_LENGTH, text

# not a word to a line, which would take a page
DERIVED = (
    "uid", "appId", "region", "locale", "feed", "kind", "conversation", "reply", "mention", "age",
    "attributes", "vars", "title", "body",
)  # fmt: skip
"""The names that are not the payload's own."""


def visible(
    notification: Notification,
    recipient: Recipient,
    variables: Mapping[str, str],
    now: float,
    assumed: Mapping[tuple[str, ...], Json],
) -> dict[str, object]:
    """Return every name with its value: the payload's own, and what the router derived.

    `title` and `body` are the payload's words; `vars` is the mapping given, so that what is
    added to it later can be seen. `assumed` are the defaults of declared fields.
    """
    title, body = words(notification)
    age = notification.age(now)
    return {
        **notification.data,
        **notification.details,
        "uid": notification.uid,
        "appId": notification.app_id,
        "region": notification.region,
        "locale": recipient.locale,
        "feed": notification.feed,
        "kind": notification.kind,
        "conversation": notification.conversation,
        "reply": notification.reply,
        "mention": notification.mention,
        "age": None if age is None else int(age),
        "attributes": recipient.attributes,
        "vars": variables,
        "title": title,
        "body": body,
        ASSUMED_VALUE: assumed,
    }


def words(notification: Notification) -> tuple[str, str]:
    """Return the payload's own title and body; those of a digest are put together."""
    if notification.kind != "digest":
        details = notification.details
        return scalar(details.get("title"))[:MAX_RESULT_LENGTH], scalar(details.get("body"))[
            :MAX_RESULT_LENGTH
        ]
    data = notification.data
    title = scalar(data.get("subject")) or _other(data)
    return title[:MAX_RESULT_LENGTH], (
        scalar(data.get("smsContent")) or _lines(data.get("messages"))
    )[:MAX_RESULT_LENGTH]


def _other(data: Mapping[str, Json]) -> str:
    """Return the name of the group or of the person a digest is about."""
    for key in ("groupDetails", "senderDetails"):
        who = data.get(key)
        if isinstance(who, dict) and (name := scalar(who.get("name"))):
            return name
    return ""


def _lines(messages: Json) -> str:
    """Return `Name: text` for every message of a digest."""
    if not isinstance(messages, list):
        return ""
    lines = [_line(message) for message in messages[:MAX_ITEMS] if isinstance(message, dict)]
    return "\n".join(line for line in lines if line)


def _line(message: Mapping[str, Json]) -> str:
    sender, parts = message.get("sender"), text(message.get("message")).replace("\0", "\ufffd")
    name = scalar(sender.get("name")) if isinstance(sender, dict) else ""
    return f"{name}: {parts}" if name and parts else parts
