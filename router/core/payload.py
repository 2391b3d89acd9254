"""The JSON body of a custom-provider webhook, decoded.

CometChat sends one body per recipient. What varies between its versions (absent, null, a
number as text, unknown keys and values) passes; what makes the body a payload at all must be
there: `trigger`, `webhook: custom`, `data.to.uid`, and `notificationDetails` or `messages`.
Source: https://www.cometchat.com/docs/notifications/custom-providers
"""

from typing import Literal

import msgspec
from msgspec import Struct

from router.core.errors import PayloadError, suggest

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A decoded JSON value."""

Feed = Literal["push", "email", "sms"]

FEEDS: dict[str, Feed] = {
    "push-notification-payload-generated": "push",
    "email-notification-payload-generated": "email",
    "sms-notification-payload-generated": "sms",
}
"""The `trigger` of each feed."""


class Payload(Struct, frozen=True, kw_only=True):
    """A payload: which feed sent it, for whom, and its `data` as it came."""

    feed: Feed
    app_id: str
    uid: str
    region: str
    data: dict[str, Json]


_value = msgspec.json.Decoder()


def decode(body: bytes) -> Payload:
    """Return the payload in a request body.

    Raises `PayloadError` with a JSON path and a reason for everything that is no payload.
    """
    envelope = _object(_parse(body), "$")
    feed = _feed(envelope.get("trigger"))
    if envelope.get("webhook") != "custom":
        raise PayloadError("$.webhook", 'must be "custom", as a custom provider sends it')
    data = _object(envelope.get("data"), "$.data")
    to = _object(data.get("to"), "$.data.to")
    uid = scalar(to.get("uid"))
    if not uid:
        raise PayloadError("$.data.to.uid", "must name the recipient")
    if feed == "push":
        _object(data.get("notificationDetails"), "$.data.notificationDetails")
    elif not isinstance(data.get("messages"), list):
        raise PayloadError("$.data.messages", "must be a list of messages")
    return Payload(
        feed=feed,
        app_id=scalar(envelope.get("appId")),
        uid=uid,
        region=scalar(envelope.get("region")),
        data=data,
    )


def scalar(value: Json) -> str:
    """Return a text, a number or a truth value as it is written; anything else as ``""``.

    NUL is replaced, because no database column may hold it.
    """
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return ""


def _parse(body: bytes) -> Json:
    try:
        return _value.decode(body)  # type: ignore[no-any-return]  # JSON is what the decoder gives
    except RecursionError as error:
        raise PayloadError("$", "is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError("$", f"is not JSON: {error}") from error


def _object(value: Json, path: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise PayloadError(path, "must be an object")
    return value


def _feed(trigger: Json) -> Feed:
    if not isinstance(trigger, str):
        raise PayloadError("$.trigger", "must be a text")
    feed = FEEDS.get(trigger)
    if feed is None:
        hint = suggest(trigger, FEEDS) or f"known are {', '.join(FEEDS)}"
        raise PayloadError("$.trigger", f'unknown value "{trigger[:80]}"; {hint}')
    return feed
