"""`unless` of a step: what makes its deliveries needless while they wait."""

from collections.abc import Iterator

from router.core.conditions.fields import find_field
from router.core.errors import suggest
from router.core.loading.scope import FileScope, check_channel
from router.core.loading.section import Section, name_known, read_texts
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode
from router.core.model.call import OVER
from router.core.model.unless import WaitClause

_KEYS = ("delivered", "read", "call")


def read_unless(node: Node, scope: FileScope) -> tuple[WaitClause, ...]:
    """Return the clauses of an `unless`; a mapping is AND, a list of mappings OR."""
    items = node.items if isinstance(node, SequenceNode) else (node,)
    if not items:
        scope.report.error(node, '"unless" is empty', "leave it out")
    return tuple(_read_clauses(items, scope))


def _read_clauses(items: tuple[Node, ...], scope: FileScope) -> Iterator[WaitClause]:
    for item in items:
        if not isinstance(item, MappingNode):
            hint = "write {delivered: CHANNEL}, {read: true} or {call: over}, or a list of such"
            scope.report.error(item, '"unless" takes a mapping or a list of mappings', hint)
        elif not item.entries:
            scope.report.error(item, '"unless" is empty', "leave it out")
        else:
            yield _read_clause(item, scope)


def _read_clause(node: MappingNode, scope: FileScope) -> WaitClause:
    keys = dict(node.entries)
    for key in [key for key in keys if key not in _KEYS]:
        _refuse(keys.pop(key).key, scope)
    part = Section(MappingNode(node.place, entries=keys), scope.report, what="unless", keys=_KEYS)
    return WaitClause(
        delivered=_read_channel(part, scope),
        read=_read_truth(part, scope),
        call=_read_actions(part, scope),
    )


def _refuse(key: ScalarNode, scope: FileScope) -> None:
    """Report a key that says nothing of what happens while a delivery waits."""
    if key.text not in {"any", "all", "none", "not"} and find_field(key.text, scope.variables):
        message = f'"{key.text}" is known at once, and "unless" asks what happens later'
        scope.report.error(key, message, f"write when: {{not: {{{key.text}: …}}}} beside it")
        return
    hint = suggest(key.text, _KEYS) or name_known(_KEYS)
    scope.report.error(key, f'unknown key "{key.text}" in unless', hint)


def _read_channel(part: Section, scope: FileScope) -> str:
    node = part.get("delivered")
    if isinstance(node, SequenceNode):
        hint = "write unless: [{delivered: …}, {delivered: …}], of which one suffices"
        scope.report.error(node, '"delivered" names one channel', hint)
        return ""
    return "" if node is None else check_channel(node, scope) or ""


def _read_truth(part: Section, scope: FileScope) -> bool:
    node = part.get("read")
    is_read = isinstance(node, ScalarNode) and node.value is True
    if node is not None and not is_read:
        scope.report.error(part.key("read"), '"read" can only be true', "write read: true")
    return is_read


def _read_actions(part: Section, scope: FileScope) -> tuple[str, ...]:
    node = part.get("call")
    if node is None:
        return ()
    if isinstance(node, ScalarNode) and node.text == "over":
        return OVER
    nodes = read_texts(node, scope.report, "call")
    for action in nodes:
        if action.text == "initiated":
            hint = "name what ends the wait, or write over"
            scope.report.error(action, "every call begins with initiated", hint)
        elif action.text not in OVER:
            words = OVER if isinstance(node, SequenceNode) else ("over", *OVER)
            hint = suggest(action.text, words) or f"known are {', '.join(words)}"
            scope.report.error(action, f'unknown value "{action.text}" for call', hint)
    return tuple(action.text for action in nodes)
