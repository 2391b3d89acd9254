"""The message of FCM: the data payload, and a block for each platform, within FCM's limits.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and, for its limits,
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode (INVALID_ARGUMENT),
https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type (which keys are
reserved),
https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types and,
for the headers of web push, RFC 8030
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from apprise.plugins.fcm import NotifyFCM
from msgspec.structs import replace

from router import Message
from router.bridge import requests
from router.plugins.push.apns_message import choose_push_type, write_aps, write_headers
from router.plugins.push.data_payload import (
    RESERVED_TEXT_BYTES,
    count_bytes,
    count_json_bytes,
    count_ttl,
    find_localized_phrase,
    fit_data,
    make_topic,
    read_sound,
    truncate_bytes,
    write_data,
)

Platform = Literal["android", "ios", "web"]

MAX_DATA_BYTES = 4000
"""Largest data for Android. FCM accepts 4,096 bytes and does not document its overhead."""
MAX_WRAPPED_DATA_BYTES = 3700
"""Largest data for Apple and browsers, where FCM adds about 300 bytes of JSON of its own."""
MAX_CHANNEL_NAME_BYTES = 200
"""Longest id of an Android notification channel."""
MAX_URL_BYTES = 500
"""Longest URL of a link or an image in a platform's block."""

_ALL_PLATFORMS: tuple[Platform, ...] = ("android", "ios", "web")
_PLATFORMS_BY_SUFFIX: Mapping[str, tuple[Platform, ...]] = {"ios": ("ios",), "web": ("web",)}
"""The blocks of a platform, by the last part of its name; others get Android's."""
_APNS_HEADERS = ("apns-push-type", "apns-priority", "apns-expiration")
"""Headers of APNs that FCM does not set itself, beside the collapse id."""


class FcmMessage(NotifyFCM):
    """One composed message to one device, sent with a given access token."""

    def __init__(self, *, message: dict[str, Any], bearer: str, **options: Any) -> None:  # noqa: ANN401 - Apprise's options
        """Store the message as FCM gets it."""
        super().__init__(apikey="unused", **options)
        self.project = options["project"]
        self.targets = [message["token"]]
        self._content = msgspec.json.encode({"message": message})
        self._bearer = bearer

    def send(self, *_: object, **__: object) -> bool:
        """Post the message; return whether FCM accepted it."""
        answer = requests.post(
            self.notify_oauth2_url.format(project=self.project),
            data=self._content,
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._bearer}",
            },
        )
        return answer.status_code == HTTPStatus.OK


def compose_message(
    message: Message,
    *,
    now: float,
    block: bool = False,
    channel_id: str = "",
    collapse: bool = True,
) -> dict[str, Any]:
    """Return FCM's message: the data payload, and a block for the device's platform.

    With `block` the device shows the message itself, except states of calls that nobody reads. An
    iPhone shows it in any case, since iOS starts no app for data alone. For an unknown device, the
    message has a block for each platform, without image and phrases, to stay within the limit.
    """
    platforms = _find_platforms(message)
    full_message = message
    if platforms == _ALL_PLATFORMS:
        message = replace(message, image="", data={})
    shown = block and choose_push_type(message.notification, "", quiet=message.quiet) == "alert"
    key = message.collapse if collapse else ""
    content: dict[str, Any] = {"token": message.address}
    if shown and platforms != ("ios",):
        content["notification"] = _write_notification(message)
    if "android" in platforms:
        content["android"] = _write_android(message, now, key)
        if shown:
            content["android"]["notification"] = _write_android_notification(message, channel_id)
    if "ios" in platforms:
        content["apns"] = _write_apns(message, now, key)
        if "notification" in content:
            content["apns"]["payload"]["aps"].pop("alert")  # FCM makes it of the notification
    if "web" in platforms:
        content["webpush"] = _write_webpush(message, now, key, shown=shown)
    return content | {"data": _fit_message_data(full_message, content, platforms)}


def _find_platforms(message: Message) -> tuple[Platform, ...]:
    """Return the platform of the device, all platforms for an unknown device."""
    if message.device is None:
        return _ALL_PLATFORMS
    return _PLATFORMS_BY_SUFFIX.get(
        message.device.platform.lower().rpartition("_")[2], ("android",)
    )


