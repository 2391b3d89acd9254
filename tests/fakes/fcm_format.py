"""The body of `messages:send`, field by field, as its reference documents it.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tests.fakes.apns import ALERT, APS

LIMIT = 4096
Duration = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]{1,9})?s$")]
Texts = dict[str, str]


class Part(Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of the body; Google refuses names it does not know."""


class Notification(Part):
    """`Notification`."""

    title: str = ""
    body: str = ""
    image: str = ""


class Options(Part):
    """`FcmOptions`, of the whole."""

    analytics_label: str = ""


class AndroidNotification(Part):
    """`AndroidNotification`."""

    title: str = ""
    body: str = ""
    icon: str = ""
    color: str = ""
    sound: str = ""
    tag: str = ""
    click_action: str = ""
    body_loc_key: str = ""
    body_loc_args: list[str] = []
    title_loc_key: str = ""
    title_loc_args: list[str] = []
    channel_id: str = ""
    ticker: str = ""
    sticky: bool = False
    event_time: str = ""
    local_only: bool = False
    notification_priority: str = ""
    default_sound: bool = False
    visibility: str = ""
    notification_count: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    image: str = ""


class Android(Part):
    """`AndroidConfig`."""

    collapse_key: str = ""
    priority: Literal["NORMAL", "HIGH"] = "NORMAL"
    ttl: Duration = "2419200s"
    restricted_package_name: str = ""
    data: Texts = {}
    notification: AndroidNotification | UnsetType = UNSET
    fcm_options: Options | UnsetType = UNSET
    direct_boot_ok: bool = False


class WebOptions(Part):
    """`WebpushFcmOptions`."""

    link: Annotated[str, Meta(pattern="^https://")] = "https://"
    analytics_label: str = ""


class Web(Part):
    """`WebpushConfig`; its notification is as the browser's API takes it."""

    headers: Texts = {}
    data: Texts = {}
    notification: dict[str, Any] | UnsetType = UNSET
    fcm_options: WebOptions | UnsetType = UNSET


class AppleOptions(Part):
    """`ApnsFcmOptions`."""

    analytics_label: str = ""
    image: str = ""


class Apple(Part):
    """`ApnsConfig`; its payload is as Apple takes it."""

    headers: Texts = {}
    payload: dict[str, Any] = {}
    fcm_options: AppleOptions | UnsetType = UNSET
    live_activity_token: str = ""


class Message(Part):
    """`Message`."""

    name: str = ""
    data: Texts = {}
    notification: Notification | UnsetType = UNSET
    android: Android | UnsetType = UNSET
    webpush: Web | UnsetType = UNSET
    apns: Apple | UnsetType = UNSET
    fcm_options: Options | UnsetType = UNSET
    token: str = ""
    topic: str = ""
    condition: str = ""


class Body(Part):
    """The whole body."""

    message: Message
    validate_only: bool = False


APPLE_HEADERS = {"apns-push-type", "apns-priority", "apns-expiration", "apns-collapse-id"}
WEB_HEADERS = {
    "TTL": re.compile(r"[0-9]{1,7}"),
    "Urgency": re.compile("very-low|low|normal|high"),
    "Topic": re.compile("[A-Za-z0-9_-]{1,32}"),
}
_TOKEN = re.compile(r"[A-Za-z0-9_:.-]+")
BAD_TOKEN = "The registration token is not a valid FCM registration token"


def find_fault(content: bytes) -> str:
    """Return what Google finds wrong with a body, empty where nothing is."""
    try:
        message = msgspec.json.decode(content, type=Body).message
    except msgspec.ValidationError as error:
        return f"Invalid JSON payload received. {error}"
    named = [name for name in (message.token, message.topic, message.condition) if name]
    if len(named) != 1:
        return "Recipient of the message is not set."
    if message.token and not _TOKEN.fullmatch(message.token):
        return BAD_TOKEN
    return (
        _find_in_data(message)
        or (_find_in_apple(message.apns, message.data) if message.apns else "")
        or (_find_in_web(message.webpush) if message.webpush else "")
    )


def _find_in_data(message: Message) -> str:
    size = 0
    for name, value in message.data.items():
        if name in {"from", "message_type"} or name.startswith(("google", "gcm")):
            return f"Invalid data payload key: {name}"
        size += len(name.encode()) + len(value.encode())
    block = message.notification
    size += len(msgspec.json.encode(block)) if block else 0
    return "Android message is too big" if size > LIMIT else ""


def _find_in_apple(apple: Apple, data: Texts) -> str:
    if unknown := apple.headers.keys() - APPLE_HEADERS:
        return f"Invalid APNs header: {sorted(unknown)}"
    priority, kind = apple.headers["apns-priority"], apple.headers["apns-push-type"]
    aps = apple.payload["aps"]
    if apple.payload.keys() != {"aps"} or aps.keys() - APS or aps.get("alert", {}).keys() - ALERT:
        return "Invalid APNs payload"
    if priority not in {"5", "10"} or (kind, priority) == ("background", "10"):
        return "Invalid APNs priority"
    if not apple.headers["apns-expiration"].isdecimal():
        return "Invalid APNs expiration"
    if len(apple.headers.get("apns-collapse-id", "").encode()) > 64:
        return "Invalid APNs collapse id"
    wrapped = {**data, **apple.payload, "gcm.message_id": "1" * 20, "google.c.fid": "f" * 22}
    return "APNs message is too big" if len(msgspec.json.encode(wrapped)) > LIMIT else ""


def _find_in_web(web: Web) -> str:
    for name, value in web.headers.items():
        if name not in WEB_HEADERS or not WEB_HEADERS[name].fullmatch(value):
            return f"Invalid web push header: {name}"
    return ""
