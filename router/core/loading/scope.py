"""What the parts of a file know of each other while it is read."""

from collections.abc import Mapping

from msgspec import Struct, field

from router.core.field import Field
from router.core.hours import Window
from router.core.loading.report import Report
from router.core.node import ScalarNode
from router.core.ruleset import ChannelSpec


class Scope(Struct, kw_only=True):
    """The names a file defines; `channels` and `hours` have None for what is wrong.

    `variables` are the names in top-level `vars`; `used` collects the lists, and `used_hours` the
    hours, that some test or step names, `named` the declared `fields` that some test or template
    names. Where it `is_early`, the recipient is not known.
    """

    report: Report
    channels: Mapping[str, ChannelSpec | None]
    lists: Mapping[str, tuple[ScalarNode, ...]]
    variables: frozenset[str]
    fields: Mapping[tuple[str, ...], Field] = field(default_factory=dict)
    is_early: bool = False
    extra: frozenset[str] = frozenset()
    """Further names that templates find."""
    hours: Mapping[str, Window | None] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    named: set[tuple[str, ...]] = field(default_factory=set)
    used_hours: set[str] = field(default_factory=set)
