"""More payloads than can be borne: they are told to come again, and no more than that."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from router.channel import Secret
from router.queue.ports import Receipt
from router.samples import read_sample
from router.web import fair_scheduling, webhook
from router.web.signature import Signer
from tests.web.harness import LIVE, Harness, Memory, basic, open_harness, serve
from tests.web.test_webhook_laws import post

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

CHUNK = 64 * 1024
BODY = json.dumps(read_sample("push_chat_one_on_one")).encode()


class Slow(Memory):
    """An intake that waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def accept(self, body: bytes) -> Receipt:
        self.begun.set()
        await self.go.wait()
        return await super().accept(body)


async def test_bodies_beyond_what_all_may_have_together_are_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MAX_TOTAL_BODY_BYTES", 2 * len(BODY) - 1)
    intake = Slow()
    async with open_harness(tmp_path, intake=intake) as harness:

        async def post(content: bytes = BODY) -> int:
            answer = await harness.client().post("/webhook", content=content, headers=basic())
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) > 0
            return answer.status_code

        first = asyncio.create_task(post())
        await intake.begun.wait()
        assert await post() == 503
        assert await post(b"x" * (webhook.MAX_BODY_BYTES + 1)) == 413
        intake.go.set()
        assert await first == 200
        assert [await post() for _ in range(5)] == [200] * 5


async def test_a_burst_leaves_a_turn_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_scheduling, "MAX_WORK_S", 0.0)
    intake = Memory()
    done: list[int] = []

    async def stand_by() -> None:
        for _ in range(3):
            done.append(len(intake.bodies))
            await asyncio.sleep(0)

    async with open_harness(tmp_path, intake=intake) as harness:
        posts = [asyncio.create_task(post(harness, BODY)) for _ in range(3)]
        await asyncio.gather(asyncio.create_task(stand_by()), *posts)
        assert [task.result() for task in posts] == [200] * 3
    assert done == [1, 2, 3]


SIGNED = {"ROUTER_WEBHOOK_SECRET": "a-secret-of-thirty-two-characters"}
CLAIM = {"X-CometChat-Signature": "0" * 64}
"""A signature as anybody can write it; that it is wrong shows when the body is there."""


def signature(body: bytes) -> dict[str, str]:
    digest = Signer(Secret(SIGNED["ROUTER_WEBHOOK_SECRET"])).sign(body)
    return {"X-CometChat-Signature": digest.hex()}


async def begin(address: tuple[str, int], headers: dict[str, str], size: int) -> Streams:
    """Send all of a body but its last byte."""
    reader, writer = await asyncio.open_connection(*address)
    lines = {"Host": "localhost", "Content-Length": str(size), **headers}
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    writer.write(f"POST /webhook HTTP/1.1\r\n{head}\r\n".encode())
    body = b" " * (size - 1)
    for start in range(0, size, CHUNK):
        writer.write(body[start : start + CHUNK])
        await writer.drain()
    return reader, writer


async def test_half_bodies_of_whoever_has_proven_nothing_give_way_to_a_payload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MAX_TOTAL_BODY_BYTES", 4 * webhook.MAX_BODY_BYTES)
    intake = Memory()
    environ = {**LIVE, **SIGNED}
    async with (
        open_harness(tmp_path, environ, intake=intake) as harness,
        serve(harness.app) as address,
    ):
        held = [await begin(address, CLAIM, webhook.MAX_BODY_BYTES) for _ in range(12)]
        url = f"http://{address[0]}:{address[1]}/webhook"
        async with httpx.AsyncClient() as client:
            large = BODY + b" " * (webhook.MAX_BODY_BYTES - len(BODY))
            for body in (BODY, large):
                for headers in (signature(body), basic()):
                    answer = await client.post(url, content=body, headers=headers)
                    assert answer.status_code == 200
        answers = [await answer_of(reader) for reader, _ in held[:8]]
        for _, writer in held:
            writer.transport.abort()
    assert answers == [b"HTTP/1.1 503 Service Unavailable\r\n"] * 8
    assert [len(body) for body in intake.bodies] == [len(BODY)] * 2 + [len(large)] * 2
    assert "unavailable" in harness.refused


async def test_a_body_whose_sender_has_shown_a_password_gives_way_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MAX_TOTAL_BODY_BYTES", 2 * webhook.MAX_BODY_BYTES)
    environ = {**LIVE, **SIGNED}
    async with (
        open_harness(tmp_path, environ, intake=Memory()) as harness,
        serve(harness.app) as address,
    ):
        reader, writer = await begin(address, basic(), webhook.MAX_BODY_BYTES)
        others = [await begin(address, CLAIM, webhook.MAX_BODY_BYTES) for _ in range(4)]
        assert await answer_of(others[0][0]) == b"HTTP/1.1 503 Service Unavailable\r\n"
        writer.write(b" ")
        assert await answer_of(reader) == b"HTTP/1.1 400 Bad Request\r\n"  # it is no JSON
        for _, writer_ in [*others, (reader, writer)]:
            writer_.transport.abort()


async def test_bodies_of_whoever_has_no_right_to_the_api_are_not_kept(harness: Harness) -> None:
    async with serve(harness.app) as address:
        for request, status in (
            ("PUT /v1/recipients/bob", b"401"),
            ("POST /v1/recipients/import", b"401"),
            ("POST /v1/rules/explain", b"401"),
            ("POST /nothing", b"404"),
        ):
            reader, writer = await asyncio.open_connection(*address)
            head = f"{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
            writer.write(head.encode())
            answer = await answer_of(reader)  # before any of the body is there
            assert answer.split(b" ")[1] == status, request
            writer.transport.abort()


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20.0):
        return await reader.readline()
