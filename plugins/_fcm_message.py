"""What goes to FCM: the payload's keys as texts, within what FCM takes.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and, for its limits,
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode (INVALID_ARGUMENT),
https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from apprise.plugins.fcm import NotifyFCM

from router import Message
from router.bridge import requests, shorten

ROOM = 4000
"""Bytes of keys and values; FCM takes 4,096 and does not say what it adds."""
LONGEST_TTL = 28 * 86400
EXPENDABLE = ("message", "custom", "senderAvatar", "receiverAvatar")
"""What is left out first, in this order, when a message does not fit."""
WORDS = {"title": 200, "body": 800}
"""Bytes of the words that stay even where other data must go for them."""


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


def compose(
    message: Message, *, now: float, block: bool = False, collapse: bool = True
) -> dict[str, Any]:
    """Return FCM's message: the payload's keys as texts, within what FCM takes."""
    data = {name: _text(value) for name, value in message.notification.details.items()}
    extras = {"link": message.link, "image": message.image, "sound": message.sound}
    data |= {name: value for name, value in extras.items() if value}
    if message.badge is not None:
        data["badge"] = str(message.badge)
    data |= message.data | {"title": message.title, "body": message.body}
    data = {name: value for name, value in data.items() if not _is_reserved(name)}
    android: dict[str, Any] = {
        "priority": "HIGH" if message.priority == "high" else "NORMAL",
        "ttl": f"{max(0, min(int(message.expires - now), LONGEST_TTL))}s",
    }
    if collapse and message.collapse:
        android["collapse_key"] = message.collapse
    content: dict[str, Any] = {"token": message.address, "android": android}
    if block:
        content["notification"] = {name: cut(data[name], size) for name, size in WORDS.items()}
    content["data"] = fit(data, ROOM - measure(content.get("notification", {})))
    return content


def fit(data: dict[str, str], room: int) -> dict[str, str]:
    """Return data of at most so many bytes.

    What is expendable goes first, then the body is cut; where even a short body finds no
    room, the longest of the other data goes too.
    """
    kept = dict(data)
    for name in EXPENDABLE:
        if measure(kept) <= room:
            break
        kept.pop(name, None)
    if measure(kept) <= room:
        return kept
    kept |= {name: cut(data[name], size) for name, size in WORDS.items()}
    while measure(kept) > room:
        del kept[max(kept.keys() - WORDS.keys(), key=lambda name: len(name + kept[name]))]
    left = room - measure(kept) + len(kept["body"].encode())
    return kept | {"body": cut(data["body"], left)}


def measure(data: Mapping[str, str]) -> int:
    """Return the bytes of keys and values, as FCM counts them."""
    return len("".join([*data, *data.values()]).encode())


def cut(text: str, size: int) -> str:
    """Return at most so many bytes of a text, whole characters, with a mark where it ends."""
    return shorten(text, size, measure=lambda part: len(part.encode()))


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_reserved(name: str) -> bool:
    return name in {"from", "message_type"} or name.startswith(("google", "gcm"))
