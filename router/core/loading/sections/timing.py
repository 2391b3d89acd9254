"""`quiet` and `after`: when a step goes."""

from typing import get_args

from router.core.errors import suggest
from router.core.loading.scope import FileScope
from router.core.loading.section import Section, name_known
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode
from router.core.rules.ruleset import Quiet, QuietMode

_KEYS = ("hours", "mode")


def read_quiet(step: Section, scope: FileScope) -> Quiet | None:
    """Return the hours in which a step does not go, and what becomes of it then."""
    node = step.get("quiet")
    if node is None:
        return None
    if not isinstance(node, MappingNode):
        name = _read_name(node, scope)
        return None if name is None else Quiet(name)
    part = Section(node, scope.report, what="quiet", keys=_KEYS)
    if "hours" not in part:
        scope.report.error(node, "quiet needs hours", name_known(scope.hours))
    mode = part.word("mode", get_args(QuietMode))
    named = part.get("hours")
    name = None if named is None else _read_name(named, scope)
    return None if name is None else Quiet(name, mode or "defer")


def read_after(step: Section, expires: float | None, scope: FileScope) -> float | None:
    """Return for how many seconds a step waits; `expires` is what the step says of that."""
    after = step.duration("after")
    if after is not None and expires is not None and after >= expires:
        hint = 'it counts from when the step is due: leave it out, or give it more than "after"'
        scope.report.error(step.key("expires"), '"expires" is not more than "after"', hint)
    return after


def _read_name(node: Node, scope: FileScope) -> str | None:
    name = node.text if isinstance(node, ScalarNode) else "…"
    if name not in scope.hours:
        hint = suggest(name, scope.hours) or name_known(scope.hours)
        scope.report.error(node, f'unknown hours "{name}"', hint)
        return None
    scope.used_hours.add(name)
    window = scope.hours[name]
    if window is not None and window.is_endless:
        hint = "leave a day or an hour out"
        scope.report.error(node, f"the hours {name} never end, so nothing would go", hint)
    return name
