"""What a name in a condition or a template stands for, in the file at hand."""

from collections.abc import Collection

from router.core.field import ROOTS, Field, find_field, split_path, suggest_field
from router.core.loading.scope import Scope

_LATE = frozenset({"attributes", "vars"})


def find_name(name: str, scope: Scope, variables: Collection[str]) -> Field | None:
    """Return the field of that name, None where there is none here.

    `variables` are the names that `vars` has.
    """
    return None if _is_late(name, scope) else find_field(name, variables)


def suggest_name(name: str, scope: Scope, variables: Collection[str]) -> str:
    """Return what to write instead of a name that stands for nothing, or an empty text."""
    if _is_late(name, scope):
        return "a payload is classified before its recipient is looked up"
    return suggest_field(name, variables)


def is_known(name: str, scope: Scope, variables: Collection[str]) -> bool:
    """Return whether a template may use a name; it may use a whole mapping, too."""
    if name in ROOTS:
        return not _is_late(name, scope)
    return find_name(name, scope, variables) is not None


def _is_late(name: str, scope: Scope) -> bool:
    """Return whether a name is of what is known only when a payload has been classified."""
    path = split_path(name)
    return scope.is_early and path is not None and path[0] in _LATE
