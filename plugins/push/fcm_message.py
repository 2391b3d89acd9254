"""What goes to FCM: the payload's keys as texts, within what FCM takes, and a block a platform.

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
    write_texts,
)

Platform = Literal["android", "ios", "web"]

MAX_DATA_BYTES = 4000
"""Bytes of keys and values; FCM takes 4,096 and does not say what it adds."""
MAX_WRAPPED_DATA_BYTES = 3700
"""Bytes where FCM writes JSON of it, with some 300 of its own, for Apple or a browser."""
MAX_CHANNEL_NAME_BYTES = 200
"""Bytes of the longest name of a notification channel."""
MAX_URL_BYTES = 500
"""Bytes of the longest link or image that is shown."""

_EVERYWHERE: tuple[Platform, ...] = ("android", "ios", "web")
_BLOCKS: Mapping[str, tuple[Platform, ...]] = {"ios": ("ios",), "web": ("web",)}
"""The block of a platform, by the last part of its name; of any other, Android's."""
_APNS_HEADERS = ("apns-push-type", "apns-priority", "apns-expiration")
"""Apple's headers that FCM leaves to the sender, beside the collapse id."""


class FcmMessage(NotifyFCM):
    """One message to one device, composed elsewhere; it bears the token it is given."""

    def __init__(self, *, message: dict[str, Any], bearer: str, **options: Any) -> None:  # noqa: ANN401 - Apprise's options
        """Hold the message as FCM is to get it."""
        super().__init__(apikey="unused", **options)
        self.project = options["project"]
        self.targets = [message["token"]]
        self._content = msgspec.json.encode({"message": message})
        self._bearer = bearer

    def send(self, *_: object, **__: object) -> bool:
        """Post the message and return whether FCM took it."""
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
    """Return FCM's message: the payload's keys as texts, and a block for the device's platform.

    With `block` the device shows the message itself, except what of a call nobody is to read.
    An iPhone shows it without, since it starts no app for data alone. Of a device that is not
    known, each platform has its block, with neither image nor phrases: three would find no room.
    """
    platforms = _find_platforms(message)
    whole = message
    if platforms == _EVERYWHERE:
        message = replace(message, image="", data={})
    shown = block and choose_push_type(message.notification, "", quiet=message.quiet) == "alert"
    key = message.collapse if collapse else ""
    content: dict[str, Any] = {"token": message.address}
    if shown and platforms != ("ios",):
        content["notification"] = _write_words(message)
    if "android" in platforms:
        content["android"] = _write_android(message, now, key)
        if shown:
            content["android"]["notification"] = _write_shown(message, channel_id)
    if "ios" in platforms:
        content["apns"] = _write_apple(message, now, key)
        if "notification" in content:
            content["apns"]["payload"]["aps"].pop("alert")  # FCM makes it of the notification
    if "web" in platforms:
        content["webpush"] = _write_web(message, now, key, shown=shown)
    return content | {"data": _write_data(whole, content, platforms)}


def _find_platforms(message: Message) -> tuple[Platform, ...]:
    """Return the platform of the device, all where it is not known."""
    if message.device is None:
        return _EVERYWHERE
    return _BLOCKS.get(message.device.platform.lower().rpartition("_")[2], ("android",))


def _write_data(
    message: Message, content: dict[str, Any], platforms: tuple[Platform, ...]
) -> dict[str, str]:
    texts = write_texts(message)
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
    room = MAX_WRAPPED_DATA_BYTES if wrapped else MAX_DATA_BYTES
    room -= sum(len(msgspec.json.encode(part)) for part in used if part)
    return fit_data(data, room, count_json_bytes if wrapped else count_bytes)


def _is_reserved(name: str) -> bool:
    """Return whether FCM, or its SDK in the app, keeps a name for itself."""
    return name in {"from", "message_type", "collapse_key"} or name.startswith(("google", "gcm"))


def _write_words(message: Message) -> dict[str, str]:
    """Return what every platform shows, less what an app has words of its own for."""
    words = {"title": message.title, "body": message.body}
    shown = {
        name: truncate_bytes(text, RESERVED_TEXT_BYTES[name], count_json_bytes)
        for name, text in words.items()
        if not find_localized_phrase(message, name)
    }
    return shown | _write_image(message)


def _write_image(message: Message) -> dict[str, str]:
    """Return the image; one whose address is too long to be a good one is in the data alone."""
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


def _write_shown(message: Message, channel_id: str) -> dict[str, Any]:
    """Return how Android shows it; a later one with its tag takes its place."""
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


def _write_apple(message: Message, now: float, key: str) -> dict[str, Any]:
    kind = choose_push_type(message.notification, "", quiet=message.quiet) or "background"
    written = write_headers(message, kind, topic="", now=now)
    headers = {name: written[name] for name in _APNS_HEADERS}
    if message.collapse and (kind == "alert" or key):
        headers["apns-collapse-id"] = written["apns-collapse-id"]
    apple: dict[str, Any] = {"headers": headers, "payload": {"aps": write_aps(message, kind)}}
    image = _write_image(message) if kind == "alert" else {}
    return apple | ({"fcm_options": image} if image else {})


def _write_web(message: Message, now: float, key: str, *, shown: bool) -> dict[str, Any]:
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
