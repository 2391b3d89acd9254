"""More payloads than can be borne: they are told to come again, and no more than that."""

import asyncio
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.queue.ports import Receipt
from router.samples import read
from router.web import turn, webhook
from tests.web.stage import FullDisk, Memory, basic, open_stage
from tests.web.test_webhook_law import post

BODY = json.dumps(read("push_chat_one_on_one")).encode()


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
    monkeypatch.setattr(webhook, "ROOM", 2 * len(BODY) - 1)
    intake = Slow()
    async with open_stage(tmp_path, intake=intake) as stage:

        async def post(content: bytes = BODY) -> int:
            answer = await stage.client().post("/webhook", content=content, headers=basic())
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) > 0
            return answer.status_code

        first = asyncio.create_task(post())
        await intake.begun.wait()
        assert await post() == 503
        assert await post(b"x" * (webhook.MOST + 1)) == 413
        intake.go.set()
        assert await first == 200
        assert [await post() for _ in range(5)] == [200] * 5


async def test_a_burst_leaves_a_turn_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "LENGTH", 0.0)
    intake = Memory()
    done: list[int] = []

    async def stand_by() -> None:
        for _ in range(3):
            done.append(len(intake.bodies))
            await asyncio.sleep(0)

    async with open_stage(tmp_path, intake=intake) as stage:
        posts = [asyncio.create_task(post(stage, BODY)) for _ in range(3)]
        await asyncio.gather(asyncio.create_task(stand_by()), *posts)
        assert [task.result() for task in posts] == [200] * 3
    assert done == [1, 2, 3]


async def test_a_flood_that_is_refused_does_not_flood_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_stage(tmp_path, intake=FullDisk()) as stage:
        with capture_logs() as lines:
            for _ in range(20):
                answer = await stage.client().post("/webhook", content=BODY, headers=basic())
                assert answer.status_code == 503
        monkeypatch.setattr(webhook, "QUIET", 0.0)
        assert [(line["payloads"], line["reason"]) for line in lines] == [(1, "the disk is full")]
