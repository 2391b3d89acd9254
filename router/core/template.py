"""Templates: Jinja kept to values and filters, so that no text can do more than be text."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from router.core.errors import Place


class Template(Struct, frozen=True, kw_only=True):
    """A compiled template; `names` are the variables it reads."""

    source: str
    place: Place
    names: frozenset[str]
    render: Callable[[Mapping[str, object]], str]
