"""The router put together; the only module that knows every other."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from msgspec.structs import replace

from router.bridge import Response
from router.channel import Channel, Request, Secret, Transport
from router.core.model.recipient_guard import RecipientGuard
from router.core.rules.ruleset import ChannelSpec, Defaults
from router.ingest.accept import PayloadAcceptor
from router.planner import Planner, RuleMatchCounter
from router.queue.engine import SqlJournal, SqlQueue
from router.redaction import SecretRegistry, collect_secrets
from router.registry import PluginRegistry, load_plugins
from router.rulebook.rulebook import ActiveRules
from router.settings import Environment, Proxies, check_exposure, check_proxies
from router.signals import handle_signals
from router.store.db.database import Database
from router.store.db.sqlite_presence import Presence, announce_presence
from router.store.errors import DatabaseUnusable, StoreUnavailable
from router.store.facts_reader import FactsReader
from router.store.log.dead_letters import DeadLetters
from router.store.log.log import DeliveryLog
from router.store.log.rule_stats import DailyRuleStats
from router.store.log.rulesets import Rulesets
from router.store.recipients.repository import Recipients
from router.store.retention import Retention
from router.store.state.bulk_cancel import BulkCancel
from router.telemetry import Metrics, configure_logging, log_unhandled_errors, monitor_event_loop
from router.transport.http import AiohttpTransport
from router.transport.sandbox import RecordedExchange, SandboxTransport
from router.web.app import AppDependencies, build_site
from router.web.server import HttpServer, ListenError, listen
from router.worker import Worker
from router.worker.endings import make_endings_reporter

SHUTDOWN_GRACE_S = 10.0
"""Seconds that requests and sends in flight have to finish when the router stops."""

RETENTION_INTERVAL_S = 60.0
"""Seconds between two looks for what is too old to be kept."""

RecordExchange = Callable[[RecordedExchange], None]

_log = structlog.get_logger(__name__)


class StartupError(Exception):
    """The router does not start; `problems` says why, each with its remedy."""

    def __init__(self, *problems: str) -> None:
        """Keep the problems apart, for one line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


class ChannelFactory:
    """Opens channels with a way out: the live transport they share, or a sandbox each."""

    def __init__(
        self,
        *,
        live: Transport | None,
        record: RecordExchange | None = None,
        secret_registry: SecretRegistry | None = None,
    ) -> None:
        """Send through `live`; without it let sandboxes answer, and `record` what they hear.

        `secret_registry` gets the secrets of every channel before it is opened.
        """
        self._transport = live
        self._secret_registry = SecretRegistry() if secret_registry is None else secret_registry
        self._record: RecordExchange = record or (lambda _: None)

    def open(self, registry: PluginRegistry, spec: ChannelSpec) -> Channel[Any]:
        """Return the channel of a rules file, opened."""
        secrets = collect_secrets(spec.settings)
        self._secret_registry.add(secrets)
        if self._transport is not None:
            return registry.open_channel(spec, self._transport)

        def answer(request: Request) -> Response:
            channel = opened()  # weak: the channel holds the sandbox, which holds this
            return Response(status=200, body=b"{}") if channel is None else channel.sandbox(request)

        sandbox = SandboxTransport(answer, self._record, channel=spec.name, secrets=secrets)
        channel = registry.open_channel(spec, sandbox)
        opened = weakref.ref(channel)
        return channel


