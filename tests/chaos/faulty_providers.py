"""Providers that do anything but answer properly, each on a port of its own."""

import asyncio
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from tests.chaos.certificates import DAY, Authority

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]
PAUSE = 0.3
BOMB = 256
"""MiB that the small answer of `bomb` unpacks to."""


class Misfit(NamedTuple):
    """A provider, and what the log has to say of a try: outcome, status and reason."""

    behave: Behave
    outcome: str
    status: int | None
    reason: str
    tls: ssl.SSLContext | None = None


async def _answer(writer: asyncio.StreamWriter, head: str, body: bytes = b"") -> None:
    writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def thrive(writer: asyncio.StreamWriter) -> None:
    await _answer(writer, "204 No Content")


async def hang(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def reset(writer: asyncio.StreamWriter) -> None:
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


async def leave(_: asyncio.StreamWriter) -> None:
    pass


async def babble(writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(range(256)) * 4)
    await writer.drain()


async def contradict(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nTransfer-Encoding: soon\r\n\r\nwell")
    await writer.drain()


async def never_begin(writer: asyncio.StreamWriter) -> None:
    """Send heads, and more heads."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: %b\r\n" % (b"x" * 1000))
        await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(PAUSE)


async def storm(writer: asyncio.StreamWriter) -> None:
    await _answer(writer, "429 Too Many Requests\r\nRetry-After: 2")


async def fall_over(writer: asyncio.StreamWriter) -> None:
    await _answer(writer, "500 Internal Server Error", b"<html>oops")


async def redirect(writer: asyncio.StreamWriter) -> None:
    host, port = writer.get_extra_info("sockname")[:2]
    await _answer(writer, f"302 Found\r\nLocation: http://{host}:{port}/notify")


async def never_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


def pack(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join(pieces) + packer.flush()


def all_of_them(authority: Authority) -> dict[str, Misfit]:
    """Return the providers by name."""
    packed = pack(BOMB)

    async def bomb(writer: asyncio.StreamWriter) -> None:
        await _answer(writer, "200 OK\r\nContent-Encoding: gzip", packed)

    late, untrusted = "timed out", "the server's certificate is not trusted"
    return {
        "tls": Misfit(thrive, "delivered", 204, "", authority.serve()),
        "wrongname": Misfit(thrive, "retry", None, untrusted, authority.serve("elsewhere.example")),
        "outdated": Misfit(thrive, "retry", None, untrusted, authority.serve(valid=-DAY)),
        "selfsigned": Misfit(thrive, "retry", None, untrusted, authority.serve(signed=False)),
        "hang": Misfit(hang, "unknown", None, late),
        "reset": Misfit(reset, "unknown", None, "the connection was reset"),
        "leave": Misfit(leave, "unknown", None, "the connection was closed without an answer"),
        "babble": Misfit(babble, "unknown", None, "the answer is not HTTP"),
        "contradict": Misfit(contradict, "unknown", None, "the answer is not HTTP"),
        "neverbegin": Misfit(never_begin, "unknown", None, "the answer is not HTTP"),
        "drip": Misfit(drip, "unknown", None, late),
        "storm": Misfit(storm, "retry", 429, "429 too many requests"),
        "fallover": Misfit(fall_over, "retry", 500, "500 internal server error"),
        "redirect": Misfit(redirect, "rejected", 302, "302 found"),
        "neverend": Misfit(never_end, "delivered", 200, ""),
        "bomb": Misfit(bomb, "delivered", 200, ""),
    }


@asynccontextmanager
async def serving(misfits: dict[str, Misfit]) -> AsyncIterator[dict[str, str]]:
    """Run the providers; give the URL of each."""
    async with AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for name, misfit in misfits.items():
            server = await asyncio.start_server(
                _receive(misfit.behave), "127.0.0.1", 0, ssl=misfit.tls
            )
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            urls[name] = f"http{'s' if misfit.tls else ''}://localhost:{port}/notify"
        yield urls


def _receive(
    behave: Behave,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = head.partition(b"content-length:")[2].split(maxsplit=1)[0]
            await reader.readexactly(int(size))
            await behave(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return receive
