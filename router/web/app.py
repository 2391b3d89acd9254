"""The site: everything the router answers over HTTP, put together."""

from collections.abc import Callable
from functools import partial

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as ASGIScope
from msgspec import Struct

from router.core.model.recipient_guard import RecipientGuard
from router.queue.ports import Queue
from router.settings import Environment
from router.store.db.database import Database
from router.store.log.dead_letters import DeadLetters
from router.store.log.log import DeliveryLog
from router.store.log.rule_stats import DailyRuleStats
from router.store.recipients.repository import Recipients
from router.store.state.bulk_cancel import BulkCancel
from router.web.auth import guard_api, guard_webhook
from router.web.channels import channels_router, sending_router
from router.web.dead_letters import dead_letters_router
from router.web.delivery_log import operations_router
from router.web.health import check_database, health_router
from router.web.metrics import show_metrics
from router.web.openapi import build_document, show_document
from router.web.problems import HEADERS, answer_error
from router.web.recipients import recipients_router
from router.web.refusal_log import RefusalLog
from router.web.rules import ReloadableRules, rules_router
from router.web.single_flight import SingleFlight
from router.web.webhook import (
    EVENTS_PATH,
    MAX_BODY_BYTES,
    WEBHOOK_PATH,
    PayloadIntake,
    Reason,
    WebhookApp,
)

METRICS_REST_FACTOR = 9.0
"""Writing the metrics down, which needs no key, takes a tenth of the event loop's time at most."""


class AppDependencies(Struct, frozen=True, kw_only=True):
    """What the site needs of the rest of the router.

    `exposition` gives the metrics as Prometheus reads them, `refused` hears why a payload was not
    taken, and `skew` gives the seconds between CometChat's clock and this one. `is_stopped` says
    whether an operator holds all channels.
    """

    environment: Environment
    intake: PayloadIntake
    database: Database
    recipients: Recipients
    log: DeliveryLog
    bulk_cancel: BulkCancel
    queue: Queue
    dead_letters: DeadLetters
    rulebook: ReloadableRules
    rule_days: DailyRuleStats
    exposition: Callable[[], bytes]
    refused: Callable[[Reason], None]
    skew: Callable[[], float]
    is_stopped: Callable[[], bool]
    guard: RecipientGuard


def build_site(site: AppDependencies) -> ASGIApp:
    """Return the ASGI application."""
    pages = _build_pages(site)
    webhook = WebhookApp(site.intake, guard_webhook(site.environment), site.refused)

    async def serve(scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"].rstrip("/") in {
            WEBHOOK_PATH,
            EVENTS_PATH,
        }:
            await webhook(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return serve


def _build_pages(site: AppDependencies) -> Litestar:
    api = Router(
        "/v1",
        route_handlers=[
            recipients_router(),
            operations_router(),
            dead_letters_router(),
            channels_router(),
            sending_router(),
            rules_router(),
        ],
        guards=[guard_api(site.environment)],
    )

    async def render() -> bytes:
        return site.exposition()

    dependencies = {
        "recipients": site.recipients,
        "log": site.log,
        "bulk_cancel": site.bulk_cancel,
        "queue": site.queue,
        "dead_letters": site.dead_letters,
        "rulebook": site.rulebook,
        "rule_days": site.rule_days,
        "database_faults": SingleFlight(partial(check_database, site.database)),
        "exposition": SingleFlight(render, rest=METRICS_REST_FACTOR),
        "skew": site.skew,
        "is_stopped": site.is_stopped,
        "guard": site.guard,
    }
    answer = partial(answer_error, RefusalLog())
    pages = Litestar(
        route_handlers=[api, health_router(), show_metrics, show_document],
        dependencies={name: _dependency(value) for name, value in dependencies.items()},
        exception_handlers={HTTPException: answer, Exception: answer},
        response_headers=HEADERS,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    pages.state.document = build_document(pages.routes)
    return pages


def _dependency(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
