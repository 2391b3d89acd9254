"""A team's own gateway on loopback, in a thread: what a live router hands over is kept."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Gateway:
    """Remembers the bodies it was posted, in order."""

    def __init__(self, port: int, taken: list[dict[str, Any]]) -> None:
        self.url = f"http://127.0.0.1:{port}/notify"
        self.taken = taken

    @property
    def texts(self) -> list[str]:
        return [body["body"] for body in self.taken]


@contextmanager
def listening() -> Iterator[Gateway]:
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.send_header("content-length", "0")
            self.end_headers()

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
