"""What goes to FCM: the payload's keys as texts, within what FCM takes.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and, for its limits,
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode (INVALID_ARGUMENT),
https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types
"""

from http import HTTPStatus
from typing import Any

import msgspec
from apprise.plugins.fcm import NotifyFCM

from router import Message
from router.bridge import requests
from router.plugins._payload import WORDS, cut, fit, measure, write_texts

ROOM = 4000
"""Bytes of keys and values; FCM takes 4,096 and does not say what it adds."""
LONGEST_TTL = 28 * 86400


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
    data = write_texts(message)
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


def _is_reserved(name: str) -> bool:
    return name in {"from", "message_type"} or name.startswith(("google", "gcm"))
