"""Apple's push service on loopback, over HTTP/2 and TLS: it takes whatever it is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

from tests.bridge.certificate import make_authority

ID = "6FA459EA-EE8A-3CA4-894E-DB77E160355E"


class Apple(asyncio.Protocol):
    """One client's connection."""

    def __init__(self) -> None:
        """Wait for the client."""
        config = H2Configuration(
            client_side=False, validate_inbound_headers=False, validate_outbound_headers=False
        )
        self._h2 = H2Connection(config)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Answer every request that came whole."""
        for event in self._h2.receive_data(data):
            match event:
                case DataReceived():
                    size = event.flow_controlled_length
                    self._h2.acknowledge_received_data(size, event.stream_id)
                case StreamEnded():
                    headers = [(":status", "200"), ("apns-id", ID)]
                    self._h2.send_headers(event.stream_id, headers, end_stream=True)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._h2.data_to_send())


@asynccontextmanager
async def being_apple() -> AsyncIterator[int]:
    """Run it on a free port, which is returned."""
    context, _ = make_authority("h2")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Apple, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
