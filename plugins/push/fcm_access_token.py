"""Google service accounts, and the OAuth access tokens that FCM requires.

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
"""Time before its expiry at which an access token is replaced."""

MIN_TOKEN_LIFETIME_S = 2 * RENEWAL_MARGIN_S
"""Shortest lifetime that counts: with a shorter one, each send would fetch a token."""

RETRY_DELAY_S = 5.0
"""Time until the next fetch after a failed one; a ringing call can wait that long."""

_OAUTH_CODE = re.compile(r"[a-z][a-z_]{2,40}")


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """The content of a Google service account file."""

    type: str
    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str = TOKEN_URI

    def __repr__(self) -> str:
        """Return the project's name, and no key."""
        return f"ServiceAccount({self.project_id})"


class FcmAccessToken:
    """The current access token of one project, and the loaded key that fetches a new one."""

    def __init__(self, account: ServiceAccount) -> None:
        """Load the key."""
        self._account = account
        self._key = load_key(account)
        self._renewal_lock = asyncio.Lock()
        self._fetch_count = 0
        self._last_fetch: Outcome = Delivered()
        self._expires_at = 0.0
        self.token = ""

    def is_fresh(self, now: float) -> bool:
        """Return whether the access token is valid for the next minute."""
        return now < self._expires_at - RENEWAL_MARGIN_S

    def drop(self, token: str) -> None:
        """Expire a refused access token, unless a newer one has replaced it."""
        if token == self.token:
            self._expires_at = 0.0

    async def renew(self, transport: Transport, *, seconds: float, now: float) -> Outcome | None:
        """Return None once there is a valid access token, else the outcome of fetching it.

        Of many concurrent calls, one fetches the token, and the others share the outcome.
        """
        if self.is_fresh(now):
            return None
        earlier_count = self._fetch_count
        async with self._renewal_lock:
            if self.is_fresh(now):
                return None
            if earlier_count == self._fetch_count or isinstance(self._last_fetch, Delivered):
                await self.fetch(transport, seconds=seconds, now=now)
            return None if isinstance(self._last_fetch, Delivered) else self._last_fetch

    async def fetch(self, transport: Transport, *, seconds: float, now: float) -> Outcome:
        """Fetch an access token; return `Delivered`, or `Suspend` where there is none."""
        request = self._make_request(now)
        try:
            exchange = Exchange(request, await transport.send(request, timeout=seconds))
        except TransportError as error:
            self._last_fetch = Suspend(
                reason=f"no access token: {error.reason}", after=RETRY_DELAY_S
            )
        else:
            self._last_fetch = self._read_token(exchange, now)
        self._fetch_count += 1
        return self._last_fetch

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
        """Store the access token of an answer, and return the outcome."""
        token, seconds = exchange.json_value("access_token"), exchange.json_value("expires_in")
        if exchange.status == HTTPStatus.OK and isinstance(token, str):
            self.token = token
            self._expires_at = now + _bound_lifetime(seconds)
            return Delivered(status=exchange.status)
        outcome = classify_response([exchange], response_codes={}, now=now)
        after = (outcome.after or RETRY_DELAY_S) if isinstance(outcome, Retry) else None
        reason = f"no access token: {_read_refusal(exchange)}"
        return Suspend(reason=reason, after=after, status=exchange.status)


def read_account(secret: Secret) -> ServiceAccount:
    """Return the service account in a JSON text; raises `ValueError` for another text."""
    try:
        account = msgspec.json.decode(secret.reveal(), type=ServiceAccount)
    except (msgspec.DecodeError, ValueError):
        raise ValueError("service_account: must be the text of the JSON file itself") from None
    if account.type != "service_account":
        raise ValueError("service_account: must be a file of type service_account")
    return account


def load_key(account: ServiceAccount) -> rsa.RSAPrivateKey:
    """Return an account's private key; raises `ValueError` for another text."""
    key = _parse_key(account.private_key)
    if key is None:
        raise ValueError("service_account: private_key must be an RSA key in PEM")
    return key


@cache
def make_placeholder_account() -> str:
    """Return a service account with a random key in JSON, for sandbox mode."""
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
    """Return the RSA key in a PEM text, None for another text.

    OpenSSL checks both primes for tens of milliseconds, during which no other thread runs. The
    cache lets checks, starts and reloads of the same settings share one parse.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (TypeError, ValueError):
        return None
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def _bound_lifetime(seconds: object) -> float:
    """Return a token's lifetime in seconds: Google's within bounds, else the requested one."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return TOKEN_LIFETIME_S
    return min(max(MIN_TOKEN_LIFETIME_S, seconds), TOKEN_LIFETIME_S)


def _read_refusal(exchange: Exchange) -> str:
    """Return the OAuth error code of a refused request, else its status."""
    code = exchange.json_value("error")
    return code if isinstance(code, str) and _OAUTH_CODE.fullmatch(code) else str(exchange.status)


def _b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
