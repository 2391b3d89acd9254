"""`/v1/notifications` and `/v1/deliveries`: what came in, and what became of it."""

from http import HTTPStatus

from litestar import Request, Router, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from router.store.log import (
    DeliveryFilter,
    DeliveryItem,
    DeliveryTrail,
    Log,
    NotificationFilter,
    NotificationItem,
    Timeline,
)
from router.store.page import Page
from router.web.document import described
from router.web.problems import Refused
from router.web.reading import Cut, read_list


@get("/notifications", opt=described(query=(NotificationFilter, Cut)))
async def list_notifications(
    request: Request[None, None, State], log: NamedDependency[Log]
) -> Page[NotificationItem]:
    """List notifications, newest first."""
    which, cut = read_list(request.query_params, NotificationFilter)
    return await log.notifications(which, cut.limit, cut.cursor)


@get("/notifications/{id:str}", opt=described(errors=(HTTPStatus.NOT_FOUND,)))
async def show_notification(id: FromPath[str], log: NamedDependency[Log]) -> Timeline:
    """Show everything that happened to a notification: decision, deliveries, attempts."""
    timeline = await log.notification(id)
    if timeline is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no notification by this id")
    return timeline


@get("/deliveries", opt=described(query=(DeliveryFilter, Cut)))
async def list_deliveries(
    request: Request[None, None, State], log: NamedDependency[Log]
) -> Page[DeliveryItem]:
    """List deliveries, newest first."""
    which, cut = read_list(request.query_params, DeliveryFilter)
    return await log.deliveries(which, cut.limit, cut.cursor)


@get("/deliveries/{id:str}", opt=described(errors=(HTTPStatus.NOT_FOUND,)))
async def show_delivery(id: FromPath[str], log: NamedDependency[Log]) -> DeliveryTrail:
    """Show a delivery with every attempt to send it."""
    trail = await log.delivery(id)
    if trail is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no delivery by this id")
    return trail


def operations_router() -> Router:
    """Return the routes of the log."""
    return Router(
        "/",
        route_handlers=[list_notifications, show_notification, list_deliveries, show_delivery],
        opt={"scope": "operator"},
        tags=["operations"],
    )
