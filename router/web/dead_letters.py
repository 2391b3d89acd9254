"""`/v1/dead-letters`: what reached no provider, to be read, sent again or dropped."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, Struct, UnsetType

from router.store.errors import RequestFault
from router.store.log.dead_letters import DeadLetter, DeadLetterFilter, DeadLetters
from router.store.log.pagination import Page
from router.web.openapi import described
from router.web.problems import HTTPError
from router.web.validation import PageParams, read_body, read_list


class DeadLetterSelection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters: exactly one of `ids` and `filter`; an empty filter means all."""

    ids: Annotated[list[str], Meta(description="Their ids.")] | UnsetType = UNSET
    filter: DeadLetterFilter | UnsetType = UNSET


class RetryResponse(Struct, frozen=True, kw_only=True):
    """How many dead letters are due again."""

    retried: int


class DropResponse(Struct, frozen=True, kw_only=True):
    """How many dead letters were closed for good."""

    dropped: int


@get("/", opt=described(query=(DeadLetterFilter, PageParams)))
async def list_dead_letters(
    request: Request[None, None, State], dead_letters: NamedDependency[DeadLetters]
) -> Page[DeadLetter]:
    """List dead letters, newest first."""
    which, cut = read_list(request.query_params, DeadLetterFilter)
    return await dead_letters.list(which, cut.limit, cut.cursor)


@get("/{id:str}", opt=described(errors=(HTTPStatus.NOT_FOUND,)))
async def show_dead_letter(
    id: FromPath[str],
    dead_letters: NamedDependency[DeadLetters],
) -> DeadLetter:
    """Show one dead letter."""
    letter = await dead_letters.get(id)
    if letter is None:
        raise _unknown()
    return letter


@post("/retry", status_code=HTTPStatus.OK, opt=described(body=DeadLetterSelection))
async def retry_dead_letters(
    body: RawBody, dead_letters: NamedDependency[DeadLetters]
) -> RetryResponse:
    """Send dead letters again at once."""
    return RetryResponse(retried=await dead_letters.retry(_read_selection(body)))


@post(
    "/{id:str}/retry",
    status_code=HTTPStatus.OK,
    opt=described(errors=(HTTPStatus.NOT_FOUND,)),
)
async def retry_dead_letter(
    id: FromPath[str],
    dead_letters: NamedDependency[DeadLetters],
) -> RetryResponse:
    """Send one dead letter again at once."""
    retried = await dead_letters.retry([id])
    if not retried:
        raise _unknown()
    return RetryResponse(retried=retried)


@post("/drop", status_code=HTTPStatus.OK, opt=described(body=DeadLetterSelection))
async def drop_dead_letters(
    body: RawBody, dead_letters: NamedDependency[DeadLetters]
) -> DropResponse:
    """Close dead letters for good."""
    return DropResponse(dropped=await dead_letters.drop(_read_selection(body)))


def dead_letters_router() -> Router:
    """Return the routes under `/v1/dead-letters`."""
    return Router(
        "/dead-letters",
        route_handlers=[
            list_dead_letters,
            show_dead_letter,
            retry_dead_letters,
            retry_dead_letter,
            drop_dead_letters,
        ],
        opt={"scope": "operator"},
        tags=["operations"],
    )


def _read_selection(body: bytes) -> list[str] | DeadLetterFilter:
    selection = read_body(body, DeadLetterSelection)
    if selection.ids is not UNSET and selection.filter is UNSET:
        return selection.ids
    if selection.filter is not UNSET and selection.ids is UNSET:
        return selection.filter
    raise HTTPError(
        HTTPStatus.BAD_REQUEST,
        "the selection is invalid; see `problems`",
        faults=[RequestFault("$", "give either `ids` or `filter`; an empty filter means all")],
    )


def _unknown() -> HTTPError:
    return HTTPError(HTTPStatus.NOT_FOUND, "there is no dead letter with this id")