class Router:
    """The moving parts, from the site that accepts to the worker that delivers.

    The site answers as soon as the database is open. Until `start` has read plugins and
    rules, what it accepts is held.
    """

    def __init__(
        self, environment: Environment, database: Database, outlet: ChannelFactory
    ) -> None:
        """Put the parts together; nothing runs yet."""
        self._environment = environment
        self._channel_factory = outlet
        self._tasks: list[asyncio.Task[None]] = []
        self.metrics = Metrics()
        guard = RecipientGuard(environment.only_recipients)
        self.rulebook = ActiveRules(
            environment.rules,
            kept=Rulesets(database),
            metrics=self.metrics,
            sandbox=environment.sandbox,
        )
        database.writer.accepted = self.metrics.record_commit
        database.writer.ended = make_endings_reporter(self.metrics)
        journal = SqlJournal(database)
        queue = SqlQueue(database)
        log = DeliveryLog(database)
        self._worker = Worker(
            queue,
            log.open_deliveries,
            self.rulebook.channel,
            self.metrics,
            names=lambda: self.rulebook.channels,
            guard=guard,
            country=self.rulebook.country_of,
            app_cap=self.rulebook.cap_of,
        )
        rule_days = DailyRuleStats(database)
        self._rule_counter = RuleMatchCounter(rule_days.add)
        self._planner = Planner(
            journal,
            FactsReader(database, guard),
            lambda: self.rulebook.ruleset,
            self._worker,
            metrics=self.metrics,
            tally=self._rule_counter,
        )
        database.writer.unawaited = self._planner.wake
        self._retention = Retention(database)
        self.rulebook.on_change(self._on_rules_changed)
        intake = PayloadAcceptor(journal, accepted=self._planner.offer, metrics=self.metrics)
        self.site = build_site(
            AppDependencies(
                environment=environment,
                intake=intake,
                database=database,
                recipients=Recipients(database, changed=self._worker.invalidate),
                log=log,
                bulk_cancel=BulkCancel(database, recall=self._worker.recall),
                queue=queue,
                dead_letters=DeadLetters(database),
                rulebook=self.rulebook,
                rule_days=rule_days,
                exposition=self.metrics.exposition,
                refused=self.metrics.record_refused_request,
                skew=intake.skew,
                guard=guard,
                is_stopped=lambda: self._worker.is_stopped,
            )
        )

    def _on_rules_changed(self, reopened: Collection[str]) -> None:
        self._planner.wake()
        self._worker.reset(reopened)

    async def start(self) -> None:
        """Load the plugins, put the rules in force, and begin to decide and deliver."""
        registry = await asyncio.to_thread(load_plugins, self._environment.plugins_dir)
        for plugin in registry.plugins:
            if plugin.error:
                _log.error(
                    "plugin not loaded",
                    plugin=plugin.name,
                    source=plugin.source,
                    reason=plugin.error,
                )
        await self.rulebook.start(
            registry.schemas, lambda spec: self._channel_factory.open(registry, spec)
        )
        self._tasks = [
            asyncio.create_task(self._planner.run()),
            asyncio.create_task(self._worker.run()),
            asyncio.create_task(self._run_retention()),
            asyncio.create_task(self.rulebook.follow()),
            asyncio.create_task(self._rule_counter.run()),
        ]

    async def _run_retention(self) -> None:
        """Forget what is too old, again and again."""
        while True:
            await asyncio.sleep(RETENTION_INTERVAL_S)
            ruleset = self.rulebook.ruleset
            defaults = ruleset.defaults if ruleset is not None else Defaults()
            try:
                await self._retention.sweep(defaults.retention)
            except StoreUnavailable as error:
                _log.warning("retention sweep failed, retrying", error=str(error))

    async def aclose(self) -> None:
        """Plan nothing more, let sends in flight end, hand the rest back, close the channels."""
        if self._tasks:
            planning, _, *chores = self._tasks
            for task in (planning, *chores):
                task.cancel()
            await self._worker.stop(SHUTDOWN_GRACE_S)
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._rule_counter.write()
        await self.rulebook.aclose()


class RunningRouter:
    """A router that serves: where it listens, and how it is stopped."""

    def __init__(self, port: int, stop: Callable[[], None]) -> None:
        """Stand for a server on a port."""
        self.port = port
        self.stop = stop


