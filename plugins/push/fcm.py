"""Firebase Cloud Messaging (FCM): its settings, and the meaning of its answers.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages (requests),
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode (answers).
"""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from msgspec import Meta, Struct

from router import Message, Secret
from router.bridge import Build, Exchange, Request, Response, ResponseMeaning
from router.plugins.push.fcm_access_token import FcmAccessToken, load_key, read_account
from router.plugins.push.fcm_message import FcmMessage, compose_message

BAD_TOKEN = "INVALID_ARGUMENT of the token"  # noqa: S105 - a name
THIRD_PARTY_AUTH = "THIRD_PARTY_AUTH_ERROR"

_CODE = re.compile(r"[A-Z][A-Z_]{2,40}")
_TOKEN = re.compile(r"[^\s/'\"()&|!]+")
_TOKEN_FIELD = "message.token"  # noqa: S105 - a field's name

RESPONSE_CODES: Mapping[int | str, ResponseMeaning] = {
    "UNREGISTERED": "gone",
    BAD_TOKEN: "gone",
    "NOT_FOUND": "rejected",
    "SENDER_ID_MISMATCH": "rejected",
    THIRD_PARTY_AUTH: "rejected",
    401: "suspend",
    403: "suspend",
    404: "suspend",
}
"""Meanings of FCM's answers (https://firebase.google.com/docs/cloud-messaging/error-codes).

401 and 403 are about the access token and the project. A 404 without an error code of FCM's comes
from a wrong URL, not from a dead token. A token of another project stays, since a channel of that
project may reach it. `THIRD_PARTY_AUTH_ERROR` is about the Apple key or the web push key in the
Firebase project: messages to iPhones and browsers fail, and those to Android go on.
"""


class FcmSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of Firebase Cloud Messaging, HTTP v1."""

    service_account: Annotated[
        Secret,
        Meta(
            description="Text of the service account's JSON file, as ${file:/run/secrets/fcm.json}."
        ),
    ]
    notification_block: Annotated[
        bool,
        Meta(
            description="Let the device show the message itself. CometChat's SDKs want data alone."
        ),
    ] = False
    channel_id: Annotated[
        str,
        Meta(
            description="Android's notification channel of what the device shows itself; the app "
            "must have created it. Left out, the one in the app's manifest. A rule's data "
            "`channel_id` goes before.",
            max_length=200,
        ),
    ] = ""
    collapse: Annotated[
        Literal["calls", "all"],
        Meta(
            description="What a later message replaces at FCM while the device is away. FCM keeps "
            "four keys a device and drops the rest: with `all`, waiting messages get lost."
        ),
    ] = "calls"

    def __post_init__(self) -> None:
        """Raise `ValueError` for no service account, and for a `channel_id` without effect."""
        load_key(read_account(self.service_account))
        if self.channel_id and not self.notification_block:
            raise ValueError("channel_id: is for what the device shows; set notification_block")


class Fcm:
    """A client of one Firebase project."""

    def __init__(self, settings: FcmSettings) -> None:
        """Load the key."""
        account = read_account(settings.service_account)
        self.access = FcmAccessToken(account)
        self._project = account.project_id
        self._settings = settings

    def build(self, message: Message, now: float) -> Build:
        """Return Apprise's class for FCM and its arguments."""
        return FcmMessage, {
            "project": self._project,
            "bearer": self.access.token,
            "message": compose_message(
                message,
                now=now,
                block=self._settings.notification_block,
                channel_id=self._settings.channel_id,
                collapse=self._settings.collapse == "all" or message.kind == "call",
            ),
        }

    def drop_refused_token(self, exchange: Exchange) -> None:
        """Drop the access token that FCM refused, so that the next send fetches a new one."""
        if (
            exchange.status == HTTPStatus.UNAUTHORIZED
            and read_error_code(exchange) != THIRD_PARTY_AUTH
        ):
            headers = {name.lower(): value for name, value in exchange.request.headers.items()}
            self.access.drop(headers.get("authorization", "").removeprefix("Bearer "))


def is_token(address: str) -> bool:
    """Return whether an address can be a registration token, and no topic or condition."""
    return _TOKEN.fullmatch(address) is not None


def read_error_code(exchange: Exchange) -> str:
    """Return FCM's error code, `BAD_TOKEN` for an invalid token, empty for an accepted message."""
    if exchange.status == HTTPStatus.OK:
        return ""
    codes = (detail.get("errorCode") for detail in _error_details(exchange))
    code = next((c for c in codes if isinstance(c, str)), exchange.json_value("error", "status"))
    if code == "INVALID_ARGUMENT" and _is_token_refused(exchange):
        return BAD_TOKEN
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def is_too_large(exchange: Exchange) -> bool:
    """Return whether FCM refused a message for its size.

    The message of such an INVALID_ARGUMENT reads `Android message is too big` or the like:
    https://github.com/firebase/firebase-admin-go/issues/580
    """
    if exchange.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return True
    text = str(exchange.json_value("error", "message")).lower()
    return read_error_code(exchange) == "INVALID_ARGUMENT" and (
        "too big" in text or "too large" in text
    )


def is_message_request(request: Request) -> bool:
    """Return whether a request carries a message."""
    return request.url.endswith("/messages:send")


def sandbox_response(request: Request) -> Response:
    """Return Google's answer: an access token, or the name of a message."""
    if is_message_request(request):
        return Response(status=200, body=b'{"name": "projects/sandbox/messages/1"}')
    return Response(status=200, body=b'{"access_token": "sandbox", "expires_in": 3599}')


def is_image_or_link_refused(exchange: Exchange) -> bool:
    """Return whether FCM refused the URL of the image or of the link."""
    return any(field.endswith((".image", ".link")) for field in _invalid_fields(exchange))


def _is_token_refused(exchange: Exchange) -> bool:
    """Return whether FCM refused the token: the field or the error message names it."""
    text = str(exchange.json_value("error", "message"))
    return _TOKEN_FIELD in _invalid_fields(exchange) or "registration token" in text


def _invalid_fields(exchange: Exchange) -> list[str]:
    """Return the fields of the message that FCM calls invalid (google.rpc.BadRequest)."""
    violations = (detail.get("fieldViolations") for detail in _error_details(exchange))
    return [
        str(violation.get("field"))
        for items in violations
        for violation in (items if isinstance(items, list) else ())
        if isinstance(violation, dict)
    ]


def _error_details(exchange: Exchange) -> Iterator[dict[str, object]]:
    details = exchange.json_value("error", "details")
    yield from (
        detail
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict)
    )
