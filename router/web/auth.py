"""Who may come in: CometChat to the webhook, holders of a key to the API.

Credentials are compared as digests, each with every one that is valid, so that the time an
answer takes tells nothing of them.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from router.settings import WEBHOOK_CREDENTIALS, Environment, Scope, is_loopback
from router.web.problems import HTTPError
from router.web.signature import Signer, read_signature

Headers = Iterable[tuple[bytes, bytes]]
"""Header lines as ASGI gives them: names in lower case."""

BASIC = 'Basic realm="router", charset="UTF-8"'
BEARER = {"WWW-Authenticate": 'Bearer realm="router"'}


Proof = Callable[[bytes], None]
"""What a request still has to show once its body is there; raises `Refused`."""


def guard_webhook(environment: Environment) -> Callable[[Headers], Proof | None]:
    """Return a check of a webhook request's headers, which raises `Refused`.

    It returns None where they are enough; a signature leaves its proof to the body. With a
    password and a secret configured, either suffices.
    """
    passwords = _webhook_digests(environment)
    secret, header = environment.webhook_secret, environment.webhook_signature_header
    if not passwords and secret is None and environment.sandbox:
        return _guard_loopback(WEBHOOK_CREDENTIALS)
    signer = None if secret is None else Signer(secret)
    ways = {_NAMED: BASIC} if passwords or signer is None else {}
    if signer is not None:
        ways[f"the body's HMAC-SHA256 in {header}"] = (
            f'HMAC-SHA256 realm="router", header="{header}"'
        )
    wanted = f"send {' or '.join(ways)}"
    challenge = {"WWW-Authenticate": ", ".join(ways.values())}
    name = header.encode()

    def check(headers: Headers) -> Proof | None:
        presented = _credentials(headers, b"basic") if passwords else None
        if presented is not None and _matches_any(sha256(presented).digest(), passwords):
            return None
        signatures = [text for key, text in headers if key == name] if signer is not None else []
        if signer is None or not signatures:
            raise refused(_WRONG if presented is not None else _ask_for(wanted, headers))
        digest = read_signature(signatures[0]) if len(signatures) == 1 else None
        if digest is None:
            raise refused(f"{header} must have one SHA-256 digest in hex or base64")

        def prove(body: bytes) -> None:
            if not signer.has_signed(body, digest):
                raise refused(f"the signature in {header} does not match the body and the secret")

        return prove

    def refused(detail: str) -> HTTPError:
        return HTTPError(HTTPStatus.UNAUTHORIZED, detail, headers=challenge)

    return check


def guard_api(environment: Environment) -> Guard:
    """Return the guard of the API: a handler's `scope` says what key it takes."""
    keys = [(sha256(k.key.reveal().encode()).digest(), k.scope) for k in environment.api_keys]
    local = _guard_loopback("ROUTER_API_KEYS")

    async def check(
        connection: ASGIConnection[BaseRouteHandler, None, None, State], handler: BaseRouteHandler
    ) -> None:
        headers = connection.scope["headers"]
        if not keys and environment.sandbox:
            return local(headers)
        presented = _credentials(headers, b"bearer")
        if not keys:
            raise HTTPError(
                HTTPStatus.UNAUTHORIZED,
                "the router has no API key; set ROUTER_API_KEYS",
                headers=BEARER,
            )
        if presented is None:
            raise HTTPError(
                HTTPStatus.UNAUTHORIZED, "send `Authorization: Bearer KEY`", headers=BEARER
            )
        digest = sha256(presented).digest()
        scopes = [scope for key, scope in keys if compare_digest(digest, key)]
        if not scopes:
            raise HTTPError(HTTPStatus.UNAUTHORIZED, "the API key is invalid", headers=BEARER)
        needed: Scope = handler.opt.get("scope", "operator")
        if needed not in scopes and "operator" not in scopes:
            raise HTTPError(
                HTTPStatus.FORBIDDEN, f"this route needs an API key with the scope {needed}"
            )
        return None

    return check


def _webhook_digests(environment: Environment) -> list[bytes]:
    """Return the digests of what Basic Auth may present, as it is presented: in base64."""
    passwords = (environment.webhook_password, environment.webhook_password_previous)
    return [
        sha256(b64encode(f"{environment.webhook_user}:{password.reveal()}".encode())).digest()
        for password in passwords
        if password is not None and environment.webhook_user
    ]


def _ask_for(wanted: str, headers: Headers) -> str:
    is_doubled = sum(name == b"authorization" for name, _ in headers) > 1
    return "send `Authorization` once" if is_doubled else wanted


def _matches_any(digest: bytes, digests: list[bytes]) -> bool:
    return sum(compare_digest(digest, allowed) for allowed in digests) > 0


def _credentials(headers: Headers, scheme: bytes) -> bytes | None:
    """Return what follows the scheme in the only `Authorization` line; None without it."""
    lines = [text for name, text in headers if name == b"authorization"]
    if len(lines) != 1:
        return None
    parts, _, credentials = lines[0].partition(b" ")
    return credentials.strip() or None if parts.lower() == scheme else None


def _guard_loopback(missing: str) -> Callable[[Headers], None]:
    """Return a check that only this machine's own requests pass.

    A proxy or a tunnel shows itself in `Forwarded` and its like, a page of another site in
    `Origin`, a name that was pointed at this machine in `Host`.
    """

    def check(headers: Headers) -> None:
        lines = list(headers)
        hosts = [text for name, text in lines if name == b"host"]
        origins = [
            urlsplit(text.decode("latin-1")).netloc for name, text in lines if name == b"origin"
        ]
        local = all(is_loopback(_host_of(host)) for host in [*map(_text, hosts), *origins])
        forwarded = any(_FORWARDED.match(name) for name, _ in lines)
        if not hosts or not local or forwarded:
            raise HTTPError(
                HTTPStatus.FORBIDDEN,
                f"sandbox mode without {missing} answers requests of this machine only",
            )

    return check


def _text(line: bytes) -> str:
    return line.decode("latin-1")


def _host_of(authority: str) -> str:
    """Return the host of `host:port`, of `[::1]:port` without its brackets."""
    return _PORT.sub("", authority).strip("[]")


_WRONG = "the user name or the password is invalid"
_NAMED = "a user name and a password (Basic)"
_FORWARDED = re.compile(rb"forwarded$|x-forwarded-")
_PORT = re.compile(r":\d*$")
