"""`/health`: what an orchestrator asks, without a key."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

from litestar import Router, get
from litestar.di import NamedDependency
from msgspec import UNSET, Struct, UnsetType

from router.store.db.database import Database
from router.store.errors import RequestFault, StoreUnavailable
from router.web.openapi import described
from router.web.problems import HTTPError
from router.web.rules import ReloadableRules
from router.web.single_flight import SingleFlight

DATABASE_TIMEOUT_S = 2.0
"""Seconds the database may take to answer."""


class Health(Struct, frozen=True, kw_only=True):
    """The process is well; with `sending: stopped`, an operator holds all channels."""

    message: Literal["live", "ready"]
    sending: Literal["stopped"] | UnsetType = UNSET


@get("/live")
async def report_live() -> Health:
    """Check that the process answers."""
    return Health(message="live")


@get("/ready", opt=described(errors=(HTTPStatus.SERVICE_UNAVAILABLE,)))
async def report_ready(
    database_faults: NamedDependency[SingleFlight[list[RequestFault]]],
    rulebook: NamedDependency[ReloadableRules],
    is_stopped: NamedDependency[Callable[[], bool]],
) -> Health:
    """Check that payloads are accepted and decided; a 503 names the reasons."""
    faults = [*await database_faults.result(), *_rules_faults(rulebook)]
    if faults:
        raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, "not ready; see `problems`", faults=faults)
    return Health(message="ready", sending="stopped" if is_stopped() else UNSET)


def health_router() -> Router:
    """Return the routes under `/health`."""
    return Router("/health", route_handlers=[report_live, report_ready], tags=["health"])


async def check_database(database: Database) -> list[RequestFault]:
    """Return what is wrong with the database: it is read and written for the answer."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_S):
            await database.check()
    except (StoreUnavailable, TimeoutError):
        return [RequestFault("database", "does not answer; payloads are refused until it does")]
    return []


def _rules_faults(rulebook: ReloadableRules) -> list[RequestFault]:
    if rulebook.ruleset is None:
        return [RequestFault("rules", "no rules are in force; payloads are accepted and wait")]
    return []
