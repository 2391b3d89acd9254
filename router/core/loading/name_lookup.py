"""What a name in a condition or a template stands for, in the file at hand."""

from collections.abc import Collection

from router.core.conditions.fields import HOURS, ROOTS, Field, find_field, split_path, suggest_field
from router.core.errors import nearest
from router.core.loading.scope import FileScope

_LATE = frozenset({("attributes",), ("vars",), (HOURS.name,)})
_OWN = "custom"
"""The root below which a file with `fields` must declare every path."""


def find_name(name: str, scope: FileScope, variables: Collection[str]) -> Field | None:
    """Return the field of that name, None where there is none here.

    `variables` are the names that `vars` has.
    """
    path = split_path(name) or ()
    if _is_late(path, scope):
        return None
    below = [declared for declared in scope.fields if declared[: len(path)] == path]
    scope.named.update(below)
    if path in scope.fields:
        return scope.fields[path]
    if scope.fields and path[:1] == (_OWN,) and not below and len(path) > 1:
        return None
    return find_field(name, variables)


def suggest_name(name: str, scope: FileScope, variables: Collection[str]) -> str:
    """Return what to write instead of a name that stands for nothing, or an empty text."""
    path = split_path(name) or ()
    if _is_late(path, scope):
        return "a payload is classified before its recipient is looked up"
    if not scope.fields or path[:1] != (_OWN,):
        return suggest_field(name, variables)
    own = {found.name.removeprefix(_OWN): found for found in _own(scope)}
    near = nearest(name.removeprefix(_OWN), own)
    return f'did you mean "{own[near].name}"?' if near else 'declare it under "fields"'


def is_known(name: str, scope: FileScope, variables: Collection[str]) -> bool:
    """Return whether a template may use a name; it may use a whole mapping, too."""
    return find_name(name, scope, variables) is not None or (
        name in ROOTS and not _is_late((name,), scope)
    )


def _own(scope: FileScope) -> Collection[Field]:
    return [field for path, field in scope.fields.items() if path[0] == _OWN]


def _is_late(path: tuple[str, ...], scope: FileScope) -> bool:
    """Return whether a name is of what is known only when a payload has been classified."""
    return scope.is_early and path[:1] in _LATE
