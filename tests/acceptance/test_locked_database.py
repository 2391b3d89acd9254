"""The real router while another process holds its SQLite file: what each answer stands for."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import aiohttp
import pytest

from router.core.model.payload import Json
from router.queue.accept import ACCEPT_TIMEOUT_S
from tests.acceptance.client import payload
from tests.acceptance.router_process import COMETCHAT, OPERATOR, RouterProcess, live, running
from tests.acceptance.webhook_gateway import Gateway

pytestmark = pytest.mark.slow

CLIENTS, ROUNDS = 50, 4
LOCKED = 2 * ACCEPT_TIMEOUT_S
"""Seconds; longer than a payload waits, shorter than the writer does."""
SMALL = 2.5
"""Seconds within which a busy machine hands over an answer that is there."""
SETTLED = 30.0


def settings(folder: Path, gateway: Gateway) -> dict[str, str]:
    rules = folder / "rules.yaml"
    rules.write_text(
        "version: 1\n"
        f"channels: {{out: {{plugin: webhook, url: '{gateway.url}'}}}}\n"
        "rules: [{name: all, send: [out]}]\n"
    )
    return live(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the file as a backup or a second writer does."""
    with closing(sqlite3.connect(folder / "router.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


class Sender:
    """Posts payloads, and remembers what each was answered and how late."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.payloads: dict[str, Json] = {}
        self.answers: dict[str, int] = {}
        self.slowest = 0.0

    async def post(self, text: str) -> str:
        body = self.payloads.setdefault(text, payload(text, uid=f"u-{text}"))
        began = time.monotonic()
        async with self.session.post("/webhook", json=body) as answer:
            said = await answer.json()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers.setdefault(text, answer.status)
        assert answer.status == 200 or int(answer.headers["Retry-After"]) > 0
        return str(said["message"])

    async def post_all(self, client: int) -> None:
        for number in range(ROUNDS):
            await self.post(f"{client}-{number}")

    def answered(self, status: int) -> set[str]:
        return {text for text, found in self.answers.items() if found == status}


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, dict[str, Json]]:
    async with session.get(path) as answer:
        return answer.status, await answer.json()


def rows(folder: Path) -> dict[str, str]:
    """Return the state of each notification on disk, by its text."""
    query = "SELECT p.body, n.state FROM payloads p JOIN notifications n ON n.id = p.notification"
    with closing(sqlite3.connect(folder / "router.db")) as connection:
        return {
            json.loads(body)["data"]["notificationDetails"]["body"]: state
            for body, state in connection.execute(query)
        }


async def settle(folder: Path) -> dict[str, str]:
    deadline = time.monotonic() + SETTLED
    while set((found := rows(folder)).values()) != {"delivered"}:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


async def trial(folder: Path, router: RouterProcess, gateway: Gateway) -> None:
    connector = aiohttp.TCPConnector(limit=CLIENTS + 1)
    async with (
        aiohttp.ClientSession(router.url, headers=COMETCHAT, connector=connector) as posting,
        aiohttp.ClientSession(router.url, headers=OPERATOR) as asking,
    ):
        sender = Sender(posting)
        with locked(folder):
            began = time.monotonic()
            clients = [asyncio.create_task(sender.post_all(CLIENTS))]
            await asyncio.sleep(0.3)  # the writer has the first one in hand, and waits with it
            clients += [asyncio.create_task(sender.post_all(number)) for number in range(CLIENTS)]
            assert await get(asking, "/health/live") == (200, {"message": "live"})
            assert (await get(asking, "/v1/notifications"))[0] == 200
            status, said = await get(asking, "/health/ready")
            assert (status, said["message"]) == (503, "service unavailable")
            assert isinstance(said["problems"], list)
            await asyncio.sleep(LOCKED - (time.monotonic() - began))
        await asyncio.gather(*clients)
        assert len(sender.answers) == (CLIENTS + 1) * ROUNDS
        assert sender.slowest < ACCEPT_TIMEOUT_S + SMALL

        # An answer of 200 is a row; a 503 is none, unless the writer already had it in hand.
        found = await settle(folder)
        accepted, refused = sender.answered(200), sender.answered(503)
        assert accepted
        assert refused
        assert accepted | refused == sender.answers.keys()
        assert accepted <= found.keys()
        # A commit takes at most one post of a client; on a busy machine a second one may be late.
        in_hand = found.keys() - accepted
        clients_in_hand = {text.partition("-")[0] for text in in_hand}
        assert len(clients_in_hand) == len(in_hand) < len(refused)
        assert sorted(gateway.texts) == sorted(found)

        # Come again: what was withdrawn is new, what was in hand is known, and neither is twice.
        for expected in ("accepted", "duplicate"):
            for text in refused:
                known = text in in_hand or expected == "duplicate"
                assert await sender.post(text) == ("duplicate" if known else "accepted")
        assert (await settle(folder)).keys() == sender.answers.keys()
        assert sorted(gateway.texts) == sorted(sender.answers)


def test_what_is_answered_while_the_file_is_locked_is_true(
    tmp_path: Path, gateway: Gateway
) -> None:
    with running(tmp_path, settings(tmp_path, gateway)) as router:
        asyncio.run(trial(tmp_path, router, gateway))
        lines = router.log.read_text().splitlines()
    assert 1 <= sum("request refused" in line for line in lines) <= 1 + LOCKED
