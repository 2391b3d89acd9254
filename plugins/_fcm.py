"""Firebase Cloud Messaging, one of the providers of `push`.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages (requests),
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode (answers),
https://developers.google.com/identity/protocols/oauth2/service-account#httprest (tokens).
"""

import base64
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Meta, Struct

from router import Message, Secret
from router.bridge import Build, Hop, Reading, Request, Response
from router.plugins._fcm_message import FcmMessage, compose

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = 3600
LEEWAY = 60.0
"""Seconds before its end at which an access token is replaced."""

BAD_TOKEN = "INVALID_ARGUMENT of the token"  # noqa: S105 - a name

_CODE = re.compile(r"[A-Z][A-Z_]{2,40}")
_OAUTH_CODE = re.compile(r"[a-z][a-z_]{2,40}")

ANSWERS: Mapping[int | str, Reading] = {
    "UNREGISTERED": "gone",
    "NOT_FOUND": "gone",
    BAD_TOKEN: "gone",
    "SENDER_ID_MISMATCH": "rejected",
    "THIRD_PARTY_AUTH_ERROR": "rejected",
    404: "suspend",
}
"""What FCM means; a 404 that is not FCM's own comes from a wrong address, not a dead token."""


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """What a Google service account file says."""

    type: str
    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str = TOKEN_URI

    def __repr__(self) -> str:
        """Name the project alone."""
        return f"ServiceAccount({self.project_id})"


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
    collapse: Annotated[
        Literal["calls", "all"],
        Meta(
            description="What a later message replaces at FCM while the device is away. FCM keeps "
            "four keys a device and drops the rest: with `all`, waiting messages get lost."
        ),
    ] = "calls"

    def __post_init__(self) -> None:
        """Refuse what is no service account."""
        _load_key(_read_account(self.service_account))


@cache
def make_placeholder() -> str:
    """Return a service account of nobody's, for sandbox mode."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = ServiceAccount(
        type="service_account",
        project_id="sandbox",
        private_key_id="sandbox",
        private_key=pem.decode(),
        client_email="router@sandbox.iam.gserviceaccount.com",
    )
    return msgspec.json.encode(account).decode()


class Fcm:
    """One Firebase project: its key, loaded once, and the access token that the key earned."""

    def __init__(self, settings: FcmSettings) -> None:
        """Load the key."""
        self.account = _read_account(settings.service_account)
        self._key = _load_key(self.account)
        self._settings = settings
        self._token = ""
        self._ends = 0.0

    def is_fresh(self, now: float) -> bool:
        """Return whether the access token can still be used."""
        return now < self._ends - LEEWAY

    def ask(self, now: float) -> Request:
        """Return the signed request for an access token."""
        head = {"typ": "JWT", "alg": "RS256", "kid": self.account.private_key_id}
        claims = {
            "iss": self.account.client_email,
            "scope": SCOPE,
            "aud": self.account.token_uri,
            "iat": int(now),
            "exp": int(now) + LIFETIME,
        }
        content = f"{_pack(msgspec.json.encode(head))}.{_pack(msgspec.json.encode(claims))}"
        signature = self._key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        form = {"grant_type": GRANT, "assertion": f"{content}.{_pack(signature)}"}
        return Request(
            method="POST",
            url=self.account.token_uri,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )

    def keep(self, hop: Hop, now: float) -> bool:
        """Keep the access token in an answer; return whether there was one."""
        token, seconds = hop.field("access_token"), hop.field("expires_in")
        if hop.status != HTTPStatus.OK or not isinstance(token, str):
            return False
        self._token = token
        self._ends = now + (seconds if isinstance(seconds, int) else LIFETIME)
        return True

    def drop(self) -> None:
        """Forget the access token: FCM does not take it any more."""
        self._ends = 0.0

    def build(self, message: Message, now: float) -> Build:
        """Return Apprise's class for FCM and what it is made with."""
        return FcmMessage, {
            "project": self.account.project_id,
            "bearer": self._token,
            "message": compose(
                message,
                now=now,
                block=self._settings.notification_block,
                collapse=self._settings.collapse == "all" or message.kind == "call",
            ),
        }


def read_code(hop: Hop) -> str:
    """Return FCM's error code, empty when it took the message; one may blame the token."""
    if hop.status == HTTPStatus.OK:
        return ""
    details = hop.field("error", "details")
    codes = (
        [d.get("errorCode") for d in details if isinstance(d, dict)]
        if isinstance(details, list)
        else []
    )
    code = next((c for c in codes if isinstance(c, str)), hop.field("error", "status"))
    if code == "INVALID_ARGUMENT" and "registration token" in str(hop.field("error", "message")):
        return BAD_TOKEN
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def read_refusal(hop: Hop) -> str:
    """Return why no access token was given: OAuth's word for it, else the status."""
    code = hop.field("error")
    return code if isinstance(code, str) and _OAUTH_CODE.fullmatch(code) else str(hop.status)


def is_send(request: Request) -> bool:
    """Return whether a request carries a message."""
    return request.url.endswith("/messages:send")


def answer(request: Request) -> Response:
    """Answer as Google does: a token, or the name of a message."""
    if is_send(request):
        return Response(status=200, body=b'{"name": "projects/sandbox/messages/1"}')
    return Response(status=200, body=b'{"access_token": "sandbox", "expires_in": 3599}')


def _read_account(secret: Secret) -> ServiceAccount:
    try:
        account = msgspec.json.decode(secret.reveal(), type=ServiceAccount)
    except (msgspec.DecodeError, ValueError):
        raise ValueError("service_account: must be the text of the JSON file itself") from None
    if account.type != "service_account":
        raise ValueError("service_account: must be a file of type service_account")
    return account


def _load_key(account: ServiceAccount) -> rsa.RSAPrivateKey:
    key = _parse_key(account.private_key)
    if key is None:
        raise ValueError("service_account: private_key must be an RSA key in PEM")
    return key


@lru_cache(maxsize=8)
def _parse_key(pem: str) -> rsa.RSAPrivateKey | None:
    """Return an RSA key, None for what is none.

    OpenSSL proves both primes, tens of milliseconds in which no other thread runs; so a text is
    parsed once, however often its settings are checked, opened and loaded again.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (TypeError, ValueError):
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def _pack(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
