"""Providers on loopback that fail in every way, and quote in each answer what they were sent."""

import json
import socketserver
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from threading import Lock, Thread
from typing import ClassVar

FIELDS = (
    *(
        "error",
        "error_description",
        "message",
        "detail",
        "code",
        "status",
        "errorCode",
        "ErrorCode",
    ),
    *("id", "sid", "name", "ts", "channel", "message_id", "MessageID", "messageId", "success"),
)
"""Where clients look for codes, texts and ids."""
MODES = ("taken", "500", "302", "400", "html", "reset", "hang", "401")
"""What becomes of the first, the second, … request with the same credentials."""


class Echo(BaseHTTPRequestHandler):
    """Answers the n-th request of a kind in the n-th mode."""

    protocol_version = "HTTP/1.1"
    counts: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[Lock] = Lock()
    access_token: ClassVar[str] = ""

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        told = f"{self.path} {dict(self.headers)} {body.decode(errors='replace')}"
        if self.path == "/token":
            self._grant(told)
            return
        with self.lock:
            kind = f"{self.headers['host']}{self.path}{self.headers.get('authorization', '')}"
            mode = MODES[self.counts[kind] % len(MODES)]
            self.counts[kind] += 1
        if mode == "hang":
            time.sleep(2.5)
        if mode in {"hang", "reset"}:
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        status = {"taken": 200, "html": 422}.get(mode) or int(mode)
        self._answer(status, told, is_json=mode != "html")

    do_GET = do_PUT = do_POST  # noqa: N815 - the library's own names

    def _grant(self, told: str) -> None:
        """Give an access token to the first who asks, and quote the request to the next."""
        with self.lock:
            self.counts["/token"] += 1
            first = self.counts["/token"] == 1
        if first:
            granted = {"access_token": self.access_token, "expires_in": 3600}
            self._answer(200, told, content=json.dumps(granted).encode())
        else:
            self._answer(400, told)

    def _answer(
        self, status: int, told: str, *, is_json: bool = True, content: bytes | None = None
    ) -> None:
        if content is None:
            quoted: dict[str, object] = dict.fromkeys(FIELDS, told)
            text = json.dumps({**quoted, "ok": False, "errors": [told], "details": told})
            content = (text if is_json else f"<p>{told}</p>").encode()
        self.send_response(status)
        for name in ("location", "www-authenticate", "x-request-id", "set-cookie"):
            self.send_header(name, told.encode("ascii", "replace").decode().replace("\n", " "))
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class MailEcho(socketserver.StreamRequestHandler):
    """A mail server that offers AUTH and refuses it, quoting the credentials."""

    def handle(self) -> None:
        """Refuse everything."""
        self._say("220 mail.test")
        for line in iter(self.rfile.readline, b""):
            said = line.decode(errors="replace").strip()
            if said.upper().startswith("EHLO"):
                self._say("250-mail.test")
                self._say("250 AUTH PLAIN LOGIN")
            else:
                self._say(f"535 5.7.8 refused: {said}")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def echoing(access_token: str) -> Iterator[dict[str, str]]:
    """Run the providers; gives the rewrites that lead to them."""
    Echo.counts.clear()
    Echo.access_token = access_token
    web, mail = ThreadingHTTPServer(("127.0.0.1", 0), Echo), _MailServer(("127.0.0.1", 0), MailEcho)
    web.daemon_threads = True
    with ExitStack() as stack:
        for server in (web, mail):
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        yield {
            "*": f"http://127.0.0.1:{web.server_address[1]}",
            "mail.test": f"http://127.0.0.1:{mail.server_address[1]}",
        }
