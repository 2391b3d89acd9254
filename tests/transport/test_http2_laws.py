"""Whatever a server says in whatever order and however it is cut: no answer is lost or mixed up."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from router.bridge import Request, Response, TransportError
from router.transport.http2_connection import Http2Connection
from router.transport.http2_stream import RequestProgress, UnprocessedError
from tests.transport.http2_model import ModelServer

LAST_STREAM = 2**31 - 1


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and closes when it is told to."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.output = b""
        self._protocol = protocol
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._is_closing
        self.output += bytes(data)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


class Play:
    """A client and a server, and what is on its way between them."""

    def __init__(self, bodies: list[int]) -> None:
        self.server = ModelServer()
        self.server.bodies = self.body
        self.connection = Http2Connection()
        self.connection.ready.cancel()  # nobody waits for it here
        self.wire = Wire(self.connection)
        self.sends: list[asyncio.Task[Response]] = []
        self.cancelled: set[int] = set()
        self._sizes = bodies
        self.connection.connection_made(self.wire)

    def body(self, number: int) -> bytes:
        return b"%d" % number * self._sizes[number % len(self._sizes)]

    def send(self) -> None:
        number = len(self.sends)
        request = Request(
            method="POST",
            url=f"https://push.example.com/{number}",
            headers={"authorization": "bearer x", "apns-id": str(number)},
            body=self.body(number),
            http2=True,
        )
        self.sends.append(asyncio.create_task(self.connection.fetch(request, RequestProgress())))

    def cancel(self, index: int) -> None:
        if self.sends:
            self.cancelled.add(index % len(self.sends))
            self.sends[index % len(self.sends)].cancel()

    def hear(self) -> None:
        data, self.wire.output = self.wire.output, b""
        self.server.hear(data)

    def deliver(self, size: int) -> None:
        data = bytes(self.server.last_written_stream[:size])
        del self.server.last_written_stream[:size]
        if data and not self.wire.is_closing():
            self.connection.data_received(data)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def act(self, verb: str, one: int, other: int) -> None:  # noqa: C901, PLR0912 - a case for each verb
        server = self.server
        number = server.open[one % len(server.open)] if server.open else 0
        stream = server.streams.get(number)
        match verb:
            case "send":
                for _ in range(1 + one % 4):
                    self.send()
                await self.settle()
            case "cancel":
                self.cancel(one)
                await self.settle()
            case "hear":
                self.hear()
            case "deliver":
                self.deliver(other)
                await self.settle()
            case "limit":
                server.set({3: one % 5})
            case "settings":
                server.set({4: (0, 10, 1000, 65_535, 200_000)[one % 5], 1: 7 * (other % 600)})
            case "frames":
                server.set({5: 16_384 + other, 6: other, 0xF00: one})
            case "room":
                server.give_room(number if other % 2 else 0, 1 + other)
            case "ping":
                server.ping()
            case "unknown":
                server.say_something_unknown(number)
            case "leave":
                last = (number, LAST_STREAM, max(0, number - 2), 0)[other % 4]
                server.go_away(last, one % 14)
            case "inform" if stream and not stream.status:
                fields = [(":status", ("100", "103")[one % 2]), ("link", "</a>")]
                server.send_headers(number, fields, end=False, cut=1 + other, padding=0)
            case "headers" if stream and not stream.status:
                stream.status = 200 + one % 300
                fields = [(":status", str(stream.status)), ("apns-id", f"{number}-{other}")]
                server.send_headers(
                    number, fields, end=other % 3 == 0, cut=1 + other, padding=one % 256
                )
            case "data" if stream and stream.status:
                data = bytes([one % 256]) * other
                server.send_data(number, data, end=one % 3 == 0, padding=one % 7)
            case "trailers" if stream and stream.status:
                server.send_headers(number, [("grpc", "1")], end=True, cut=1 + other, padding=0)
            case "reset" if stream:
                server.reset(number, one % 15)
            case "reset after the answer":
                for late, ended in server.streams.items():
                    if ended.end == "answered" and not ended.is_whole:
                        server.reset(late, 0)
                        break

    def check(self, *, is_cut: bool) -> None:
        """Compare what each sender learned with what the server did."""
        streams = {stream.name: stream for stream in self.server.streams.values()}
        for number, send in enumerate(self.sends):
            stream = streams.get(number)
            end = stream.end if stream else "unseen"
            if send.cancelled():
                assert number in self.cancelled
            elif not send.done():
                assert not is_cut
                assert end in {"", "unseen"}
            elif (error := send.exception()) is None:
                assert stream is not None
                answer = send.result()
                assert (answer.status, answer.body) == (stream.status, stream.answer)
                assert end == "answered"
            elif isinstance(error, UnprocessedError):
                assert end in {"refused", "unseen"}
            else:
                assert isinstance(error, TransportError)
                assert error.sent
                assert end == "reset" or is_cut
                assert error.reason not in {"the answer is not HTTP/2", "the answer is malformed"}

    async def exchange_everything(self) -> None:
        """Let everything arrive that was written."""
        while self.wire.output or self.server.last_written_stream:
            self.hear()
            self.deliver(len(self.server.last_written_stream))
            await self.settle()

    async def open_up(self) -> None:
        """Let the server take everything there is, and answer it."""
        server = self.server
        server.set({3: 1000, 4: 1 << 20})
        server.give_room(0, 1 << 24)
        await self.exchange_everything()
        for number in server.open:
            stream = server.streams[number]
            assert stream.is_whole, "a body is stuck though there is room for it"
            fields = [("grpc", "1")] if stream.status else [(":status", "204")]
            stream.status = stream.status or 204
            server.send_headers(number, fields, end=True, cut=99, padding=0)
        await self.exchange_everything()


VERBS = (
    "send",
    "cancel",
    "hear",
    "deliver",
    "limit",
    "settings",
    "frames",
    "room",
    "ping",
    "unknown",
    "leave",
    "inform",
    "reset",
    "trailers",
    "reset after the answer",
    *("send", "hear", "deliver", "headers", "data", "room", "settings") * 3,
)
SIZES = st.sampled_from([0, 1, 5, 50, 500, 5000, 16_000])
ACTS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 999), SIZES), min_size=20, max_size=60
)


async def _play(bodies: list[int], acts: list[tuple[str, int, int]], cut: int | None) -> None:
    play = Play(bodies)
    play.server.set({})
    for act in acts:
        await play.act(*act)
    if cut is None:
        await play.exchange_everything()
        await play.open_up()
        assert play.server.room > 30_000, "the server was not told that its answers were read"
        assert play.server.pings == play.server.pongs or play.wire.is_closing()
        play.check(is_cut=False)
        assert all(send.done() for send in play.sends)
    else:
        play.hear()
        play.deliver(cut)
        await play.settle()
        play.hear()
        play.wire.close()
        await play.settle()
        play.check(is_cut=True)
    for send in play.sends:
        send.cancel()
    await asyncio.gather(*play.sends, return_exceptions=True)
    await play.connection.aclose()


@given(st.lists(SIZES, min_size=1, max_size=4), ACTS)
def test_every_request_is_answered_or_it_is_known_why_not(
    bodies: list[int], acts: list[tuple[str, int, int]]
) -> None:
    asyncio.run(_play(bodies, acts, None))


@given(st.lists(SIZES, min_size=1, max_size=4), ACTS, st.integers(0, 2000))
def test_a_server_may_close_at_any_byte(
    bodies: list[int], acts: list[tuple[str, int, int]], cut: int
) -> None:
    asyncio.run(_play(bodies, acts, cut))
