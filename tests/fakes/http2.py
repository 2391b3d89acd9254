"""An HTTP/2 server on loopback, over TLS, that answers what a test tells it to."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import Self, cast

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PingReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes, Settings

from router.channel import Request
from router.testing import ProviderReply
from tests.transport.certificate import make_authority


class Fault(Enum):
    """What the server does instead of answering."""

    HANG = auto()
    """Nothing."""
    REFUSE = auto()
    """Refuse the stream before looking at it."""
    RESET = auto()
    """Reset the stream half-way."""
    CUT = auto()
    """Cut the connection."""
    LEAVE = auto()
    """Go away without having looked at this request."""
    LEAVE_LATER = auto()
    """Go away, and answer this request after that."""
    GARBLE = auto()
    """Speak something else."""


Act = ProviderReply | Fault

FRAME = 16384
"""Bytes that a frame holds at most."""

_GARBLED = bytes.fromhex("000004 08 00 00000000 00000000")
"""A window opened by nothing at all, which RFC 9113 forbids (6.9)."""


class Http2Provider:
    """A real HTTP/2 server on a free loopback port.

    `script` is used up in order, then `answer` speaks. `requests` holds what was read whole.
    """

    def __init__(
        self,
        *script: Act,
        answer: Callable[[Request], Act] = lambda _: ProviderReply(),
        protocol: str = "h2",
        most: int = 1000,
        window: int = 65535,
    ) -> None:
        self.requests: list[Request] = []
        self.connections: list[Connection] = []
        self.resets: list[int] = []
        self.most, self.window = most, window
        self.most_at_once = 0
        self.pings = 0
        self.is_reading = True
        """Whether room is given for what was read."""
        self.reached = asyncio.Event()
        self.url = ""
        self._script = deque(script)
        self._answer = answer
        self._protocol = protocol

    def fall_mute(self) -> None:
        """Hear nothing any more over the connections there are."""
        for connection in self.connections:
            connection.is_mute = True

    async def took(self, count: int) -> None:
        """Return when so many requests have been read."""
        async with asyncio.timeout(10):
            while len(self.requests) < count:
                self.reached.clear()
                await self.reached.wait()

    async def opened(self, count: int) -> None:
        """Return when so many requests are open at a time, whole or not."""
        async with asyncio.timeout(10):
            while self.connections == [] or self.connections[-1].open_streams < count:
                self.reached.clear()
                await self.reached.wait()

    def say(self, *acts: Act) -> None:
        """Put acts at the end of the script."""
        self._script.extend(acts)

    def answer_with(self, answer: Callable[[Request], Act]) -> None:
        """Answer in another way from now on."""
        self._answer = answer

    def act_on(self, request: Request) -> Act:
        """Return what is done with a request."""
        self.requests.append(request)
        self.reached.set()
        return self._script.popleft() if self._script else self._answer(request)

    async def __aenter__(self) -> Self:
        tls, _ = make_authority(self._protocol)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", 0, ssl=tls, backlog=1024
        )
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self.connections:
            connection.cut()
        await self._server.wait_closed()


class _Openness(H2ConnectionStateMachine):
    """A server that goes away still answers what it took."""

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        return [] if input_ is ConnectionInputs.SEND_GOAWAY else super().process_input(input_)


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, provider: Http2Provider) -> None:
        self.is_mute = False
        self._provider = provider
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._h2.state_machine = _Openness()
        self._open: dict[int, tuple[dict[str, str], bytearray]] = {}
        self._last: float = inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._provider.connections.append(self)
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: self._provider.most,
                SettingCodes.INITIAL_WINDOW_SIZE: self._provider.window,
            },
        )
        self._h2.initiate_connection()
        self.flush()

    @property
    def open_streams(self) -> int:
        """How many requests were begun and not answered."""
        return len(self._open)

    def allow(self, most: int) -> None:
        """Change how many streams there may be at a time."""
        self.change_settings({SettingCodes.MAX_CONCURRENT_STREAMS: most})
        self.flush()

    def change_settings(self, values: dict[SettingCodes, int]) -> None:
        """Change settings, with the next flush."""
        self._h2.update_settings({int(key): value for key, value in values.items()})

    def refuse(self, stream: int) -> None:
        """Refuse a stream that was begun, with the next flush."""
        self._open.pop(stream)
        self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)

    def go_away(self, last: int) -> None:
        """Take nothing after a stream."""
        self._last = last
        self._h2.close_connection(ErrorCodes.NO_ERROR, b'{"reason":"Shutdown"}', last)
        self.flush()

    def cut(self) -> None:
        """End without a word."""
        self._last = 0
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.is_mute:
            return
        for event in self._h2.receive_data(data):
            self._heed(event)
        self.flush()

    def flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _heed(self, event: Event) -> None:
        match event:
            case RequestReceived():
                headers = cast(list[tuple[str, str]], event.headers)
                names = [name for name, _ in headers]
                assert len(names) == len(set(names)), f"a header is repeated: {names}"
                self._open[event.stream_id] = dict(headers), bytearray()
                self._provider.reached.set()
                self._provider.most_at_once = max(self._provider.most_at_once, len(self._open))
            case DataReceived():
                if event.stream_id in self._open:
                    self._open[event.stream_id][1].extend(event.data)
                size = event.flow_controlled_length
                if self._provider.is_reading:
                    self._h2.acknowledge_received_data(size, event.stream_id)
            case StreamEnded():
                self._act(event.stream_id)
            case StreamReset():
                self._open.pop(event.stream_id, None)
                self._provider.resets.append(event.error_code)
            case PingReceived():
                self._provider.pings += 1

    def _act(self, stream: int) -> None:
        if stream > self._last:
            return
        headers, body = self._open[stream]
        url = f"https://{headers.pop(':authority', '')}{headers.pop(':path')}"
        assert headers.pop(":scheme") == "https"
        assert headers.get("content-length", str(len(body))) == str(len(body))
        method = headers.pop(":method")
        act = self._provider.act_on(
            Request(method=method, url=url, headers=headers, body=bytes(body))
        )
        match act:
            case ProviderReply():
                self.answer(stream, act)
            case Fault.REFUSE | Fault.RESET:
                refused = act is Fault.REFUSE
                code = ErrorCodes.REFUSED_STREAM if refused else ErrorCodes.INTERNAL_ERROR
                self._open.pop(stream)
                self._h2.reset_stream(stream, code)
            case Fault.CUT:
                self.cut()
            case Fault.LEAVE:
                self.go_away(stream - 2 if stream > 1 else 0)
            case Fault.LEAVE_LATER:
                self.go_away(stream)
                self.answer(stream, ProviderReply())
            case Fault.GARBLE:
                self._transport.write(_GARBLED)
            case Fault.HANG:
                pass

    def answer(self, stream: int, reply: ProviderReply) -> None:
        """Answer one request."""
        self._open.pop(stream)
        headers = {":status": str(reply.status)}
        headers |= {name.lower(): value for name, value in reply.headers.items()}
        self._h2.send_headers(stream, list(headers.items()), end_stream=not reply.body)
        for start in range(0, len(reply.body), FRAME):
            end = start + FRAME
            self._h2.send_data(stream, reply.body[start:end], end_stream=end >= len(reply.body))
