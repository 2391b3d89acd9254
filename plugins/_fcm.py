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
from router.bridge import Build, Hop, Reading, Request, Response
from router.plugins._fcm_account import Access, load_key, read_account
from router.plugins._fcm_message import FcmMessage, compose

BAD_TOKEN = "INVALID_ARGUMENT of the token"  # noqa: S105 - a name
FOREIGN_AUTH = "THIRD_PARTY_AUTH_ERROR"

_CODE = re.compile(r"[A-Z][A-Z_]{2,40}")
_TOKEN = re.compile(r"[^\s/'\"()&|!]+")
_TOKEN_FIELD = "message.token"  # noqa: S105 - a field's name

ANSWERS: Mapping[int | str, Reading] = {
    "UNREGISTERED": "gone",
    BAD_TOKEN: "gone",
    "NOT_FOUND": "rejected",
    "SENDER_ID_MISMATCH": "rejected",
    FOREIGN_AUTH: "rejected",
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
        self.access = Access(account)
        self._project = account.project_id
        self._settings = settings

    def build(self, message: Message, now: float) -> Build:
        """Return Apprise's class for FCM and what it is made with."""
        return FcmMessage, {
            "project": self._project,
            "bearer": self.access.token,
            "message": compose(
                message,
                now=now,
                block=self._settings.notification_block,
                channel_id=self._settings.channel_id,
                collapse=self._settings.collapse == "all" or message.kind == "call",
            ),
        }

    def heed(self, hop: Hop) -> None:
        """Let the next send get a new access token where this one was refused."""
        if hop.status == HTTPStatus.UNAUTHORIZED and read_code(hop) != FOREIGN_AUTH:
            headers = {name.lower(): value for name, value in hop.request.headers.items()}
            self.access.drop(headers.get("authorization", "").removeprefix("Bearer "))


def is_token(address: str) -> bool:
    """Return whether an address can name a device: topics and conditions name many."""
    return _TOKEN.fullmatch(address) is not None


def read_code(hop: Hop) -> str:
    """Return FCM's error code, empty when it took the message; one may blame the token."""
    if hop.status == HTTPStatus.OK:
        return ""
    codes = (detail.get("errorCode") for detail in _details(hop))
    code = next((c for c in codes if isinstance(c, str)), hop.field("error", "status"))
    if code == "INVALID_ARGUMENT" and _blames_token(hop):
        return BAD_TOKEN
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def is_too_large(hop: Hop) -> bool:
    """Return whether FCM refused a message for its size.

    Its words are `Android message is too big` and the like, beside INVALID_ARGUMENT:
    https://github.com/firebase/firebase-admin-go/issues/580
    """
    if hop.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return True
    words = str(hop.field("error", "message")).lower()
    return read_code(hop) == "INVALID_ARGUMENT" and ("too big" in words or "too large" in words)


def is_send(request: Request) -> bool:
    """Return whether a request carries a message."""
    return request.url.endswith("/messages:send")


def answer(request: Request) -> Response:
    """Answer as Google does: a token, or the name of a message."""
    if is_send(request):
        return Response(status=200, body=b'{"name": "projects/sandbox/messages/1"}')
    return Response(status=200, body=b'{"access_token": "sandbox", "expires_in": 3599}')


def blames_ornament(hop: Hop) -> bool:
    """Return whether an argument that FCM finds invalid is the URL of an image or of a link."""
    return any(field.endswith((".image", ".link")) for field in _blamed_fields(hop))


def _blames_token(hop: Hop) -> bool:
    """Return whether an argument that FCM finds invalid is the token, by field or by words."""
    words = str(hop.field("error", "message"))
    return _TOKEN_FIELD in _blamed_fields(hop) or "registration token" in words


def _blamed_fields(hop: Hop) -> list[str]:
    """Return the fields of the message that FCM finds invalid (google.rpc.BadRequest)."""
    violations = (detail.get("fieldViolations") for detail in _details(hop))
    return [
        str(violation.get("field"))
        for found in violations
        for violation in (found if isinstance(found, list) else ())
        if isinstance(violation, dict)
    ]


def _details(hop: Hop) -> Iterator[dict[str, object]]:
    details = hop.field("error", "details")
    yield from (
        one for one in (details if isinstance(details, list) else ()) if isinstance(one, dict)
    )
