"""Hand a message over to a team's own gateway.

The body is CometChat's own, so a handler written for a CometChat custom provider works
unchanged: https://www.cometchat.com/docs/notifications/custom-providers
The headers are those of Standard Webhooks:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from msgspec import Meta

from router import Channel, Message, Outcome, Register, Secret, Settings, hookimpl
from router.bridge import Hop, Reading, Request, Response, TransportError, judge

PREFIX = "whsec_"


class WebhookSettings(Settings, frozen=True):
    """Settings of `plugin: webhook`."""

    url: Annotated[Secret, Meta(description="Where to post to, as https://gateway.example/notify.")]
    secret: Annotated[
        Secret | None,
        Meta(description="Signs each request: whsec_ and at least 24 bytes in base64."),
    ] = None
    basic: Annotated[Secret | None, Meta(description="Basic authentication, as user:password.")] = (
        None
    )

    def __post_init__(self) -> None:
        """Refuse what could not work."""
        parts = urlsplit(self.url.reveal())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url: must be a http:// or https:// address")
        if parts.username is not None:
            raise ValueError("url: must hold no password; write `basic: user:password`")
        if self.basic is not None and ":" not in self.basic.reveal():
            raise ValueError("basic: must read user:password")
        if self.secret is not None:
            _read_key(self.secret)


class Webhook(Channel[WebhookSettings]):
    """One signed request to one gateway, which knows a repeat by its `webhook-id`."""

    name = "webhook"
    Settings = WebhookSettings
    idempotent = True
    replaces = True  # the gateway gets the payload itself, and knows an edit when it sees one
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "https://gateway.example/notify",
        "secret": PREFIX + base64.b64encode(bytes(24)).decode(),
        "basic": "router:sandbox",
    }
    answers: ClassVar[Mapping[int | str, Reading]] = {
        401: "suspend",
        403: "suspend",
        410: "rejected",
    }

    clock: Callable[[], float] = staticmethod(time.time)

    @classmethod
    def needs_contact(cls, settings: WebhookSettings) -> bool:  # noqa: ARG003 - the contract's signature
        """Return False: the gateway knows whom to reach."""
        return False

    async def send(self, message: Message) -> Outcome:
        """Post the message once."""
        request = self.compose(message)
        try:
            response = await self.transport.send(request, timeout=self.settings.timeout)
        except TransportError as error:
            return judge([Hop(request, error=error)], answers=self.answers, now=self.clock())
        return judge([Hop(request, response)], answers=self.answers, now=self.clock())

    def compose(self, message: Message) -> Request:
        """Return the signed request for a message."""
        body = _write(message)
        headers = {"content-type": "application/json"}
        headers |= sign(message.delivery, int(self.clock()), body, self.settings.secret)
        if self.settings.basic is not None:
            credentials = base64.b64encode(self.settings.basic.reveal().encode()).decode()
            headers["authorization"] = f"Basic {credentials}"
        return Request(method="POST", url=self.settings.url.reveal(), headers=headers, body=body)

    def sandbox(self, request: Request) -> Response:  # noqa: ARG002 - the contract's signature
        """Answer as a gateway that took it."""
        return Response(status=204)


def sign(name: str, at: int, body: bytes, secret: Secret | None) -> dict[str, str]:
    """Return the headers of Standard Webhooks; without a secret, no signature."""
    headers = {"webhook-id": name, "webhook-timestamp": str(at)}
    if secret is not None:
        content = b"%b.%d.%b" % (name.encode(), at, body)
        digest = hmac.digest(_read_key(secret), content, sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _read_key(secret: Secret) -> bytes:
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(PREFIX) or not 24 <= len(key) <= 64:  # noqa: PLR2004 - the specification's bounds
        raise ValueError(f"secret: must be {PREFIX} and 24 to 64 bytes in base64")
    return key


def _write(message: Message) -> bytes:
    told = message.notification
    data = dict(told.data)
    match told.feed:
        case "push":
            data["notificationDetails"] = told.details | {
                "title": message.title,
                "body": message.body,
            }
        case "email":
            data["subject"] = message.title
        case "sms":
            data["smsContent"] = message.body
    content = {
        "trigger": f"{told.feed}-notification-payload-generated",
        "data": data,
        "appId": told.app_id,
        "region": told.region,
        "webhook": "custom",
        "title": message.title,
        "body": message.body,
        "router": {
            "id": told.id,
            "delivery": message.delivery,
            "rule": message.rule,
            "kind": message.kind,
            "data": message.data,
            "link": message.link,
            "image": message.image,
            "sound": message.sound,
            "badge": message.badge,
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


@hookimpl
def register_channels(register: Register) -> None:
    """Offer the channel."""
    register(Webhook)