async def serve(
    environment: Environment,
    *,
    transport: Transport | None = None,
    record: RecordExchange | None = None,
    started: Callable[[RunningRouter], Awaitable[None]] | None = None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM, SIGINT or `Running.stop`; SIGHUP reloads the rules.

    `transport` replaces the live way out, `record` hears of every request that a sandbox
    answers, `started` runs beside the server once everything is up, and `stopping` is called as
    soon as a signal comes, whatever holds the loop up. Raises `Refused` when the router cannot
    or must not start.
    """
    secret_registry = SecretRegistry()
    secret_registry.add(_environment_secrets(environment))
    configure_logging(
        environment.log_level, environment.log_format, secret_registry=secret_registry
    )
    if problems := (*check_exposure(environment), *check_proxies(environment)):
        raise StartupError(*problems)
    url = environment.database.reveal()
    async with AsyncExitStack() as stack:
        stack.enter_context(log_unhandled_errors(asyncio.get_running_loop()))
        stack.enter_context(monitor_event_loop(asyncio.get_running_loop()))
        try:
            listener = stack.enter_context(listen(environment.host, environment.port))
            database = await Database.open(url, migrate=True)
        except (ListenError, DatabaseUnusable) as error:
            raise StartupError(str(error)) from error
        presence = stack.enter_context(announce_presence(url))
        stack.push_async_callback(database.close)
        await _reclaim_leases_of_dead_router(database, presence)
        if transport is None and not environment.sandbox:
            transport = live = AiohttpTransport(
                allowed=environment.private_targets, proxies=environment.proxies
            )
            log_proxies(environment.proxies)
            stack.push_async_callback(live.aclose)
        router = Router(
            environment,
            database,
            ChannelFactory(live=transport, record=record, secret_registry=secret_registry),
        )
        stack.push_async_callback(router.aclose)
        server = HttpServer(router.site, grace=SHUTDOWN_GRACE_S)
        stack.enter_context(
            handle_signals(stop=server.stop, stopping=stopping, reload=router.rulebook.reload)
        )
        serving = asyncio.create_task(server.serve([listener]))
        try:
            await server.listening.wait()
            await router.start()
            _freeze_startup_objects()
            if environment.only_recipients:
                _log.warning(
                    "sending restricted to recipients", recipients=environment.only_recipients
                )
            _log.info("server started", host=environment.host, port=listener.getsockname()[1])
            if started is not None:
                await started(RunningRouter(listener.getsockname()[1], server.stop))
        except BaseException:
            server.stop()
            raise
        finally:
            await serving


def _environment_secrets(environment: Environment) -> Iterator[str]:
    """Yield what the environment holds of secrets; a database's URL is none but its password."""
    try:
        password = urlsplit(environment.database.reveal()).password or ""
    except ValueError:
        password = environment.database.reveal()
    yield from (password, unquote(password))
    yield from collect_secrets(replace(environment, database=Secret("")))
    for proxy in (environment.proxies.http, environment.proxies.https):
        if proxy is not None and proxy.authorization:
            yield f"{proxy.user}:{proxy.password.reveal()}"  # as Basic Auth encodes them
    for webhook in (environment.webhook_password, environment.webhook_password_previous):
        if webhook is not None:
            yield f"{environment.webhook_user}:{webhook.reveal()}"  # as Basic Auth encodes them


def log_proxies(proxies: Proxies) -> None:
    """Log what goes through a proxy, and what does not."""
    for scheme, proxy in (("http", proxies.http), ("https", proxies.https)):
        if proxy is not None:
            _log.info("proxy in use", scheme=scheme, url=proxy.url)
    if proxies.http is not None or proxies.https is not None:
        _log.warning("proxy not used for SMTP and other non-HTTP protocols")


async def _reclaim_leases_of_dead_router(database: Database, presence: Presence) -> None:
    """Take up at once what a router that was killed had begun to send, if no other runs."""
    if presence.alone:
        try:
            await SqlQueue(database).take_over()
        except StoreUnavailable as error:
            _log.warning("lease takeover failed", error=str(error))
    await asyncio.to_thread(presence.admit)


def _freeze_startup_objects() -> None:
    """Keep what was made at the start out of each collection: it took a tenth of all work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
