"""What the parts of a file know of each other while it is read."""

from collections.abc import Mapping

from msgspec import Struct, field

from router.core.conditions.fields import Field
from router.core.conditions.hours import Window
from router.core.errors import suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.section import name_known
from router.core.loading.yaml_nodes import Node, ScalarNode
from router.core.rules.ruleset import ChannelSpec


class FileScope(Struct, kw_only=True):
    """The names a file defines; `channels` and `hours` have None for what is wrong.

    `variables` are the names in top-level `vars`; `used` collects the lists, and `used_hours` the
    hours, that some test or step names, `named` the declared `fields` that some test or template
    names. `own` are the `vars` of an included file, for its templates alone. Where it `is_early`,
    the recipient is not known.
    """

    report: Diagnostics
    channels: Mapping[str, ChannelSpec | None]
    lists: Mapping[str, tuple[ScalarNode, ...]]
    variables: frozenset[str]
    own: frozenset[str] = frozenset()
    fields: Mapping[tuple[str, ...], Field] = field(default_factory=dict)
    is_early: bool = False
    country: str = ""
    """Where the addresses of the file are read."""
    extra: frozenset[str] = frozenset()
    """Further names that templates find."""
    hours: Mapping[str, Window | None] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    named: set[tuple[str, ...]] = field(default_factory=set)
    used_hours: set[str] = field(default_factory=set)


def check_channel(node: Node, scope: FileScope) -> str | None:
    """Return the name of a channel the file defines, or report that it defines none such."""
    name = node.text if isinstance(node, ScalarNode) else "…"
    if name in scope.channels:
        return name
    hint = suggest(name, scope.channels) or name_known(scope.channels)
    scope.report.error(node, f'unknown channel "{name}"', hint)
    return None
