"""A provider on loopback that answers what a test tells it to."""

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, Self

from aiohttp import web
from msgspec import Struct, field

from router.channel import Request


class ProviderReply(Struct, frozen=True, kw_only=True):
    """What the provider does with one request.

    `fault`: `hang` never answers, `hold` answers once the test calls `release`, `reset` reads the
    request and cuts the connection, `drip` sends the body a byte at a time, `pause` seconds apart.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    fault: Literal["hang", "hold", "reset", "drip", ""] = ""
    pause: float = 0.05


class FakeProvider:
    """A real HTTP server on a free loopback port.

    `async with Provider() as provider:` serves it; `provider.url` is its base URL. `script`
    replies are used up in order, then `answer` (a callable from the request) speaks.
    `requests` holds every request it read, with the URL as it was asked for and header names in
    lower case.
    """

    url: str
    requests: list[Request]

    def __init__(
        self,
        *script: ProviderReply,
        answer: Callable[[Request], ProviderReply] = lambda _: ProviderReply(),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare the script; with `tls` it is served over HTTPS."""
        self.requests = []
        self._script = deque(script)
        self._answer = answer
        self._tls = tls
        self._stopping = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Answer the requests whose reply is held, and hold none from now on."""
        self._released.set()

    def say(self, replies: Iterable[ProviderReply]) -> None:
        """Put replies at the end of the script."""
        self._script.extend(replies)

    async def __aenter__(self) -> Self:
        """Serve."""
        self._server = web.Server(self._handle)
        listener = await asyncio.get_running_loop().create_server(
            self._server, "127.0.0.1", 0, ssl=self._tls
        )
        self._listener = listener
        port = listener.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, cutting what still hangs."""
        self._stopping.set()
        self._released.set()
        self._listener.close()
        await self._server.shutdown(0.1)
        await self._listener.wait_closed()

    async def _handle(self, message: web.BaseRequest) -> web.StreamResponse:
        request = Request(
            method=message.method,
            url=f"{message.scheme}://{message.headers.get('Host', '')}{message.raw_path}",
            headers={name.lower(): value for name, value in message.headers.items()},
            body=await message.read(),
        )
        self.requests.append(request)
        reply = self._script.popleft() if self._script else self._answer(request)
        if reply.fault == "hang":
            await self._stopping.wait()
        if reply.fault == "hold":
            await self._released.wait()
        if reply.fault in {"hang", "reset"}:
            return _reset_connection(message)
        if reply.fault == "drip":
            return await self._drip(message, reply)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _drip(self, message: web.BaseRequest, reply: ProviderReply) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_length = len(reply.body)
        await response.prepare(message)
        for byte in reply.body:
            await response.write(bytes([byte]))
            with_pause = asyncio.wait_for(self._stopping.wait(), reply.pause)
            try:
                await with_pause
            except TimeoutError:
                continue
            return _reset_connection(message)
        return response


def _reset_connection(message: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection, so that the client sees no orderly end."""
    transport = message.transport
    if transport is not None:
        at_once = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport.abort()
    return web.Response()
