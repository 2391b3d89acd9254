"""The webhook spoken to in bytes, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.samples import read_sample
from router.web.webhook import MAX_BODY_BYTES
from tests.web.harness import Memory, basic, open_harness, serve


class TestOverTheWire:
    """A real server on loopback, spoken to in bytes."""

    @pytest.fixture
    async def address(self, tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
        async with (
            open_harness(tmp_path, intake=Memory()) as harness,
            serve(harness.app) as address,
        ):
            yield address

    async def speak(
        self, address: tuple[str, int], request: bytes, answers: int = 1
    ) -> list[bytes]:
        """Send bytes, and return the status lines of the answers."""
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(request)
            lines = []
            for _ in range(answers):
                head = await reader.readuntil(b"\r\n\r\n")
                lines.append(head.partition(b"\r\n")[0].removeprefix(b"HTTP/1.1 "))
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                json.loads(await reader.readexactly(length))
            return lines
        finally:
            writer.close()
            await writer.wait_closed()

    def head(self, *lines: str) -> bytes:
        authorization = f"Authorization: {basic()['Authorization']}"
        return "\r\n".join(
            ["POST /webhook HTTP/1.1", "Host: localhost", authorization, *lines, "", ""]
        ).encode()

    async def test_a_payload_is_accepted(self, address: tuple[str, int]) -> None:
        body = json.dumps(read_sample("push_chat_one_on_one")).encode()
        request = self.head(f"Content-Length: {len(body)}") + body
        assert await self.speak(address, request) == [b"200 OK"]

    async def test_a_payload_in_many_chunks_is_accepted(self, address: tuple[str, int]) -> None:
        body = json.dumps(read_sample("push_chat_one_on_one")).encode()
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        request = self.head("Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"
        assert await self.speak(address, request) == [b"200 OK"]

    async def test_two_mebibytes_are_refused_by_their_length_alone(
        self, address: tuple[str, int]
    ) -> None:
        request = self.head(f"Content-Length: {2 * MAX_BODY_BYTES}")
        assert await self.speak(address, request) == [b"413 Request Entity Too Large"]

    async def test_two_mebibytes_in_chunks_are_refused_while_they_come(
        self, address: tuple[str, int]
    ) -> None:
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        request = self.head("Transfer-Encoding: chunked") + chunk * 32
        assert await self.speak(address, request) == [b"413 Request Entity Too Large"]

    async def test_the_connection_serves_on_after_a_refused_body(
        self, address: tuple[str, int]
    ) -> None:
        large = b" " * (2 * MAX_BODY_BYTES)
        body = json.dumps(read_sample("push_chat_one_on_one")).encode()
        request = self.head(f"Content-Length: {len(large)}") + large
        request += self.head(f"Content-Length: {len(body)}") + body
        assert await self.speak(address, request, answers=2) == [
            b"413 Request Entity Too Large",
            b"200 OK",
        ]

    async def test_who_hangs_up_after_the_answer_sees_it_though_the_body_is_refused(
        self, address: tuple[str, int]
    ) -> None:
        reader, writer = await asyncio.open_connection(*address)
        try:
            large = b" " * (4 * MAX_BODY_BYTES)
            writer.write(self.head("Connection: close", f"Content-Length: {len(large)}"))
            for start in range(0, len(large), MAX_BODY_BYTES):
                writer.write(large[start : start + MAX_BODY_BYTES])
                await writer.drain()
                await asyncio.sleep(0.05)  # an answer that comes too soon has come by now
            answer = await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")

    async def test_who_asks_before_sending_is_refused_at_once(
        self, address: tuple[str, int]
    ) -> None:
        large = f"Content-Length: {2 * MAX_BODY_BYTES}"
        request = self.head("Connection: close", "Expect: 100-continue", large)
        assert await self.speak(address, request) == [b"413 Request Entity Too Large"]
