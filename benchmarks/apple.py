"""Apple's push service on loopback, over HTTP/2 and TLS: it takes whatever it is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from hpack import Encoder, NeverIndexedHeaderTuple

from router.transport.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    FrameReader,
    FrameType,
    SettingsParameter,
    write_frame,
    write_number,
    write_settings,
)
from tests.transport.certificate import make_authority

ID = b"6FA459EA-EE8A-3CA4-894E-DB77E160355E"

_ANSWER = Encoder().encode([(b":status", b"200"), NeverIndexedHeaderTuple(b"apns-id", ID)])
_WINDOW = 1 << 30


class Apple(asyncio.Protocol):
    """One client's connection; the headers of requests are not looked at."""

    def __init__(self) -> None:
        """Wait for the client."""
        self._reader = FrameReader()
        self._greeting = len(PREFACE)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello, with room for every body."""
        self._transport = cast(asyncio.Transport, transport)
        settings = write_settings({SettingsParameter.MAX_CONCURRENT_STREAMS: 1000})
        self._transport.write(settings + write_number(FrameType.WINDOW_UPDATE, 0, _WINDOW))

    def data_received(self, data: bytes) -> None:
        """Answer every request that came whole."""
        skipped = min(self._greeting, len(data))
        self._greeting -= skipped
        answers = []
        for frame in self._reader.read(data[skipped:]):
            if frame.kind == FrameType.SETTINGS and not frame.flags & ACK:
                answers.append(write_frame(FrameType.SETTINGS, ACK, 0))
            elif frame.kind in {FrameType.DATA, FrameType.HEADERS} and frame.flags & END_STREAM:
                flags = END_HEADERS | END_STREAM
                answers.append(write_frame(FrameType.HEADERS, flags, frame.stream_id, _ANSWER))
        if answers and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(answers))


@asynccontextmanager
async def being_apple() -> AsyncIterator[int]:
    """Run it on a free port, which is returned."""
    context, _ = make_authority("h2")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Apple, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
