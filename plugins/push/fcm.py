"""Firebase Cloud Messaging, one of the providers of `push`.

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
"""What FCM means: its 401 and 403 are about the access token and the project, as
https://firebase.google.com/docs/cloud-messaging/error-codes says. A 404 that is not FCM's own comes
from a wrong address, not a dead token.

Of a token of another project nothing is known, so it stays: a channel of that project may reach
it. `THIRD_PARTY_AUTH_ERROR` tells of the Apple or web push key in the Firebase project: it costs
messages to iPhones and browsers, and Android's go on.
"""


class FcmSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Firebase Cloud Messaging, HTTP v1."""

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
        """Refuse what is no service account, and a channel for what is not shown."""
        load_key(read_account(self.service_account))
        if self.channel_id and not self.notification_block:
            raise ValueError("channel_id: is for what the device shows; set notification_block")


class Fcm:
    """One Firebase project."""

    def __init__(self, settings: FcmSettings) -> None:
        """Load the key."""
        account = read_account(settings.service_account)
        self.access = FcmAccessToken(account)
        self._project = account.project_id
        self._settings = settings

    def build(self, message: Message, now: float) -> Build:
        """Return Apprise's class for FCM and what it is made with."""
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
        """Let the next send get a new access token where this one was refused."""
        if (
            exchange.status == HTTPStatus.UNAUTHORIZED
            and read_error_code(exchange) != THIRD_PARTY_AUTH
        ):
            headers = {name.lower(): value for name, value in exchange.request.headers.items()}
            self.access.drop(headers.get("authorization", "").removeprefix("Bearer "))


def is_token(address: str) -> bool:
    """Return whether an address can name a device: topics and conditions name many."""
    return _TOKEN.fullmatch(address) is not None


def read_error_code(exchange: Exchange) -> str:
    """Return FCM's error code, empty when it took the message; one may blame the token."""
    if exchange.status == HTTPStatus.OK:
        return ""
    codes = (detail.get("errorCode") for detail in _details(exchange))
    code = next((c for c in codes if isinstance(c, str)), exchange.json_value("error", "status"))
    if code == "INVALID_ARGUMENT" and _is_about_token(exchange):
        return BAD_TOKEN
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def is_too_large(exchange: Exchange) -> bool:
    """Return whether FCM refused a message for its size.

    Its words are `Android message is too big` and the like, beside INVALID_ARGUMENT:
    https://github.com/firebase/firebase-admin-go/issues/580
    """
    if exchange.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return True
    words = str(exchange.json_value("error", "message")).lower()
    return read_error_code(exchange) == "INVALID_ARGUMENT" and (
        "too big" in words or "too large" in words
    )


def is_message_request(request: Request) -> bool:
    """Return whether a request carries a message."""
    return request.url.endswith("/messages:send")


def sandbox_response(request: Request) -> Response:
    """Answer as Google does: a token, or the name of a message."""
    if is_message_request(request):
        return Response(status=200, body=b'{"name": "projects/sandbox/messages/1"}')
    return Response(status=200, body=b'{"access_token": "sandbox", "expires_in": 3599}')


def is_about_ornament(exchange: Exchange) -> bool:
    """Return whether an argument that FCM finds invalid is the URL of an image or of a link."""
    return any(field.endswith((".image", ".link")) for field in _invalid_fields(exchange))


def _is_about_token(exchange: Exchange) -> bool:
    """Return whether an argument that FCM finds invalid is the token, by field or by words."""
    words = str(exchange.json_value("error", "message"))
    return _TOKEN_FIELD in _invalid_fields(exchange) or "registration token" in words


def _invalid_fields(exchange: Exchange) -> list[str]:
    """Return the fields of the message that FCM finds invalid (google.rpc.BadRequest)."""
    violations = (detail.get("fieldViolations") for detail in _details(exchange))
    return [
        str(violation.get("field"))
        for items in violations
        for violation in (items if isinstance(items, list) else ())
        if isinstance(violation, dict)
    ]


def _details(exchange: Exchange) -> Iterator[dict[str, object]]:
    details = exchange.json_value("error", "details")
    yield from (
        detail
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict)
    )
