"""`/v1/notifications` and `/v1/deliveries`: what came in, and what became of it."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import Meta, Struct

from router.store.log.filters import CancelFilter
from router.store.log.log import (
    DeliveryFilter,
    DeliveryItem,
    DeliveryLog,
    DeliveryTrail,
    NotificationFilter,
    NotificationItem,
    Timeline,
)
from router.store.log.pagination import Page
from router.store.state.bulk_cancel import BulkCancel, OpenCount
from router.web.openapi import described
from router.web.problems import HTTPError
from router.web.validation import PageParams, read_body, read_list

MAX_CANCELLED_PER_REQUEST = 10_000
"""How many deliveries one request cancels when nobody says."""


class CancelRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open deliveries to cancel, by `filter`; an empty one means all."""

    filter: CancelFilter
    dry_run: Annotated[bool, Meta(description="Only count them.")] = False
    limit: Annotated[int, Meta(ge=1, le=100_000, description="How many at most.")] = (
        MAX_CANCELLED_PER_REQUEST
    )


class CancelReport(Struct, frozen=True, kw_only=True):
    """What a request cancelled, and what is left, by channel and rule.

    `in_flight` is how many were being sent when it came to them: such a send ends as it may, and
    is not tried again. While `remaining` is not 0, send the request again.
    """

    cancelled: int
    in_flight: int
    remaining: int
    matching: tuple[OpenCount, ...]


@get("/notifications", opt=described(query=(NotificationFilter, PageParams)))
async def list_notifications(
    request: Request[None, None, State], log: NamedDependency[DeliveryLog]
) -> Page[NotificationItem]:
    """List notifications, newest first."""
    which, cut = read_list(request.query_params, NotificationFilter)
    return await log.notifications(which, cut.limit, cut.cursor)


@get("/notifications/{id:str}", opt=described(errors=(HTTPStatus.NOT_FOUND,)))
async def show_notification(id: FromPath[str], log: NamedDependency[DeliveryLog]) -> Timeline:
    """Show everything that happened to a notification: decision, deliveries, attempts."""
    timeline = await log.notification(id)
    if timeline is None:
        raise HTTPError(HTTPStatus.NOT_FOUND, "there is no notification with this id")
    return timeline


@get("/deliveries", opt=described(query=(DeliveryFilter, PageParams)))
async def list_deliveries(
    request: Request[None, None, State], log: NamedDependency[DeliveryLog]
) -> Page[DeliveryItem]:
    """List deliveries, newest first."""
    which, cut = read_list(request.query_params, DeliveryFilter)
    return await log.deliveries(which, cut.limit, cut.cursor)


@get("/deliveries/{id:str}", opt=described(errors=(HTTPStatus.NOT_FOUND,)))
async def show_delivery(id: FromPath[str], log: NamedDependency[DeliveryLog]) -> DeliveryTrail:
    """Show a delivery with every attempt to send it."""
    trail = await log.delivery(id)
    if trail is None:
        raise HTTPError(HTTPStatus.NOT_FOUND, "there is no delivery with this id")
    return trail


@post("/deliveries/cancel", status_code=HTTPStatus.OK, opt=described(body=CancelRequest))
async def cancel_deliveries(
    body: RawBody, bulk_cancel: NamedDependency[BulkCancel]
) -> CancelReport:
    """Cancel open deliveries for good, those accepted first before the others."""
    request = read_body(body, CancelRequest)
    cancelled = in_flight = 0
    if not request.dry_run:
        done = await bulk_cancel.cancel(request.filter, most=request.limit)
        cancelled, in_flight = done.cancelled, done.in_flight
    matching = await bulk_cancel.count(request.filter)
    return CancelReport(
        cancelled=cancelled,
        in_flight=in_flight,
        remaining=sum(count.waiting + count.sending for count in matching),
        matching=matching,
    )


def operations_router() -> Router:
    """Return the routes of the log."""
    return Router(
        "/",
        route_handlers=[
            list_notifications,
            show_notification,
            list_deliveries,
            show_delivery,
            cancel_deliveries,
        ],
        opt={"scope": "operator"},
        tags=["operations"],
    )
