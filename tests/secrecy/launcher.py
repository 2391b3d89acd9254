"""`router serve`, with providers on loopback and a page that breaks: run by the tests alone."""

import json
import os
import sys

import uvloop

from router.app import serve
from router.settings import read_environment
from router.store.log.filters import ALL_NOTIFICATIONS, NotificationFilter
from router.store.log.log import DeliveryLog, NotificationItem
from router.store.log.pagination import DEFAULT_PAGE_ITEMS, Page
from router.transport.http import AiohttpTransport

list_notifications = DeliveryLog.notifications


async def break_down(
    log: DeliveryLog,
    filter: NotificationFilter = ALL_NOTIFICATIONS,  # noqa: A002 - as the original
    limit: int = DEFAULT_PAGE_ITEMS,
    cursor: str | None = None,
) -> Page[NotificationItem]:
    """List notifications; those of `breakdown` raise with what the environment holds."""
    if filter.recipient == "breakdown":
        raise RuntimeError(f"cannot read with {os.environ['ROUTER_WEBHOOK_PASSWORD']}")
    return await list_notifications(log, filter, limit, cursor)


async def main() -> None:
    """Serve until told to stop."""
    environment, _ = read_environment(os.environ)
    transport = AiohttpTransport(rewrite=json.loads(sys.argv[1]))
    try:
        await serve(environment, transport=transport)
    finally:
        await transport.aclose()


if __name__ == "__main__":
    setattr(DeliveryLog, "notifications", break_down)  # noqa: B010 - the types of methods are not assignable
    uvloop.run(main())
