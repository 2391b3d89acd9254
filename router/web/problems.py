"""Errors as the web answers them: one body for all, and never more than the caller may know."""

from collections.abc import Sequence
from http import HTTPStatus

import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from msgspec import Struct

from router.core.errors import PayloadError
from router.queue.ports import JournalUnavailable
from router.store.errors import (
    AppAmbiguous,
    CursorInvalid,
    RecipientInvalid,
    RequestFault,
    StoreUnavailable,
)
from router.web.refusal_log import RefusalLog, name_peer

_log = structlog.get_logger(__name__)

RETRY_AFTER_S = "5"
"""Seconds after which a caller may come again when nothing could be written."""


HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""What every answer tells browsers and proxies."""


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What every error answers: what it is, what to do, and each thing at fault."""

    message: str
    detail: str
    problems: tuple[RequestFault, ...] = ()


class HTTPError(HTTPException):
    """A request that is answered with an error; raise it from any handler."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        faults: Sequence[RequestFault] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        """Say with which status, what to do about it, and everything at fault."""
        super().__init__(detail=detail, status_code=status.value, headers=headers or {})
        self.body = ErrorBody(message=status.phrase.lower(), detail=detail, problems=tuple(faults))


def refusal(error: Exception) -> HTTPError:
    """Return the answer to an error; one that nobody foresaw is logged and tells nothing."""
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, JournalUnavailable | StoreUnavailable):
        if isinstance(error, StoreUnavailable):
            _log.warning("database unavailable", error=str(error))
        return HTTPError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the database is unavailable; try again later",
            headers={"Retry-After": RETRY_AFTER_S},
        )
    if isinstance(error, HTTPException):
        return _to_http_error(error)
    if found := _faults(error):
        detail, faults = found
        return HTTPError(HTTPStatus.BAD_REQUEST, detail, faults=faults)
    _log.error("request failed", exc_info=error)
    return HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, _DETAILS[HTTPStatus.INTERNAL_SERVER_ERROR])


def answer_error(
    refusal_log: RefusalLog, request: Request[None, None, State], error: Exception
) -> Response[ErrorBody]:
    """Answer any error of a handler, the framework's own included; log who may not come in."""
    refused = refusal(error)
    if refused.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        body = refused.body
        peer = name_peer(request.scope["client"])
        refusal_log.note(
            request.scope["path"], peer, refused.status_code, body.message, body.detail
        )
    headers = {**HEADERS, **(refused.headers or {})}
    return Response(refused.body, status_code=refused.status_code, headers=headers)


def _faults(error: Exception) -> tuple[str, tuple[RequestFault, ...]] | None:
    if isinstance(error, PayloadError):
        faults = (RequestFault(error.path, error.reason),)
        return "the body is not a payload of CometChat; see `problems`", faults
    if isinstance(error, RecipientInvalid):
        return "the recipient is invalid; see `problems`", error.faults
    if isinstance(error, AppAmbiguous):
        return "the app is ambiguous; see `problems`", (RequestFault("appId", str(error)),)
    if isinstance(error, CursorInvalid):
        return "the cursor is invalid; start again without `cursor`", (
            RequestFault("?cursor", str(error)),
        )
    return None


def _to_http_error(error: HTTPException) -> HTTPError:
    status = HTTPStatus(error.status_code)
    headers = {name.title(): text for name, text in (error.headers or {}).items()}
    detail = _DETAILS.get(status, "the request is invalid")
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework keeps them in a set: their order would change from start to start.
        headers["Allow"] = ", ".join(sorted(headers.get("Allow", "").split(", ")))
        detail = f"use {headers['Allow']}"
    return HTTPError(status, detail, headers=headers)


_DETAILS = {
    HTTPStatus.NOT_FOUND: "unknown route; /docs/openapi.json lists all routes",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than 1 MiB",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the router failed; see `request failed` in its log",
}
