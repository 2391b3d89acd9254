"""Who may come in: CometChat to the webhook, holders of a key to the API.

Credentials are compared as digests, each with every one that is valid, so that the time an
answer takes tells nothing of them.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from router.settings import Environment, Scope, is_loopback
from router.web.problems import Refused

Headers = Iterable[tuple[bytes, bytes]]
"""Header lines as ASGI gives them: names in lower case."""

BASIC = {"WWW-Authenticate": 'Basic realm="router", charset="UTF-8"'}
BEARER = {"WWW-Authenticate": 'Bearer realm="router"'}


def guard_webhook(environment: Environment) -> Callable[[Headers], None]:
    """Return a check of a webhook request's headers, which raises `Refused`.

    A signature will be a second way in; being made over the body, it has to be checked when
    the body has been read.
    """
    valid = _webhook_digests(environment)
    if not valid and environment.sandbox:
        return _guard_loopback("ROUTER_WEBHOOK_USER and ROUTER_WEBHOOK_PASSWORD")

    def check(headers: Headers) -> None:
        presented = _credentials(headers, b"basic")
        if presented is None:
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "send a user name and a password (Basic)", headers=BASIC
            )
        try:
            digest = sha256(b64decode(presented, validate=True)).digest()
        except NotBase64:
            digest = b""
        if not sum(compare_digest(digest, known) for known in valid):
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "the user name or the password is wrong", headers=BASIC
            )

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
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "the API is closed until ROUTER_API_KEYS holds a key",
                headers=BEARER,
            )
        if presented is None:
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "send `Authorization: Bearer KEY`", headers=BEARER
            )
        digest = sha256(presented).digest()
        scopes = [scope for known, scope in keys if compare_digest(digest, known)]
        if not scopes:
            raise Refused(HTTPStatus.UNAUTHORIZED, "the key is wrong", headers=BEARER)
        needed: Scope = handler.opt.get("scope", "operator")
        if needed not in scopes and "operator" not in scopes:
            raise Refused(HTTPStatus.FORBIDDEN, f"this takes a key with the scope {needed}")
        return None

    return check


def _webhook_digests(environment: Environment) -> list[bytes]:
    passwords = (environment.webhook_password, environment.webhook_password_previous)
    return [
        sha256(f"{environment.webhook_user}:{password.reveal()}".encode()).digest()
        for password in passwords
        if password is not None and environment.webhook_user
    ]


def _credentials(headers: Headers, scheme: bytes) -> bytes | None:
    """Return what follows the scheme in the only `Authorization` line; None without it."""
    lines = [text for name, text in headers if name == b"authorization"]
    if len(lines) != 1:
        return None
    said, _, credentials = lines[0].partition(b" ")
    return credentials.strip() or None if said.lower() == scheme else None


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
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"sandbox mode without {missing} answers this machine's own requests only",
            )

    return check


def _text(line: bytes) -> str:
    return line.decode("latin-1")


def _host_of(authority: str) -> str:
    """Return the host of `host:port`, of `[::1]:port` without its brackets."""
    return _PORT.sub("", authority).strip("[]")


_FORWARDED = re.compile(rb"forwarded$|x-forwarded-")
_PORT = re.compile(r":\d*$")
