"""A site on a real database in a folder of the test, and clients that talk to it."""

import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from litestar.types import ASGIApp
from msgspec import Struct

from router.core.errors import Problem
from router.core.notification import derive
from router.core.payload import decode
from router.core.ruleset import ChannelSpec, Ruleset
from router.intake import Intake
from router.queue.engine import SqlJournal
from router.queue.ports import JournalUnavailable, Receipt
from router.settings import read_environment
from router.store.database import Database
from router.store.dead_letters import DeadLetters
from router.store.log import Log
from router.store.recipients import Recipients
from router.web import webhook
from router.web.site import Site, build_site

OPERATOR = "operator-0123456789abcdef"
APP = "recipients-0123456789abcdef"
KEYS = f"app:recipients:{APP},ops:operator:{OPERATOR}"
LIVE = {
    "ROUTER_WEBHOOK_USER": "cometchat",
    "ROUTER_WEBHOOK_PASSWORD": "orange",
    "ROUTER_API_KEYS": KEYS,
}
SANDBOX = {"ROUTER_SANDBOX": "true"}
ADDRESS = "http://127.0.0.1:8000"
KINDS = frozenset({"email", "sms", "push"})


class Memory:
    """An intake that decodes for real and keeps the bodies in memory."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def accept(self, body: bytes) -> Receipt:
        notification = derive(decode(body), id=f"n{len(self.bodies)}", accepted_at=0.0)
        self.bodies.append(body)
        return Receipt(id=notification.id, duplicate=False)


class FullDisk:
    """An intake that cannot make anything durable."""

    async def accept(self, body: bytes) -> Receipt:
        raise JournalUnavailable("the disk is full")


class Broken:
    """An intake with a defect, whose message holds what nobody may read."""

    async def accept(self, body: bytes) -> Receipt:
        raise ZeroDivisionError("hunter2")


class Rules:
    """A rulebook that reads what the test lays before it."""

    def __init__(self, ruleset: Ruleset | None = None) -> None:
        self.ruleset = ruleset
        self.problems: tuple[Problem, ...] = ()
        self.current = ruleset is not None
        self.channels: Mapping[str, ChannelSpec] = ruleset.channels if ruleset else {}
        self.on_disk: Ruleset | tuple[Problem, ...] = ()

    async def reload(self) -> tuple[Problem, ...]:
        if isinstance(self.on_disk, Ruleset):
            self.ruleset, self.problems, self.current = self.on_disk, (), True
        else:
            self.problems, self.current = self.on_disk, False
        return self.problems


class Stage(Struct, kw_only=True):
    """An open site and the parts a test looks into."""

    app: ASGIApp
    site: Site
    rules: Rules

    def client(self, key: str = "", **headers: str) -> httpx.AsyncClient:
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return connect(self.app, **headers)


@asynccontextmanager
async def open_stage(
    folder: Path,
    environ: Mapping[str, str] = LIVE,
    *,
    intake: webhook.Intake | None = None,
    ruleset: Ruleset | None = None,
) -> AsyncIterator[Stage]:
    database = await Database.open(f"sqlite+aiosqlite:///{folder}/router.db", migrate=True)
    rules = Rules(ruleset)
    site = Site(
        environment=read_environment(environ)[0],
        intake=intake or Intake(SqlJournal(database)),
        database=database,
        recipients=Recipients(database),
        log=Log(database),
        dead_letters=DeadLetters(database),
        rulebook=rules,
        contact_kinds=KINDS,
        exposition=lambda: b"router_example 1.0\n",
    )
    try:
        yield Stage(app=build_site(site), site=site, rules=rules)
    finally:
        await database.close()


def connect(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]  # litestar's scopes are narrower
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    """Serve the app on a free loopback port, as the router does."""
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.startup(sockets=[listener])
    try:
        yield listener.getsockname()
    finally:
        await server.shutdown(sockets=[listener])


def basic(user: str = "cometchat", password: str = "orange") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}
