"""A site on a real database in a folder of the test, and clients that talk to it."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from litestar.types import ASGIApp
from msgspec import Struct

from router.channel import Channel, Request, Response, Settings, TransportError
from router.core.model.notification import derive
from router.core.model.payload import decode
from router.core.model.read_receipt import read_event
from router.core.model.recipient_guard import RecipientGuard
from router.core.rules.ruleset import ChannelSpec
from router.ingest.accept import PayloadAcceptor
from router.plugins.email import Email
from router.plugins.sms.channel import Sms
from router.queue.engine import SqlJournal, SqlQueue
from router.queue.ports import JournalUnavailable, Receipt
from router.registry.schema import PluginSchema
from router.rulebook.rulebook import ActiveRules
from router.settings import read_environment
from router.store.db.database import Database
from router.store.log.dead_letters import DeadLetters
from router.store.log.log import DeliveryLog
from router.store.log.rule_stats import DailyRuleStats
from router.store.log.rulesets import Rulesets
from router.store.recipients.repository import Recipients
from router.store.state.bulk_cancel import BulkCancel
from router.telemetry import Metrics
from router.web import webhook
from router.web.app import AppDependencies, build_site
from router.web.server import HttpServer, listen

OPERATOR = "operator-0123456789abcdef"
APP = "recipients-0123456789abcdef"
KEYS = f"app:recipients:{APP},ops:operator:{OPERATOR}"
LIVE = {
    "ROUTER_WEBHOOK_USER": "cometchat",
    "ROUTER_WEBHOOK_PASSWORD": "orange",
    "ROUTER_API_KEYS": KEYS,
}
SANDBOX = {"ROUTER_SANDBOX": "true"}
RULES = """
version: 1
timezone: UTC
channels:
  mail: {plugin: letters, sender: ann}
  text: {plugin: texts}
rules:
  - name: calls
    when: {type: call}
    send: [text]
  - name: messages
    when: {kind: message}
    send: [mail]
"""
ADDRESS = "http://127.0.0.1:8000"


class Memory:
    """An intake that decodes for real and keeps the bodies in memory."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def accept(self, body: bytes) -> Receipt:
        notification = derive(decode(body), id=f"n{len(self.bodies)}", accepted_at=0.0)
        self.bodies.append(body)
        return Receipt(id=notification.id, duplicate=False)

    async def record_read_receipt(self, body: bytes) -> bool:
        event = read_event(body)
        self.bodies.append(body)
        return event.receipt is not None


class FullDisk:
    """An intake that cannot make anything durable."""

    async def accept(self, body: bytes) -> Receipt:
        raise JournalUnavailable("the disk is full")

    async def record_read_receipt(self, body: bytes) -> bool:
        raise JournalUnavailable("the disk is full")


class Broken:
    """An intake with a defect, whose message holds what nobody may read."""

    async def accept(self, body: bytes) -> Receipt:
        raise ZeroDivisionError("hunter2")

    async def record_read_receipt(self, body: bytes) -> bool:
        raise ZeroDivisionError("hunter2")


class Nowhere:
    """A way out that nothing takes."""

    is_live = False

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's
        raise TransportError("nothing is sent here", sent=False)


class MailSettings(Settings, frozen=True):
    """Settings of the channel the tests know."""

    sender: str = ""


class Mail(Channel[MailSettings]):
    """A channel that sends to the contacts of kind email."""

    name = "letters"
    Settings = MailSettings
    address_kind = "email"

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: MailSettings | None,  # noqa: ARG003 - as the contract has it
        country: str = "",  # noqa: ARG003 - as the contract has it
        is_fixed: bool = False,  # noqa: ARG003 - as the contract has it
    ) -> str:
        return Email.normalize_address(address, settings=None)


class TextSettings(Settings, frozen=True):
    """Settings of the other channel the tests know."""


class Text(Channel[TextSettings]):
    """A channel that sends to the contacts of kind sms."""

    name = "texts"
    Settings = TextSettings
    address_kind = "sms"

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: TextSettings | None,  # noqa: ARG003 - as the contract has it
        country: str = "",
        is_fixed: bool = False,
    ) -> str:
        return Sms.normalize_address(address, settings=None, country=country, is_fixed=is_fixed)


CHANNELS: dict[str, type[Channel[Any]]] = {"letters": Mail, "texts": Text}
SCHEMAS = {name: PluginSchema(channel) for name, channel in CHANNELS.items()}


class Harness(Struct, kw_only=True):
    """An open site and the parts a test looks into."""

    app: ASGIApp
    site: AppDependencies
    rulebook: ActiveRules
    file: Path
    refused: list[str]
    """Why each request to the webhook was refused that was."""

    def client(self, key: str = "", **headers: str) -> httpx.AsyncClient:
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return connect(self.app, **headers)


@asynccontextmanager
async def open_harness(
    folder: Path,
    environ: Mapping[str, str] = LIVE,
    *,
    intake: webhook.PayloadIntake | None = None,
    rules: str | None = None,
    url: str | None = None,
    skew: Callable[[], float] = float,
    is_stopped: Callable[[], bool] = bool,
) -> AsyncIterator[Harness]:
    """Open a site; without `rules` there is no rules file, and none in force.

    Without a `url` its database is a file in the folder.
    """
    file = folder / "rules.yaml"
    if rules is not None:
        file.write_text(rules)
    url = url or f"sqlite+aiosqlite:///{folder}/router.db"
    database = await Database.open(url, migrate=True)
    refused: list[str] = []
    rulebook = ActiveRules(file, kept=Rulesets(database), metrics=Metrics(), sandbox=False)
    site = AppDependencies(
        environment=read_environment(environ)[0],
        intake=intake or PayloadAcceptor(SqlJournal(database)),
        database=database,
        recipients=Recipients(database),
        log=DeliveryLog(database),
        bulk_cancel=BulkCancel(database),
        queue=SqlQueue(database),
        dead_letters=DeadLetters(database),
        rulebook=rulebook,
        rule_days=DailyRuleStats(database),
        exposition=lambda: b"router_example 1.0\n",
        refused=refused.append,
        skew=skew,
        is_stopped=is_stopped,
        guard=RecipientGuard(read_environment(environ)[0].only_recipients),
    )
    try:
        await rulebook.start(SCHEMAS, open_channel)
        app = build_site(site)
        yield Harness(app=app, site=site, rulebook=rulebook, file=file, refused=refused)
    finally:
        await rulebook.aclose()
        await database.close()


def open_channel(spec: ChannelSpec) -> Channel[Any]:
    return CHANNELS[spec.plugin](spec.settings, Nowhere())


def connect(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]  # litestar's scopes are narrower
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)


@asynccontextmanager
async def serve(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    """Serve the app on a free loopback port, as the router does."""
    listener = listen("127.0.0.1", 0)
    server = HttpServer(app, grace=1)
    serving = asyncio.create_task(server.serve([listener]))
    await server.listening.wait()
    try:
        yield listener.getsockname()
    finally:
        server.stop()
        await serving


def basic(user: str = "cometchat", password: str = "orange") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}
