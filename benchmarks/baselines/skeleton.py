"""The least that makes a payload durable before its answer: bare ASGI, and sqlite3 on a thread.

No idempotency, no log, no rules: what the router does beyond this is what it costs beyond this.
"""

import asyncio
import os
import sqlite3
from base64 import b64encode
from hmac import compare_digest
from queue import SimpleQueue
from threading import Thread

import msgspec
from litestar.types import Receive, Scope, Send

from benchmarks.baselines.serving import serve

Waiting = tuple[bytes, "asyncio.Future[None]"]


class Payload(msgspec.Struct):
    """What is asked of a body."""

    trigger: str
    webhook: str
    data: dict[str, object]


class Journal:
    """Commits together whatever arrived while the last commit ran."""

    def __init__(self, path: str) -> None:
        """Write to a file of its own."""
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting] = SimpleQueue()
        Thread(target=self._write, daemon=True).start()

    async def append(self, body: bytes) -> None:
        """Return once the body is on disk."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((body, done))
        await done

    def _write(self) -> None:
        database = sqlite3.connect(self._path, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE payloads (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            database.execute("BEGIN")
            rows = [(body,) for body, _ in batch]
            database.executemany("INSERT INTO payloads (body) VALUES (?)", rows)
            database.execute("COMMIT")
            self._loop.call_soon_threadsafe(_release, batch)


def _release(batch: list[Waiting]) -> None:
    for _, done in batch:
        if not done.done():
            done.set_result(None)


class Webhook:
    """The application."""

    def __init__(self) -> None:
        """Open nothing yet: the journal needs the loop."""
        user, password = os.environ["WEBHOOK_USER"], os.environ["WEBHOOK_PASSWORD"]
        self._expected = b"Basic " + b64encode(f"{user}:{password}".encode())
        self._decoder = msgspec.json.Decoder(Payload)
        self._journal: Journal | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check who it is, decode, make durable, answer."""
        if self._journal is None:
            self._journal = Journal(os.environ["DATABASE"])
        if not compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._expected):
            await _answer(send, 401, b'{"message":"unauthorized"}')
            return
        body = b""
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return
            body += event.get("body", b"")
            if not event.get("more_body", False):
                break
        try:
            self._decoder.decode(body)
        except msgspec.MsgspecError:
            await _answer(send, 400, b'{"message":"not a payload"}')
            return
        await self._journal.append(body)
        await _answer(send, 200, b'{"message":"accepted"}')


async def _answer(send: Send, status: int, content: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})


if __name__ == "__main__":
    serve(Webhook())
