"""Grants: the references that the main file lets the owner of an included file write."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import chain

from msgspec import Struct

from router.core.loading.diagnostics import Diagnostics
from router.core.loading.section import Section
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode

INCLUDE_KEYS = ("files", "owner", "env", "secret_files")
RESERVED = "ROUTER_"
"""Variables whose names begin so are settings of the router: no grant covers them."""

_WILDCARDS = frozenset("*?[")


class Grant(Struct, frozen=True, kw_only=True):
    """The references that an included file may write; by default none.

    `env` holds patterns of names, `secret_files` patterns of absolute paths, in which `*` does
    not match a `/`. `owner` is the only owner that the file may name, empty for any.
    """

    owner: str = ""
    env: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = ()

    def allows_variable(self, name: str) -> bool:
        """Return whether `${env:NAME}` may stand in the file."""
        return not name.startswith(RESERVED) and any(fnmatchcase(name, p) for p in self.env)

    def find_folder(self, path: str) -> str | None:
        """Return the granted folder that `${file:PATH}` has to stay in; None where none is."""
        parts = path.split("/")
        if ".." in parts:
            return None
        for pattern in self.secret_files:
            wanted = pattern.split("/")
            if len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
                return fixed_folder(pattern)
        return None


class IncludePattern(Struct, frozen=True, kw_only=True):
    """A pattern of `include`, where it stands, and the grant of the files that it matches."""

    node: ScalarNode
    grant: Grant


def fixed_folder(pattern: str) -> str:
    """Return the folder of a pattern before its first wildcard; empty for one without a `/`."""
    parts = pattern.split("/")[:-1]
    fixed = next((i for i, part in enumerate(parts) if _WILDCARDS & set(part)), len(parts))
    return "/".join(parts[:fixed]) or ("/" if pattern.startswith("/") else "")


def read_inclusions(section: Section, report: Diagnostics) -> Iterator[IncludePattern]:
    """Yield the patterns of `include` in their order, each with its grant."""
    node = section.get("include")
    if node is None:
        return
    items: Sequence[Node] = node.items if isinstance(node, SequenceNode) else (node,)
    for item in items:
        if isinstance(item, MappingNode):
            yield from _read_mapping(item, report)
        elif isinstance(item, ScalarNode) and item.text:
            yield from _read_pattern(item, Grant(), report)
        else:
            hint = "write the pattern of a file, or {files: PATTERN, env: [NAME]}"
            report.error(item, "this item of include names no files", hint)


def _read_mapping(node: MappingNode, report: Diagnostics) -> Iterator[IncludePattern]:
    section = Section(node, report, what="include", keys=INCLUDE_KEYS)
    if "files" not in section:
        report.error(node, "this item of include names no files", "write files: PATTERN")
    env, secret_files = section.texts("env") or (), section.texts("secret_files") or ()
    for name in env:
        if name.text.startswith(RESERVED):
            message = f"{name.text} grants settings of the router, which no team may read"
            report.error(name, message, "name variables of the team's own")
    for path in secret_files:
        if not path.text.startswith("/") or ".." in path.text.split("/"):
            hint = "write a path that starts with /, without .."
            report.error(path, f"{path.text} is not an absolute path", hint)
    grant = Grant(
        owner=section.text("owner") or "",
        env=tuple(name.text for name in env),
        secret_files=tuple(path.text for path in secret_files),
    )
    patterns = (_read_pattern(text, grant, report) for text in section.texts("files") or ())
    yield from chain.from_iterable(patterns)


def _read_pattern(node: ScalarNode, grant: Grant, report: Diagnostics) -> Iterator[IncludePattern]:
    if node.text.startswith("/"):
        report.error(node, f"{node.text} is not a path relative to this file", "write one")
    else:
        yield IncludePattern(node=node, grant=grant)
