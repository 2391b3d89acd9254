"""`/v1/dead-letters`: what reached no provider, to be read, sent again or dropped."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, Struct, UnsetType

from router.store.errors import Fault
from router.store.log.dead_letters import DeadLetter, DeadLetterFilter, DeadLetters
from router.store.log.pagination import Page
from router.web.openapi import described
from router.web.problems import Refused
from router.web.validation import Cut, read_body, read_list


class Selection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters: exactly one of `ids` and `filter`; an empty filter means all."""

    ids: Annotated[list[str], Meta(description="Their ids.")] | UnsetType = UNSET
    filter: DeadLetterFilter | UnsetType = UNSET


class Retried(Struct, frozen=True, kw_only=True):
    """How many dead letters are due again."""

    retried: int


class Dropped(Struct, frozen=True, kw_only=True):
    """How many dead letters were closed for good."""

    dropped: int


@get("/", opt=described(query=(DeadLetterFilter, Cut)))
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


@post("/retry", status_code=HTTPStatus.OK, opt=described(body=Selection))
async def retry_dead_letters(body: RawBody, dead_letters: NamedDependency[DeadLetters]) -> Retried:
    """Make dead letters due again at once."""
    return Retried(retried=await dead_letters.retry(_selected(body)))


@post(
    "/{id:str}/retry",
    status_code=HTTPStatus.OK,
    opt=described(errors=(HTTPStatus.NOT_FOUND,)),
)
async def retry_dead_letter(
    id: FromPath[str],
    dead_letters: NamedDependency[DeadLetters],
) -> Retried:
    """Make one dead letter due again at once."""
    retried = await dead_letters.retry([id])
    if not retried:
        raise _unknown()
    return Retried(retried=retried)


@post("/drop", status_code=HTTPStatus.OK, opt=described(body=Selection))
async def drop_dead_letters(body: RawBody, dead_letters: NamedDependency[DeadLetters]) -> Dropped:
    """Close dead letters for good."""
    return Dropped(dropped=await dead_letters.drop(_selected(body)))


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


def _selected(body: bytes) -> list[str] | DeadLetterFilter:
    selection = read_body(body, Selection)
    if selection.ids is not UNSET and selection.filter is UNSET:
        return selection.ids
    if selection.filter is not UNSET and selection.ids is UNSET:
        return selection.filter
    raise Refused(
        HTTPStatus.BAD_REQUEST,
        "say which dead letters; see `problems`",
        faults=[Fault("$", "give either `ids` or `filter`; an empty filter means all")],
    )


def _unknown() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "there is no dead letter by this id")
