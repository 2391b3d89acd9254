"""`/v1/channels`: what holds a channel, and holding it oneself."""

import math
import time
from http import HTTPStatus
from typing import Annotated

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, Struct, UnsetType

from router.core.errors import suggest
from router.queue.channels import (
    ChannelItem,
    is_stopped,
    list_channels,
    start_sending,
    stop_sending,
)
from router.queue.ports import Queue
from router.store.errors import RequestFault
from router.store.log.pagination import Page
from router.web.openapi import described
from router.web.problems import HTTPError
from router.web.rules import ReloadableRules
from router.web.validation import read_body


class SendingStatus(Struct, frozen=True, kw_only=True):
    """Whether an operator holds all channels."""

    stopped: bool


class PauseRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long: `seconds`, or `until` a time; with neither, until the channel is resumed."""

    seconds: Annotated[float, Meta(gt=0, description="Seconds from now.")] | UnsetType = UNSET
    until: Annotated[float, Meta(description="Epoch seconds.")] | UnsetType = UNSET


@get("/")
async def show_channels(
    queue: NamedDependency[Queue], rulebook: NamedDependency[ReloadableRules]
) -> Page[ChannelItem]:
    """List the channels, their holds and the number of their open deliveries."""
    return Page(items=await list_channels(queue, rulebook.channels, time.time()))


@post(
    "/{name:str}/pause",
    status_code=HTTPStatus.OK,
    opt=described(body=PauseRequest, errors=(HTTPStatus.NOT_FOUND,)),
)
async def pause_channel(
    name: FromPath[str],
    body: RawBody,
    queue: NamedDependency[Queue],
    rulebook: NamedDependency[ReloadableRules],
) -> ChannelItem:
    """Hold a channel for a time; its deliveries wait.

    Sends in flight end. Of two pauses the one that ends later counts.
    """
    until = _pause_end(read_body(body, PauseRequest), time.time())
    await _find(name, queue, rulebook)
    await queue.pause(name, cause="paused", until=until)
    return await _find(name, queue, rulebook)


@post(
    "/{name:str}/resume",
    status_code=HTTPStatus.OK,
    opt=described(errors=(HTTPStatus.NOT_FOUND,)),
)
async def resume_channel(
    name: FromPath[str], queue: NamedDependency[Queue], rulebook: NamedDependency[ReloadableRules]
) -> ChannelItem:
    """End every hold of a channel: pause, suspension, circuit breaker and daily cap.

    A daily cap that the channel has reached is lifted for the rest of the day. While all channels
    are stopped, the channel stays held.
    """
    item = await _find(name, queue, rulebook)
    if item.holds:
        await queue.resume(name)
    return await _find(name, queue, rulebook)


@get("/")
async def show_sending(queue: NamedDependency[Queue]) -> SendingStatus:
    """Show whether an operator holds all channels."""
    return SendingStatus(stopped=await is_stopped(queue, time.time()))


@post("/stop", status_code=HTTPStatus.OK)
async def stop(queue: NamedDependency[Queue]) -> SendingStatus:
    """Hold all channels, including those added later; deliveries wait.

    Sends in flight end. It lasts until sending is started again, over restarts too.
    """
    await stop_sending(queue)
    return SendingStatus(stopped=True)


@post("/start", status_code=HTTPStatus.OK)
async def start(queue: NamedDependency[Queue]) -> SendingStatus:
    """End the hold of all channels; other holds stay."""
    await start_sending(queue)
    return SendingStatus(stopped=False)


def sending_router() -> Router:
    """Return the routes under `/v1/sending`."""
    return Router(
        "/sending",
        route_handlers=[show_sending, stop, start],
        opt={"scope": "operator"},
        tags=["operations"],
    )


def channels_router() -> Router:
    """Return the routes under `/v1/channels`."""
    return Router(
        "/channels",
        route_handlers=[show_channels, pause_channel, resume_channel],
        opt={"scope": "operator"},
        tags=["operations"],
    )


def _pause_end(pause: PauseRequest, now: float) -> float:
    if pause.seconds is not UNSET and pause.until is not UNSET:
        raise _refused(RequestFault("$", "give either `seconds` or `until`"))
    if pause.until is not UNSET and pause.until <= now:
        raise _refused(RequestFault("$.until", f"must be after now, which is {now:.0f}"))
    if pause.until is not UNSET:
        return pause.until
    return math.inf if pause.seconds is UNSET else now + pause.seconds


def _refused(fault: RequestFault) -> HTTPError:
    return HTTPError(
        HTTPStatus.BAD_REQUEST, "the request is invalid; see `problems`", faults=[fault]
    )


async def _find(name: str, queue: Queue, rulebook: ReloadableRules) -> ChannelItem:
    items = await list_channels(queue, rulebook.channels, time.time())
    for item in items:
        if item.name == name:
            return item
    names = [item.name for item in items]
    hint = suggest(name, names) or f"known are {', '.join(names) or 'none'}"
    raise HTTPError(HTTPStatus.NOT_FOUND, f"unknown channel; {hint}")
