"""A Google service account, and the access token that it earns for sending.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import asyncio
import base64
import re
from functools import cache, lru_cache
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from router import Delivered, Outcome, Retry, Secret, Suspend
from router.bridge import Exchange, Request, Transport, TransportError, classify_response

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_LIFETIME_S = 3600
RENEWAL_MARGIN_S = 60.0
"""Seconds before its end at which an access token is replaced."""

SHORTEST = 2 * RENEWAL_MARGIN_S
"""Seconds that a token is taken to last at least: each send would fetch one."""

REST = 5.0
"""Seconds until Google is asked again where it gave no answer, or none that counts; a call that
rings can wait so long."""

_OAUTH_CODE = re.compile(r"[a-z][a-z_]{2,40}")


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


class FcmAccessToken:
    """The right to send for one project: its key, loaded once, and the access token it earned."""

    def __init__(self, account: ServiceAccount) -> None:
        """Load the key."""
        self._account = account
        self._key = load_key(account)
        self._renewing = asyncio.Lock()
        self._fetches = 0
        self._refusal: Outcome = Delivered()
        self._expires_at = 0.0
        self.token = ""

    def is_fresh(self, now: float) -> bool:
        """Return whether the access token can still be used."""
        return now < self._expires_at - RENEWAL_MARGIN_S

    def drop(self, token: str) -> None:
        """Forget an access token that is not taken any more, unless there is another by now."""
        if token == self.token:
            self._expires_at = 0.0

    async def renew(self, transport: Transport, *, seconds: float, now: float) -> Outcome | None:
        """Return None with an access token at hand, else why there is none.

        However many need one at a time, one asks; the others get what it was told.
        """
        if self.is_fresh(now):
            return None
        seen = self._fetches
        async with self._renewing:
            if self.is_fresh(now):
                return None
            if seen == self._fetches or isinstance(self._refusal, Delivered):
                await self.fetch(transport, seconds=seconds, now=now)
            return None if isinstance(self._refusal, Delivered) else self._refusal

    async def fetch(self, transport: Transport, *, seconds: float, now: float) -> Outcome:
        """Return `Delivered`, or `Suspend`: without an access token no message goes out."""
        request = self._make_request(now)
        try:
            exchange = Exchange(request, await transport.send(request, timeout=seconds))
        except TransportError as error:
            self._refusal = Suspend(reason=f"no access token: {error.reason}", after=REST)
        else:
            self._refusal = self._read_token(exchange, now)
        self._fetches += 1
        return self._refusal

    def _make_request(self, now: float) -> Request:
        """Return the signed request for an access token."""
        head = {"typ": "JWT", "alg": "RS256", "kid": self._account.private_key_id}
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": int(now),
            "exp": int(now) + TOKEN_LIFETIME_S,
        }
        content = f"{_b64url(msgspec.json.encode(head))}.{_b64url(msgspec.json.encode(claims))}"
        signature = self._key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        form = {"grant_type": GRANT_TYPE, "assertion": f"{content}.{_b64url(signature)}"}
        return Request(
            method="POST",
            url=self._account.token_uri,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )

    def _read_token(self, exchange: Exchange, now: float) -> Outcome:
        """Keep the access token in an answer, or return why there was none."""
        token, seconds = exchange.json_value("access_token"), exchange.json_value("expires_in")
        if exchange.status == HTTPStatus.OK and isinstance(token, str):
            self.token = token
            self._expires_at = now + _bound_lifetime(seconds)
            return Delivered(status=exchange.status)
        outcome = classify_response([exchange], response_codes={}, now=now)
        after = (outcome.after or REST) if isinstance(outcome, Retry) else None
        reason = f"no access token: {_read_refusal(exchange)}"
        return Suspend(reason=reason, after=after, status=exchange.status)


def read_account(secret: Secret) -> ServiceAccount:
    """Return what a service account file says; raises `ValueError` for another text."""
    try:
        account = msgspec.json.decode(secret.reveal(), type=ServiceAccount)
    except (msgspec.DecodeError, ValueError):
        raise ValueError("service_account: must be the text of the JSON file itself") from None
    if account.type != "service_account":
        raise ValueError("service_account: must be a file of type service_account")
    return account


def load_key(account: ServiceAccount) -> rsa.RSAPrivateKey:
    """Return an account's key; raises `ValueError` where it is none."""
    key = _parse_key(account.private_key)
    if key is None:
        raise ValueError("service_account: private_key must be an RSA key in PEM")
    return key


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


def _bound_lifetime(seconds: object) -> float:
    """Return for how many seconds a token lasts, as Google says or else as it was asked for."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return TOKEN_LIFETIME_S
    return min(max(SHORTEST, seconds), TOKEN_LIFETIME_S)


def _read_refusal(exchange: Exchange) -> str:
    """Return why no access token was given: OAuth's word for it, else the status."""
    code = exchange.json_value("error")
    return code if isinstance(code, str) and _OAUTH_CODE.fullmatch(code) else str(exchange.status)


def _b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
