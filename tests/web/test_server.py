"""The socket and the server under the site."""

import asyncio
import socket

import httpx
import pytest

from router.web.server import HttpServer, ListenError, listen
from tests.web.harness import Harness


def test_a_connection_sends_at_once_what_is_written() -> None:
    with listen("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_in_use_is_named_with_its_variables() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1 port {port}: .*ROUTER_PORT"):
            listen("127.0.0.1", port)


async def test_a_server_that_is_stopped_ends_and_listens_no_more(harness: Harness) -> None:
    listener = listen("127.0.0.1", 0)
    server = HttpServer(harness.app, grace=5)
    serving = asyncio.create_task(server.serve([listener]))
    await server.listening.wait()
    host, port = listener.getsockname()
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        answer = await client.get("/health/live")
        server.stop()
        await serving
    assert answer.status_code == 200
    assert "server" not in answer.headers
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)
