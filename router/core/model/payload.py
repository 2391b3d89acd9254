"""The JSON body of a custom-provider webhook, decoded.

CometChat sends one body per recipient. What varies between its versions (absent, null, a
number as text, unknown keys and values) passes; what makes the body a payload at all must be
there: `trigger`, `webhook: custom`, `data.to.uid`, and `notificationDetails` or `messages`.
Source: https://www.cometchat.com/docs/notifications/custom-providers
"""

import operator
import re
from collections.abc import Callable, Collection

import msgspec
from msgspec import Struct

from router.core.errors import PayloadError, suggest
from router.core.model.byte_order_mark import skip_byte_order_mark
from router.core.model.feed import FEEDS, TRIGGERS, Feed

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A decoded JSON value."""

Unwanted = Callable[[dict[str, Json]], Collection[str]]

MAX_DEPTH = 100
"""How deeply a payload may be nested; CometChat's own reach about twelve."""

MAX_NAME_LENGTH = 255
"""Characters of the longest uid, app id or region; CometChat allows 100."""

SECRET_KEYS = frozenset({"wschannel", "secret", "password", "authtoken", "apikey"})
"""Keys, in small letters, whose values nobody after us may see.

CometChat's call objects carry `wsChannel.secret`, which opens a socket to the call.
"""

_EVENTS = "CometChat's general webhooks are for /webhook/events"
_HINTS = (rb"\u", *(f'"{word}"'.encode() for word in SECRET_KEYS))
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB]%b\\u[dD][c-fC-F]%b|u[dD][89a-fA-F]%b|.)" % ((rb"[0-9a-fA-F]{2}",) * 3),
    re.DOTALL,
)

_value = msgspec.json.Decoder()


class Payload(Struct, frozen=True, kw_only=True):
    """A payload: which feed sent it, for whom, and its `data` as it came, less secrets.

    `redacted` says that there were some, so that the body itself must not be kept.
    """

    feed: Feed
    app_id: str
    uid: str
    region: str
    data: dict[str, Json]
    redacted: bool = False


def decode(body: bytes) -> Payload:
    """Return the payload in a request body.

    Raises `PayloadError` with a JSON path and a reason for everything that is no payload.
    """
    whole = as_object(parse(body), "$")
    envelope = redact(whole) if _may_hold_secrets(body) else whole
    feed = _feed(envelope.get("trigger"))
    if envelope.get("webhook") != "custom":
        raise PayloadError("$.webhook", 'must be "custom", as a custom provider sends it')
    data = as_object(envelope.get("data"), "$.data")
    to = as_object(data.get("to"), "$.data.to")
    uid = as_name(to.get("uid"), "$.data.to.uid")
    if not uid:
        raise PayloadError("$.data.to.uid", "must be the uid of the recipient")
    if not FEEDS[feed].is_digest:
        as_object(data.get("notificationDetails"), "$.data.notificationDetails")
    elif not isinstance(data.get("messages"), list):
        raise PayloadError("$.data.messages", "must be a list of messages")
    return Payload(
        feed=feed,
        app_id=as_name(envelope.get("appId"), "$.appId"),
        uid=uid,
        region=as_name(envelope.get("region"), "$.region"),
        data=data,
        redacted=envelope is not whole,
    )


def kept_body(body: bytes, payload: Payload) -> bytes:
    """Return a decoded body as it may be stored: the JSON that came, unless it holds secrets."""
    if not payload.redacted:
        return skip_byte_order_mark(body)
    return msgspec.json.encode(redact(as_object(parse(body), "$")))


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


def redact(value: dict[str, Json]) -> dict[str, Json]:
    """Return a mapping without secrets; the very same one when there are none in it."""
    return prune(value, _secrets)


