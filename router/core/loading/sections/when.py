"""`when`, read into a condition."""

from collections.abc import Iterable, Sequence

from router.core.conditions.condition import ALWAYS, All, AnyOf, Condition, Not
from router.core.conditions.fields import HOURS, Field
from router.core.conditions.operators import OPERATORS, Operator
from router.core.errors import suggest
from router.core.loading.name_lookup import find_name, suggest_name
from router.core.loading.scope import FileScope
from router.core.loading.section import name_known
from router.core.loading.sections.when_values import make_test
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode

_GROUPS = frozenset({"any", "all", "none"})
_OPERATORS: dict[str, Operator] = {name: name for name in sorted(OPERATORS["any"])}
_HOLDS = {
    "text": "a text",
    "word": "a text",
    "number": "a whole number",
    "real": "a number",
    "time": "a time",
    "duration": "a duration",
    "truth": "true or false",
    "hours": "the name of hours",
}


def read_condition(node: Node, scope: FileScope, what: str = "when") -> Condition:
    """Return the condition a node says; a mapping is AND, a list of mappings OR.

    What is wrong with it is reported, and left out of the condition.
    """
    match node:
        case MappingNode(entries=entries) if entries:
            parts = [_read_entry(key.key, key.value, scope) for key in entries.values()]
            return parts[0] if len(parts) == 1 else All(tuple(parts))
        case SequenceNode(items=items) if items:
            return AnyOf(_read_parts(items, scope, what))
        case MappingNode() | SequenceNode():
            scope.report.error(node, f'"{what}" is empty', "leave it out to match everything")
        case _:
            hint = "write it as {field: value}, or as a list of such mappings"
            scope.report.error(node, f'"{what}" must be a mapping or a list of mappings', hint)
    return ALWAYS


def _read_parts(items: Iterable[Node], scope: FileScope, what: str) -> tuple[Condition, ...]:
    parts = []
    for item in items:
        if isinstance(item, MappingNode):
            parts.append(read_condition(item, scope, what))
        else:
            scope.report.error(
                item, f'an item of "{what}" must be a mapping', "write {field: value}"
            )
    return tuple(parts)


def _read_entry(key: ScalarNode, value: Node, scope: FileScope) -> Condition:
    if key.text in _GROUPS:
        return _read_group(key, value, scope)
    if key.text == "not":
        if isinstance(value, MappingNode):
            return Not(read_condition(value, scope, "not"))
        scope.report.error(value, '"not" takes one test', "write not: {field: value}")
        return ALWAYS
    is_hours = key.text == HOURS.name and not scope.is_early
    field = HOURS if is_hours else find_name(key.text, scope, scope.variables)
    if field is None:
        _refuse_field(key, scope)
        return ALWAYS
    return _read_field(field, key, value, scope)


def _read_group(key: ScalarNode, value: Node, scope: FileScope) -> Condition:
    if not isinstance(value, SequenceNode) or not value.items:
        hint = f"write {key.text}: [{{field: value}}, …]"
        scope.report.error(value, f'"{key.text}" takes a list of mappings', hint)
        return ALWAYS
    parts = _read_parts(value.items, scope, key.text)
    match key.text:
        case "all":
            return All(parts)
        case "any":
            return AnyOf(parts)
        case _:
            return Not(AnyOf(parts))


def _refuse_field(key: ScalarNode, scope: FileScope) -> None:
    if key.text in _OPERATORS:
        hint = f"write it below a field, as in {{sender: {{{key.text}: …}}}}"
        scope.report.error(key, f'"{key.text}" stands where a field must', hint)
    else:
        hint = suggest_name(key.text, scope, scope.variables) or suggest(key.text, [HOURS.name])
        hint = hint or "fields are named as in the payload"
        scope.report.error(key, f'unknown field "{key.text}"', hint)


def _read_field(field: Field, key: ScalarNode, value: Node, scope: FileScope) -> Condition:
    """Return the test of a field: of one value, of alternatives, or of operators."""
    match value:
        case MappingNode():
            return _read_operators(field, value, scope)
        case SequenceNode(items=items):
            scalars = [item for item in items if isinstance(item, ScalarNode)]
            parts: list[Condition] = []
            if scalars or not items:
                parts.append(make_test(field, "in", key, scalars, scope))
            for item in items:
                if isinstance(item, MappingNode):
                    parts.append(_read_operators(field, item, scope))
                elif isinstance(item, SequenceNode):
                    scope.report.error(item, f"a list within the list for {field.name}")
            return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
        case _:
            return make_test(field, "is", key, [value], scope)


def _read_operators(field: Field, node: MappingNode, scope: FileScope) -> Condition:
    if not node.entries:
        scope.report.error(node, f"no operator for {field.name}", "write {is: value}")
    parts: list[Condition] = []
    for entry in node.entries.values():
        operator = _find_operator(field, entry.key, scope)
        if operator is None:
            continue
        value = entry.value
        values: Sequence[Node] = value.items if isinstance(value, SequenceNode) else [value]
        parts.append(make_test(field, operator, entry.key, values, scope))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _find_operator(field: Field, key: ScalarNode, scope: FileScope) -> Operator | None:
    operator = _OPERATORS.get(key.text)
    allowed = OPERATORS[field.type]
    if operator in allowed:
        return operator
    if operator is not None:
        holds = _HOLDS[field.type]
        message = f'"{key.text}" does not fit {field.name}, which is {holds}'
        scope.report.error(key, message, f"it takes {', '.join(sorted(allowed))}")
        return None
    if key.text in {"not", *_GROUPS}:
        hint = f"write {key.text} around the field, as in {{not: {{{field.name}: …}}}}"
    elif field.type == "any" and not suggest(key.text, _OPERATORS):
        hint = f'for a path write "{field.name}.{key.text}"'
    else:
        hint = suggest(key.text, allowed) or name_known(allowed)
    scope.report.error(key, f'unknown operator "{key.text}" for {field.name}', hint)
    return None
