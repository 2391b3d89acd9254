"""The routes of the HTTP interface."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from litestar.routes import HTTPRoute

from router.settings import Environment
from router.web.app import AppDependencies, _build_pages
from router.web.openapi import WEBHOOKS, ApiOperation, read_operations, write_document
from tests.docs.parts.kinds import default_of, tell
from tests.docs.parts.table import code, table

Node = dict[str, Any]

_METHODS = ("get", "put", "post", "patch", "delete")
"""In the order they are shown in; the framework has none."""


class Served(NamedTuple):
    """The routes as the site serves them: the operations, their document, who may call them."""

    operations: list[ApiOperation]
    document: Node
    scopes: dict[tuple[str, str], str]


def read_site() -> Served:
    """Return what a site serves that stands on nothing: nobody calls it."""
    nothing: dict[str, Any] = dict.fromkeys(AppDependencies.__struct_fields__)
    pages = _build_pages(AppDependencies(**nothing | {"environment": Environment()}))
    operations = [*WEBHOOKS, *read_operations(pages.routes)]
    scopes = {
        (str(method), handler.opt.get("path") or route.path_format): handler.opt["scope"]
        for route in pages.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if "scope" in handler.opt
    }
    return Served(operations, write_document(operations), scopes)


def write_routes() -> str:
    """Return the table of every route."""
    site = read_site()
    return table(
        ("route", "key", "answers", "what it does"),
        (
            (
                code(f"{method.upper()} {path}"),
                _key(site, method.upper(), path, entry),
                ", ".join(sorted(entry["responses"])),
                f"{entry['summary']}.",
            )
            for method, path, entry in entries(site.document)
        ),
    )


def write_parameters() -> str:
    """Return the table of what each route takes and gives."""
    return table(
        ("route", "query", "body", "answer"),
        (
            (
                code(f"{method.upper()} {path}"),
                ", ".join(_query(entry)),
                _content(entry.get("requestBody", {})),
                _content(_good(entry)),
            )
            for method, path, entry in entries(read_site().document)
        ),
    )


def entries(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Yield method, path and entry of each operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method in filter(methods.__contains__, _METHODS):
            yield method, path, methods[method]


def components(document: Node) -> Node:
    """Return the schemas of a document by name."""
    return msgspec.convert(document["components"]["schemas"], Node)


def _key(site: Served, method: str, path: str, entry: Node) -> str:
    if scope := site.scopes.get((method, path)):
        return code(scope)
    return "CometChat's" if entry.get("security") else "none"


def _query(entry: Node) -> Iterator[str]:
    for parameter in entry["parameters"]:
        if parameter["in"] == "query":
            default = default_of(parameter["schema"])
            yield code(parameter["name"]) + (f" ({default})" if default else "")


def _good(entry: Node) -> Node:
    (status,) = [status for status in entry["responses"] if status < "300"]
    good: Node = entry["responses"][status]
    return good


def _content(part: Node) -> str:
    for kind, each in part.get("content", {}).items():
        schema = each["schema"]
        return tell(schema) if "$ref" in schema or kind.endswith("json") else f"text, {code(kind)}"
    return ""