def prune(value: dict[str, Json], unwanted: Unwanted) -> dict[str, Json]:
    """Return a mapping without the unwanted keys at any depth; what stays is not copied.

    `unwanted` is asked of every mapping for its keys that go. The very same mapping comes back
    when nothing goes.
    """
    gone = unwanted(value)
    kept = {k: v for k, v in value.items() if k not in gone} if gone else value
    for key, part in kept.items():
        if type(part) is dict or type(part) is list:  # a decoder makes no subclasses
            pruned = _prune(part, unwanted)
            if pruned is not part:
                kept = dict(value) if kept is value else kept
                kept[key] = pruned
    return kept


def _prune(value: Json, unwanted: Unwanted) -> Json:
    if type(value) is dict:
        return prune(value, unwanted)
    if type(value) is list:
        kept = [_prune(item, unwanted) for item in value]
        return kept if any(map(operator.is_not, kept, value)) else value
    return value


def _secrets(value: dict[str, Json]) -> Collection[str]:
    return [key for key in value if key.lower() in SECRET_KEYS]


def _may_hold_secrets(body: bytes) -> bool:
    """Return whether a key could be a secret's; an escaped letter may hide one."""
    small = body.lower()
    return any(map(small.__contains__, _HINTS))


def parse(body: bytes) -> Json:
    """Return the JSON value in a request body; raises `PayloadError`."""
    try:
        value = _read(skip_byte_order_mark(body))
    except RecursionError as error:
        raise PayloadError("$", f"is nested more than {MAX_DEPTH} deep") from error
    except UnicodeDecodeError as error:
        raise PayloadError("$", f"is not UTF-8 at byte {error.start}") from error
    except msgspec.ValidationError as error:  # it is JSON, with a number nothing here can hold
        raise PayloadError("$", f"holds a number too large to read: {error}") from error
    except msgspec.DecodeError as error:
        raise PayloadError("$", f"is not JSON: {error}") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise PayloadError("$", f"is nested more than {MAX_DEPTH} deep")
    return value


def _read(body: bytes) -> Json:
    try:
        return _value.decode(body)  # type: ignore[no-any-return]  # JSON is what the decoder gives
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _ESCAPES.sub(_replace_lone_surrogates, body)
        if mended == body:
            raise
    return _value.decode(mended)  # type: ignore[no-any-return]  # as above


def _replace_lone_surrogates(escape: re.Match[bytes]) -> bytes:
    """Return an escape; for half a surrogate pair, which a cut text may end in, U+FFFD."""
    is_half = len(escape[0]) == len(r"\ud800")
    return rb"\ufffd" if is_half else escape[0]


def _is_deeper(value: Json, levels: int) -> bool:
    """Return whether there are more mappings and lists in one another than `levels`."""
    layer: list[Json] = [value]
    for _ in range(levels):
        layer = [part for whole in layer for part in _containers(whole)]
        if not layer:
            return False
    return True


def _containers(value: Json) -> list[Json]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [part for part in parts if isinstance(part, dict | list)]


def as_object(value: Json, path: str) -> dict[str, Json]:
    """Return a value that is an object; raises `PayloadError` with the path."""
    if not isinstance(value, dict):
        raise PayloadError(path, "must be an object")
    return value


def as_name(value: Json, path: str) -> str:
    """Return a name that fits a column; a truth value is none. Raises `PayloadError`."""
    name = "" if isinstance(value, bool) else scalar(value)
    if len(name) > MAX_NAME_LENGTH:
        raise PayloadError(path, f"is longer than {MAX_NAME_LENGTH} characters")
    return name


def _feed(trigger: Json) -> Feed:
    if not isinstance(trigger, str):
        raise PayloadError("$.trigger", "must be a text")
    feed = TRIGGERS.get(trigger)
    if feed is None:
        hint = (
            suggest(trigger[:MAX_NAME_LENGTH], TRIGGERS)
            or f"known are {', '.join(TRIGGERS)}; {_EVENTS}"
        )
        raise PayloadError("$.trigger", f'unknown value "{trigger[:80]}"; {hint}')
    return feed
