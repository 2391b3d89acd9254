"""Post a message to the team's gateway, or to a URL that the recipient names.

The body has CometChat's format, so a handler for a CometChat custom provider works unchanged:
 https://www.cometchat.com/docs/notifications/custom-providers
The headers follow Standard Webhooks:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from msgspec import Meta

from router import (
    AddressError,
    Channel,
    Message,
    Outcome,
    Register,
    Rejected,
    Secret,
    Settings,
    hookimpl,
)
from router.bridge import (
    Exchange,
    Request,
    Response,
    ResponseMeaning,
    TransportError,
    classify_response,
)

KEY_PREFIX = "whsec_"
RECIPIENT_URL = "{to}"
"""The setting `url` of a channel that posts to each recipient's own URL."""

INVALID_URL = "is not an http:// or https:// URL without a password"
_URL = re.compile(r"https?://[\w.:\[\]-]+([/?#][!-~]*)?", re.ASCII)


class WebhookSettings(Settings, frozen=True):
    """Settings of `plugin: webhook`."""

    url: Annotated[
        Secret,
        Meta(
            description="Where to post to, as https://gateway.example/notify; {to} alone is the "
            "recipient's contact of the kind webhook."
        ),
    ]
    secret: Annotated[
        Secret | None,
        Meta(description="Signs each request: whsec_ and at least 24 bytes in base64."),
    ] = None
    basic: Annotated[Secret | None, Meta(description="Basic authentication, as user:password.")] = (
        None
    )

    def __post_init__(self) -> None:
        """Raise `ValueError` for a wrong URL, secret or credential."""
        if self.url.reveal() == RECIPIENT_URL:
            if self.basic is not None:
                raise ValueError("basic: would go to whomever a recipient names; leave it out")
        else:
            _check_url(self.url.reveal())
        if self.basic is not None and ":" not in self.basic.reveal():
            raise ValueError("basic: must read user:password")
        if self.secret is not None:
            _read_key(self.secret)


class Webhook(Channel[WebhookSettings]):
    """One signed request to one gateway, which detects a repeat by its `webhook-id`."""

    name = "webhook"
    Settings = WebhookSettings
    idempotent = True
    replaces = True  # the gateway gets the payload itself, which says that it is an edit
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "url": "https://gateway.example/notify",
        "secret": KEY_PREFIX + base64.b64encode(bytes(24)).decode(),
        "basic": "router:sandbox",
    }
    response_codes: ClassVar[Mapping[int | str, ResponseMeaning]] = {
        401: "suspend",
        403: "suspend",
        410: "rejected",
    }

    recipient_response_codes: ClassVar[Mapping[int | str, ResponseMeaning]] = {
        401: "rejected",
        403: "rejected",
        407: "rejected",
        410: "gone",
    }
    """Answers of a recipient's own gateway: its refusals say nothing about other gateways."""

    clock: Callable[[], float] = staticmethod(time.time)

    @classmethod
    def needs_contact(cls, settings: WebhookSettings) -> bool:
        """Return whether the recipients name the gateway themselves."""
        return settings.url.reveal() == RECIPIENT_URL

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: WebhookSettings | None,
        country: str = "",  # noqa: ARG003 - the contract's signature
        is_fixed: bool = False,  # noqa: ARG003 - the same
    ) -> str:
        """Return a recipient's URL unchanged; raises `AddressError` for another text."""
        if (settings is None or cls.needs_contact(settings)) and not _is_url(address):
            raise AddressError(INVALID_URL)
        return address

    def host(self, address: str) -> str:
        """Return the host of a recipient's URL, empty for the team's own gateway."""
        if not self.needs_contact(self.settings) or not _is_url(address):
            return ""
        return urlsplit(address).hostname or ""

    async def send(self, message: Message) -> Outcome:
        """Post the message once."""
        request = self.make_request(message)
        if request.guarded and not _is_url(request.url):
            return Rejected(reason=f"the address {INVALID_URL}")
        answers = self.recipient_response_codes if request.guarded else self.response_codes
        try:
            exchange = Exchange(
                request, await self.transport.send(request, timeout=self.settings.timeout)
            )
        except TransportError as error:
            exchange = Exchange(request, error=error)
        return classify_response([exchange], response_codes=answers, now=self.clock())

    def make_request(self, message: Message) -> Request:
        """Return the signed request for a message."""
        body = _write_body(message)
        headers = {"content-type": "application/json"}
        headers |= sign_request(message.delivery, int(self.clock()), body, self.settings.secret)
        if self.settings.basic is not None:
            credentials = base64.b64encode(self.settings.basic.reveal().encode()).decode()
            headers["authorization"] = f"Basic {credentials}"
        guarded = self.needs_contact(self.settings)
        url = message.address if guarded else self.settings.url.reveal()
        return Request(method="POST", url=url, headers=headers, body=body, guarded=guarded)

    def sandbox(self, request: Request) -> Response:  # noqa: ARG002 - the contract's signature
        """Return the answer of a gateway that accepts the request."""
        return Response(status=204)


def sign_request(name: str, at: int, body: bytes, secret: Secret | None) -> dict[str, str]:
    """Return the headers of Standard Webhooks, without a signature where there is no secret."""
    headers = {"webhook-id": name, "webhook-timestamp": str(at)}
    if secret is not None:
        content = b"%b.%d.%b" % (name.encode(), at, body)
        digest = hmac.digest(_read_key(secret), content, sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("url: must be a http:// or https:// address, or {to} alone")
    if parts.username is not None:
        raise ValueError("url: must hold no password; write `basic: user:password`")
    if RECIPIENT_URL in url:
        raise ValueError("url: {to} stands for a whole URL, and alone")


def _is_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_valid and _URL.fullmatch(address) is not None


def _read_key(secret: Secret) -> bytes:
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(KEY_PREFIX) or not 24 <= len(key) <= 64:  # noqa: PLR2004 - the specification's bounds
        raise ValueError(f"secret: must be {KEY_PREFIX} and 24 to 64 bytes in base64")
    return key


def _write_body(message: Message) -> bytes:
    notification = message.notification
    data = dict(notification.data)
    match notification.feed:
        case "push":
            data["notificationDetails"] = notification.details | {
                "title": message.title,
                "body": message.body,
            }
        case "email":
            data["subject"] = message.title
        case "sms":
            data["smsContent"] = message.body
    content = {
        "trigger": f"{notification.feed}-notification-payload-generated",
        "data": data,
        "appId": notification.app_id,
        "region": notification.region,
        "webhook": "custom",
        "title": message.title,
        "body": message.body,
        "router": {
            "id": notification.id,
            "delivery": message.delivery,
            "rule": message.rule,
            "kind": message.kind,
            "data": message.data,
            "link": message.link,
            "image": message.image,
            "sound": message.sound,
            "badge": message.badge,
            **({"quiet": True} if message.quiet else {}),
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


@hookimpl
def register_channels(register: Register) -> None:
    """Register the channel."""
    register(Webhook)