def _fit_message_data(
    message: Message, content: dict[str, Any], platforms: tuple[Platform, ...]
) -> dict[str, str]:
    texts = write_data(message)
    renamed = {f"_{name}": text for name, text in texts.items() if _is_reserved(name)}
    data = renamed | {name: text for name, text in texts.items() if not _is_reserved(name)}
    if message.collapse:
        data.setdefault("collapse", message.collapse)
    wrapped = platforms != ("android",)
    used = [content.get("notification"), content.get("android", {}).get("notification")]
    apple = content.get("apns", {})
    used += [
        apple.get("payload"),
        apple.get("fcm_options"),
        content.get("webpush", {}).get("notification"),
    ]
    max_bytes = MAX_WRAPPED_DATA_BYTES if wrapped else MAX_DATA_BYTES
    max_bytes -= sum(len(msgspec.json.encode(part)) for part in used if part)
    return fit_data(data, max_bytes, count_json_bytes if wrapped else count_bytes)


def _is_reserved(name: str) -> bool:
    """Return whether FCM, or its SDK in the app, reserves a key."""
    return name in {"from", "message_type", "collapse_key"} or name.startswith(("google", "gcm"))


def _write_notification(message: Message) -> dict[str, str]:
    """Return the notification for every platform, without texts that have a localized phrase."""
    words = {"title": message.title, "body": message.body}
    shown = {
        name: truncate_bytes(text, RESERVED_TEXT_BYTES[name], count_json_bytes)
        for name, text in words.items()
        if not find_localized_phrase(message, name)
    }
    return shown | _write_image(message)


def _write_image(message: Message) -> dict[str, str]:
    """Return the image, empty where its URL is too long; then only the data has it."""
    return (
        {"image": message.image}
        if message.image and count_json_bytes(message.image) <= MAX_URL_BYTES
        else {}
    )


def _write_android(message: Message, now: float, key: str) -> dict[str, Any]:
    android: dict[str, Any] = {
        "priority": "HIGH" if message.priority == "high" else "NORMAL",
        "ttl": f"{count_ttl(message, now)}s",
    }
    return android | ({"collapse_key": key} if key else {})


def _write_android_notification(message: Message, channel_id: str) -> dict[str, Any]:
    """Return Android's notification; a later one with the same tag replaces it."""
    shown: dict[str, Any] = {
        "channel_id": truncate_bytes(
            message.data.get("channel_id", ""), MAX_CHANNEL_NAME_BYTES, count_json_bytes
        )
        or channel_id,
        "sound": read_sound(message),
        "tag": message.collapse,
    }
    shown = {name: text for name, text in shown.items() if text}
    for name in RESERVED_TEXT_BYTES:
        if phrase := find_localized_phrase(message, name):
            shown |= {f"{name}_loc_key": phrase.key, f"{name}_loc_args": phrase.args}
    return shown if message.badge is None else shown | {"notification_count": message.badge}


def _write_apns(message: Message, now: float, key: str) -> dict[str, Any]:
    kind = choose_push_type(message.notification, "", quiet=message.quiet) or "background"
    written = write_headers(message, kind, topic="", now=now)
    headers = {name: written[name] for name in _APNS_HEADERS}
    if message.collapse and (kind == "alert" or key):
        headers["apns-collapse-id"] = written["apns-collapse-id"]
    apple: dict[str, Any] = {"headers": headers, "payload": {"aps": write_aps(message, kind)}}
    image = _write_image(message) if kind == "alert" else {}
    return apple | ({"fcm_options": image} if image else {})


def _write_webpush(message: Message, now: float, key: str, *, shown: bool) -> dict[str, Any]:
    headers = {"TTL": str(count_ttl(message, now)), "Urgency": message.priority}
    if key:
        headers["Topic"] = make_topic(key)
    web: dict[str, Any] = {"headers": headers}
    if not shown:
        return web
    words = {"title": message.title, "body": message.body}
    notification = {
        name: truncate_bytes(text, RESERVED_TEXT_BYTES[name], count_json_bytes)
        for name, text in words.items()
        if find_localized_phrase(message, name)
    }
    if message.collapse:
        notification["tag"] = message.collapse
    if notification:
        web["notification"] = notification
    if message.link.startswith("https://") and count_json_bytes(message.link) <= MAX_URL_BYTES:
        web["fcm_options"] = {"link": message.link}
    return web
