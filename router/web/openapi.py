"""`/docs/openapi.json`: the site described by its own routes and by the structs they read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from inspect import cleandoc, getdoc
from typing import Any

import msgspec
from litestar import get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.routes.base import BaseRoute
from msgspec import Raw, Struct

from router.web.problems import ErrorBody
from router.web.webhook import (
    EVENTS_PATH,
    WEBHOOK_PATH,
    AcceptResponse,
    EventBody,
    EventResponse,
    PayloadBody,
    WebhookApp,
)

Node = dict[str, Any]
"""A JSON object of the document."""

JSON = "application/json"
METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
"""Source: the Path Item Object of OpenAPI 3.1, which lists them in this order."""


class ApiOperation(Struct, frozen=True, kw_only=True):
    """One method of one path, as it is to be described; `answer` is None for an empty one."""

    path: str
    method: str
    name: str
    text: str
    tags: Sequence[str]
    security: Sequence[str]
    path_parameters: Sequence[str] = ()
    query: Sequence[type[Struct]] = ()
    body: type[Struct] | None = None
    body_media_type: str = JSON
    status: int = HTTPStatus.OK
    answer: object
    media_type: str = JSON
    errors: Sequence[HTTPStatus]


def described(  # noqa: PLR0913 - each says another thing
    *,
    path: str | None = None,
    body: type[Struct] | None = None,
    body_media_type: str = JSON,
    query: Sequence[type[Struct]] = (),
    errors: Sequence[HTTPStatus] = (),
    media_type: str = JSON,
) -> dict[str, object]:
    """Return a handler's `opt`: what its signature does not say of it.

    `path` is for a handler that serves one word only where its route takes any.
    """
    return {
        "path": path,
        "body": body,
        "body_media_type": body_media_type,
        "query": query,
        "errors": errors,
        "media_type": media_type,
    }


@get("/docs/openapi.json", tags=["docs"])
async def show_document(state: State) -> Raw:
    """Return this document."""
    document: Raw = state.document
    return document


def build_document(routes: Iterable[BaseRoute]) -> Raw:
    """Return the document of a site's routes as it is sent: it takes too long for each request."""
    return Raw(msgspec.json.encode(write_document([*WEBHOOKS, *read_operations(routes)])))


def write_document(operations: Sequence[ApiOperation]) -> Node:
    """Return the OpenAPI 3.1 document of some operations."""
    kinds = [ErrorBody, *(kind for operation in operations for kind in _kinds(operation))]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    schemas_by_id = dict(zip(map(id, kinds), schemas, strict=True))
    paths: Node = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe_operation(
            operation, schemas_by_id
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Notification router", "version": version("notification-router")},
        "paths": paths,
        "components": {"schemas": _with_descriptions(components), "securitySchemes": _SCHEMES},
    }


def read_operations(routes: Iterable[BaseRoute]) -> Iterator[ApiOperation]:
    """Yield what the routes serve."""
    for route in routes:
        if isinstance(route, HTTPRoute):
            shown = [h for h in route.route_handlers if h.resolve_include_in_schema()]
            operations = [_operation(route, handler) for handler in shown]
            # The framework keeps them in a set: their order would change from start to start.
            yield from sorted(operations, key=lambda operation: METHODS.index(operation.method))


def _operation(route: HTTPRoute, handler: HTTPRouteHandler) -> ApiOperation:
    opt = {**described(), **handler.opt}
    answer = handler.parsed_fn_signature.return_type.annotation
    return ApiOperation(
        path=opt["path"] or route.path_format,
        method=next(iter(handler.http_methods)),
        name=handler.handler_name,
        text=getdoc(handler.fn) or "",
        tags=sorted(handler.resolve_tags()),
        security=["key"] if "scope" in opt else [],
        path_parameters=[] if opt["path"] else list(route.path_parameters),
        query=opt["query"],
        body=opt["body"],
        body_media_type=opt["body_media_type"],
        status=handler.status_code,
        answer=None if answer is type(None) else answer,
        media_type=opt["media_type"],
        errors=sorted({*opt["errors"], *_usual_errors(opt)}),
    )


def _usual_errors(opt: Mapping[str, object]) -> Iterator[HTTPStatus]:
    if opt["body"] or opt["query"]:
        yield HTTPStatus.BAD_REQUEST
    if opt["body"]:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if "scope" in opt:
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)


def _kinds(operation: ApiOperation) -> Iterator[object]:
    if operation.body is not None:
        yield operation.body
    if operation.answer is not None and operation.media_type == JSON:
        yield operation.answer


def _describe_operation(operation: ApiOperation, schemas_by_id: dict[int, Node]) -> Node:
    summary, _, description = operation.text.partition("\n")
    entry: Node = {
        "operationId": operation.name,
        "summary": summary.rstrip("."),
        "description": cleandoc(description),
        "tags": list(operation.tags),
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {str(operation.status): _answer(operation, schemas_by_id)},
    }
    for status in operation.errors:
        entry["responses"][str(status.value)] = {
            "description": status.phrase,
            "content": {JSON: {"schema": schemas_by_id[id(ErrorBody)]}},
        }
    if operation.body is not None:
        content = {operation.body_media_type: {"schema": schemas_by_id[id(operation.body)]}}
        entry["requestBody"] = {"required": True, "content": content}
    if operation.security:
        entry["security"] = [{scheme: []} for scheme in operation.security]
    return entry


def _answer(operation: ApiOperation, schemas_by_id: dict[int, Node]) -> Node:
    answer: Node = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer is not None:
        schema = schemas_by_id.get(id(operation.answer), {"type": "string"})
        answer["content"] = {operation.media_type: {"schema": schema}}
    return answer


def _path_parameters(operation: ApiOperation) -> Iterator[Node]:
    for name in operation.path_parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(operation: ApiOperation) -> Iterator[Node]:
    for kind in operation.query:
        _, components = msgspec.json.schema_components([kind])
        for name, schema in components[kind.__name__]["properties"].items():
            yield {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}


def _without_null(schema: Node) -> Node:
    """Return the schema without null: a query leaves a parameter out instead."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def _with_descriptions(components: Node) -> Node:
    """Return the components with their docstrings as descriptions of JSON: None is null there."""
    for component in components.values():
        if "description" in component:
            text = cleandoc(component["description"])
            component["description"] = re.sub(r"\bNone\b", "null", text)
    return components


_REFERENCE = "#/components/schemas/{name}"
_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "What CometChat was told."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "x-cometchat-signature",
        "description": "The body's HMAC-SHA256 with ROUTER_WEBHOOK_SECRET, in hex or base64; "
        "ROUTER_WEBHOOK_SIGNATURE_HEADER renames the header.",
    },
    "key": {"type": "http", "scheme": "bearer", "description": "A key of ROUTER_API_KEYS."},
}
_REFUSALS = [
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.SERVICE_UNAVAILABLE,
]
WEBHOOKS = (
    ApiOperation(
        path=WEBHOOK_PATH,
        method="post",
        name="accept_payload",
        text=getdoc(WebhookApp.accept) or "",
        tags=["webhook"],
        security=["basic", "signature"],
        body=PayloadBody,
        answer=AcceptResponse,
        errors=_REFUSALS,
    ),
    ApiOperation(
        path=EVENTS_PATH,
        method="post",
        name="take_event",
        text=getdoc(WebhookApp.record_read_receipt) or "",
        tags=["webhook"],
        security=["basic", "signature"],
        body=EventBody,
        answer=EventResponse,
        errors=_REFUSALS,
    ),
)
"""The operations that the framework does not know."""
