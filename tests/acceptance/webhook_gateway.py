"""A team's own gateway on loopback: in a thread, keeping what it gets, or on the loop."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiohttp import web

from router.testing import ProviderReply

TAKEN = ProviderReply(status=204, body=b"")


class Gateway:
    """Remembers the bodies it was posted, in order."""

    def __init__(self, port: int, taken: list[dict[str, Any]]) -> None:
        self.url = f"http://127.0.0.1:{port}/notify"
        self.taken = taken

    @property
    def texts(self) -> list[str]:
        return [body["body"] for body in self.taken]


@contextmanager
def listening(
    answer: Callable[[dict[str, Any]], ProviderReply] = lambda _: TAKEN,
) -> Iterator[Gateway]:
    """Answer each body that is posted; the status, headers and body of a reply count."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            taken.append(body)
            reply = answer(body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", f"{len(reply.body)}")
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Gateway(server.server_address[1], taken)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def answering(
    take: Callable[[web.Request], Awaitable[web.StreamResponse]],
    port: int = 0,
    *,
    until_gone: bool = False,
) -> AsyncIterator[str]:
    """Answer what is posted to a URL on the loop, and give the URL; any port unless one is named.

    `until_gone` calls an answer off when whoever asked for it is gone.
    """
    application = web.Application()
    application.router.add_post("/notify", take)
    runner = web.AppRunner(application, shutdown_timeout=0, handler_cancellation=until_gone)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    finally:
        await runner.cleanup()
