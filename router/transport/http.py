"""The transport of every channel: HTTP/1.1 in shared sessions, HTTP/2 and SMTP in pools."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import cache, cached_property, lru_cache
from typing import Any, Literal

import aiohttp
import certifi
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from msgspec import Struct, field
from msgspec.structs import replace
from yarl import URL

from router.channel import Request, Response, TargetError, TransportError
from router.settings import AllowedTarget, Proxies
from router.transport.error_text import TIMED_OUT, fail
from router.transport.http2_pool import ALPN_PROTOCOL, Http2Pool
from router.transport.http2_stream import RequestProgress
from router.transport.smtp_pool import SMTPPool
from router.transport.ssrf_guard import NOT_PUBLIC, BoundedResolver, SSRFError, SSRFGuard

MAX_BODY_BYTES = 1 << 20
"""Bytes of an answer's body that are read; the rest is dropped."""

NO_PROXIES = Proxies()

KEEPALIVE_TIMEOUT_S = 4.0
"""Seconds a connection is kept unused: less than the servers' own five, so that a request
seldom meets a connection that is just being closed."""


class AiohttpTransport:
    """Sends over one shared session: no cookies, no redirects, no `.netrc`.

    URLs go out byte for byte. `rewrite` (tests only) maps a host, or `*` for any other, to
    the base URL of a fake: `{"api.example.com": "http://127.0.0.1:8080"}`; `authorities` are
    further certificates to trust, in PEM (tests only, too). `allowed` are host names and networks
    that a guarded request may go to beside public addresses. HTTP goes through `proxies`, mail
    does not. A guarded request names its checked address to the proxy, not its host: a proxy that
    looks the name up again could get an address that the guard has not checked.
    """

    is_live = True

    def __init__(
        self,
        *,
        rewrite: Mapping[str, str] | None = None,
        authorities: str = "",
        allowed: Iterable[AllowedTarget] = (),
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self._rewrites = dict(rewrite or {})
        self._authorities = authorities
        self._cached_rewrite = lru_cache(256)(self._rewrite_url)
        self._guard = SSRFGuard(allowed)
        self._proxies = proxies
        self._sessions: dict[_SessionKey, aiohttp.ClientSession] = {}

    @cached_property
    def _resolver(self) -> BoundedResolver:
        return BoundedResolver()

    @cached_property
    def _smtp_pool(self) -> SMTPPool:
        return SMTPPool(ssl_context=_make_ssl_context(self._authorities))

    @cached_property
    def _http2_pool(self) -> Http2Pool:
        return Http2Pool(
            ssl_context=_make_ssl_context(self._authorities, ALPN_PROTOCOL), proxies=self._proxies
        )

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Return the answer; raises `TransportError` where none came within `timeout` seconds."""
        if self._rewrites:
            request = self._rewrite_request(request)
        if request.guarded and (request.http2 or request.method == "SMTP"):
            raise TargetError("a recipient's own URL is reached over HTTP/1.1 alone")
        if request.method == "SMTP":
            return await self._smtp_pool.send(request, timeout=timeout)
        progress = RequestProgress()
        try:
            async with asyncio.timeout(timeout):
                if request.http2:
                    return await self._http2_pool.fetch(request, progress)
                return await self._fetch(request, progress)
        except TimeoutError:
            raise TransportError(TIMED_OUT, sent=progress.sent) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, SSRFError):
                raise TargetError(NOT_PUBLIC) from None
            raise fail(error, sent=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise fail(error, sent=progress.sent) from None
        except ValueError as error:
            raise fail(error, sent=False) from None

    async def aclose(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        if "_smtp_pool" in vars(self):
            await self._smtp_pool.aclose()
        if "_http2_pool" in vars(self):
            await self._http2_pool.aclose()

    async def _fetch(self, request: Request, progress: RequestProgress) -> Response:
        # aiohttp calls the connector in this task, so the connector marks this request's progress.
        _PROGRESS.set(progress)
        url = URL(request.url, encoded=True)
        if request.guarded and url.scheme not in {"http", "https"}:
            raise TargetError("a recipient's own URL must be http:// or https://")
        route = await self._choose_route(request, url)
        async with self._get_session(route.share).request(
            request.method,
            route.url,
            headers={**request.headers, **route.headers},
            data=request.body or None,
            allow_redirects=False,
            ssl=request.verify,
            skip_auto_headers={"Content-Type"},
            **route.options,
        ) as response:
            return Response(
                status=response.status,
                headers=_join_headers(response.headers.items()),
                body=await _read_body(response),
            )

    async def _choose_route(self, request: Request, url: URL) -> "_Route":
        """Return the route of a request: direct or through a proxy, guarded or not."""
        host, port = url.host or "", url.port or 0
        guarded = request.guarded and not self._guard.is_allowed_host(host)
        proxy = self._proxies.find(url.scheme, host, port)
        if proxy is None:
            return _Route(share="guarded" if guarded else "own", url=url)
        auth_headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        if url.scheme != "https":
            if guarded:
                raise TargetError("a recipient's own http:// URL does not go through a proxy")
            return _Route(share="own", url=url, headers=auth_headers, options={"proxy": proxy.url})
        options = {"proxy": proxy.url, "proxy_headers": auth_headers}
        if not guarded:
            return _Route(share="own", url=url, options=options)
        address = await self._guard.find_allowed_address(self._resolver, host, port)
        return _Route(
            share="guarded through a proxy",
            url=url.with_host(address),
            headers={"Host": url.host_port_subcomponent or ""},
            options={**options, "server_hostname": host},
        )

    def _get_session(self, share: "_SessionKey") -> aiohttp.ClientSession:
        """Return the session of a share; sessions of different shares have no common connection.

        A kept connection is not checked again, so a guarded request must never get one that an
        unguarded request has opened.
        """
        if share not in self._sessions:
            guarded = share == "guarded"
            self._sessions[share] = aiohttp.ClientSession(
                connector=_ProgressConnector(
                    limit=0,
                    ssl=_make_ssl_context(self._authorities),
                    ttl_dns_cache=60,
                    keepalive_timeout=KEEPALIVE_TIMEOUT_S,
                    socket_factory=self._guard.make_socket if guarded else None,
                    resolver=self._resolver if guarded else None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                trust_env=False,
            )
        return self._sessions[share]

    def _rewrite_request(self, request: Request) -> Request:
        rewrite = self._cached_rewrite(request.url, mail=request.method == "SMTP")
        if rewrite is None:
            return request
        url, host = rewrite
        headers = request.headers
        if request.method != "SMTP":
            headers = {**headers, "Host": host}
        return replace(request, url=url, headers=headers, guarded=False)

    def _rewrite_url(self, url: str, *, mail: bool) -> tuple[str, str] | None:
        """Return the URL at the fake and the host it was for; None when there is no fake."""
        original = URL(url, encoded=True)
        base = self._rewrites.get(original.host or "") or self._rewrites.get("*")
        if base is None:
            return None
        fake = URL(base)
        scheme = original.scheme if mail else fake.scheme
        rewritten = original.with_scheme(scheme) if original.scheme != scheme else original
        target = rewritten.with_host(fake.host or "").with_port(fake.port)
        return str(target), original.host_port_subcomponent or ""


@cache
def _make_ssl_context(authorities: str, protocol: str = "") -> ssl.SSLContext:
    """Return a context that trusts the authorities of the system, of certifi and `authorities`.

    It offers `protocol` by ALPN, if not empty. The context is cached: loading authorities takes a
    hundred times as long as a send.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if authorities:
        context.load_verify_locations(cadata=authorities)
    if protocol:
        context.set_alpn_protocols([protocol])
    return context


_SessionKey = Literal["own", "guarded", "guarded through a proxy"]
"""Requests that may share connections."""


class _Route(Struct, frozen=True, kw_only=True):
    """The session, URL, headers and aiohttp options that take a request to its server."""

    share: _SessionKey
    url: URL
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


_PROGRESS: ContextVar[RequestProgress] = ContextVar("request_progress")


class _ProgressConnector(aiohttp.TCPConnector):
    """Marks a request as sent as soon as it has a connection.

    From then on bytes may go out at any time. A later mark would let the router repeat a request
    that the provider already has.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> Connection:
        """Return a connection and mark the request of the current task as sent."""
        connection = await super().connect(req, traces, timeout)
        _PROGRESS.get().sent = True
        return connection


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    pieces = bytearray()
    while len(pieces) < MAX_BODY_BYTES:
        piece = await response.content.read(MAX_BODY_BYTES - len(pieces))
        if not piece:
            return bytes(pieces)
        pieces += piece
    response.close()
    return bytes(pieces)


def _join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined
