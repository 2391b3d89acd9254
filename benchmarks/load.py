"""The load generator: raw requests over keep-alive connections, one at a time on each.

It writes prepared bytes and reads no more of an answer than its status and its length, so that
it takes a small part of what the subjects take.
"""

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Protocol, cast

from msgspec import Struct

from benchmarks.process import own_cpu

CONNECTIONS = 64
PATIENCE = 120.0
"""Seconds that a load may take beyond its time."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)
_END = b"\r\n\r\n"


class Load(Struct, frozen=True, kw_only=True):
    """What a load did: how long it took, and each answer's latency, in seconds."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int]
    cpu: float
    """Seconds of CPU that the generator itself used."""

    @property
    def refused(self) -> int:
        """Return how many answers were not 200."""
        return sum(n for status, n in self.statuses.items() if status != HTTPStatus.OK)


class Turn(Protocol):
    """Says when a connection may send its next request."""

    def ask(self, go: Callable[[], None]) -> None:
        """Call `go` when it may."""

    def pass_on(self) -> None:
        """Hear of a turn that was not used: there was nothing left to send."""


class AtOnce:
    """As soon as the last request is answered."""

    def ask(self, go: Callable[[], None]) -> None:
        """Call `go`."""
        go()

    def pass_on(self) -> None:
        """Nobody waits for it."""


class Window:
    """So many on their way at once; whoever comes then waits until one has arrived."""

    def __init__(self, size: int) -> None:
        """Let `size` pass before the first has arrived."""
        self._free = size
        self._waiting: deque[Callable[[], None]] = deque()

    def ask(self, go: Callable[[], None]) -> None:
        """Call `go` as soon as there is room."""
        if self._free:
            self._free -= 1
            go()
        else:
            self._waiting.append(go)

    def pass_on(self) -> None:
        """Give the room to another."""
        self.arrived()

    def arrived(self) -> None:
        """Make room for one."""
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._free += 1


class Pace:
    """So many a second, evenly; what was held up is not made up for."""

    def __init__(self, rate: float) -> None:
        """Begin now."""
        self._step = 1 / rate
        self._next = asyncio.get_running_loop().time()

    def ask(self, go: Callable[[], None]) -> None:
        """Call `go` when its time has come."""
        loop = asyncio.get_running_loop()
        self._next = max(self._next + self._step, loop.time())
        loop.call_at(self._next, go)

    def pass_on(self) -> None:
        """Nobody waits for it."""


class Volleys:
    """So many at once, and the next so many when all of those are answered."""

    def __init__(self, size: int) -> None:
        """Wait for `size` to ask, each time."""
        self._size = size
        self._waiting: list[Callable[[], None]] = []

    def ask(self, go: Callable[[], None]) -> None:
        """Call `go` when as many wait as go at once."""
        self._waiting.append(go)
        if len(self._waiting) == self._size:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each()

    def pass_on(self) -> None:
        """Nobody waits for it."""


class _Run:
    """The requests that are left, and what became of those that were sent."""

    def __init__(self, requests: Iterator[bytes], turn: Turn) -> None:
        self._requests = requests
        self.turn = turn
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.deadline = float("inf")
        self._open = 0

    def next(self) -> bytes | None:
        return None if time.perf_counter() >= self.deadline else next(self._requests, None)

    def opened(self) -> None:
        self._open += 1

    def closed(self, error: Exception | None) -> None:
        self._open -= 1
        if self.over.done():
            return
        if error is not None:
            self.over.set_exception(error)
        elif not self._open:
            self.over.set_result(None)


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run, since: float = 0.0) -> None:
        self._run = run
        self._since = since
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._began = 0.0
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is
        self._run.opened()

    def go_on(self) -> None:
        """Send the next request in its turn."""
        self._run.turn.ask(self._send)

    def _send(self) -> None:
        request = self._run.next()
        if self._transport is None:
            return
        if request is None:
            self._is_over = True
            self._transport.close()
            self._run.turn.pass_on()
            return
        self._began, self._since = self._since or time.perf_counter(), 0.0
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        buffer = self._buffer + data if self._buffer else data
        head = buffer.find(_END)
        length = _LENGTH.search(buffer, 0, head) if head >= 0 else None
        if length is None or len(buffer) < head + len(_END) + int(length[1]):
            self._buffer = buffer
            return
        self._buffer = b""
        self._run.latencies.append(now - self._began)
        self._run.statuses[int(buffer[_STATUS])] += 1
        self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.closed(None if self._is_over else exc or ConnectionError("it was closed"))


async def generate(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int = CONNECTIONS,
    seconds: float = float("inf"),
    turn: Turn | None = None,
) -> Load:
    """Send requests to a port of loopback until there are no more, or the time is over.

    Raises `ConnectionError` when the subject closes a connection.
    """
    loop = asyncio.get_running_loop()
    run = _Run(requests, turn or AtOnce())
    clients = [
        (await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    cpu, began = own_cpu(), time.perf_counter()
    run.deadline = began + seconds
    for client in clients:
        client.go_on()
    async with asyncio.timeout(PATIENCE + (seconds if seconds < float("inf") else 0)):
        await run.over
    return Load(
        seconds=time.perf_counter() - began,
        latencies=run.latencies,
        statuses=dict(run.statuses),
        cpu=own_cpu() - cpu,
    )


async def generate_apart(port: int, requests: Iterable[bytes]) -> Load:
    """Send requests all at once, each over a connection of its own; to connect counts, too."""
    loop = asyncio.get_running_loop()

    async def send(request: bytes) -> _Run:
        run = _Run(iter([request]), AtOnce())
        since = time.perf_counter()
        _, client = await loop.create_connection(lambda: _Connection(run, since), "127.0.0.1", port)
        client.go_on()
        await run.over
        return run

    cpu, began = own_cpu(), time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        runs = await asyncio.gather(*map(send, requests))
    return Load(
        seconds=time.perf_counter() - began,
        latencies=[latency for run in runs for latency in run.latencies],
        statuses=dict(Counter(status for run in runs for status in run.statuses)),
        cpu=own_cpu() - cpu,
    )


def join(loads: Sequence[Load]) -> Load:
    """Return loads that came one after the other as one."""
    statuses: Counter[int] = Counter()
    for load in loads:
        statuses.update(load.statuses)
    return Load(
        seconds=sum(load.seconds for load in loads),
        latencies=[latency for load in loads for latency in load.latencies],
        statuses=dict(statuses),
        cpu=sum(load.cpu for load in loads),
    )
