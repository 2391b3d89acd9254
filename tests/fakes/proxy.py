"""An HTTP proxy on loopback: CONNECT for https, the whole URL for http."""

import asyncio
import base64
from contextlib import suppress
from typing import Self

from router.settings import Proxy


class FakeProxy:
    """A real proxy on a free port; `asked` holds the first line of each request it got.

    Where `route` is given, every connection goes to that port of loopback, whatever was asked for.
    """

    def __init__(self, *, user: str = "", password: str = "", route: int = 0) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.is_mute = False
        self._route = route
        self._needed = ""
        if user:
            self._needed = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def proxy(self) -> Proxy:
        return Proxy(host="127.0.0.1", port=self.port)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()
        self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.asked.append(first)
        headers = dict(line.split(": ", 1) for line in lines if line)
        if self.is_mute:
            await asyncio.Event().wait()
        status = self.status if headers.get("Proxy-Authorization", "") == self._needed else 407
        if status != 200:
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
            return
        method, target, _ = first.split(" ")
        if method == "CONNECT":
            there, onward = await self._connect(target)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there, onward = await self._connect(target.split("/")[2])
            path = "/" + target.split("/", 3)[3]
            onward.write(f"{method} {path} HTTP/1.1\r\n".encode())
            onward.write("\r\n".join(lines).encode("latin-1"))
        await asyncio.gather(_pour(reader, onward), _pour(there, writer))

    async def _connect(self, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._route or int(target.rpartition(":")[2])
        return await asyncio.open_connection("127.0.0.1", port)


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()
