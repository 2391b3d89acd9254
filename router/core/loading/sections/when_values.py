"""What a test compares with: values of the file, converted for the field."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import re2

from router.core.conditions.condition import ALWAYS, Condition, Test
from router.core.conditions.fields import HOURS, Field
from router.core.conditions.operators import (
    EQUALITY,
    OPERATOR_TEXTS,
    ORDER,
    Operator,
    Wanted,
    compile_test,
    number,
    whole,
)
from router.core.errors import suggest
from router.core.loading.scope import FileScope
from router.core.loading.section import name_known, read_duration
from router.core.loading.yaml_nodes import Node, ScalarNode

_SPARE_STARS: frozenset[Operator] = frozenset({*EQUALITY, "starts_with", "ends_with", "contains"})
_MAX_SHOWN_VALUES = 5


def make_test(
    field: Field, operator: Operator, key: ScalarNode, values: Sequence[Node], scope: FileScope
) -> Condition:
    """Return the test of a field against values; what is wrong with them is reported.

    `key` is the field's name, or the operator's where one is written.
    """
    if not values:
        scope.report.error(key, f"the list for {field.name} is empty", "it would never match")
    operands = [*_expand(operator, values, scope)]
    wanted = [*_convert_all(field, operator, operands, scope)]
    if not wanted and operator != "list":
        return ALWAYS
    texts = [_say(node, want) for node, want in wanted[:_MAX_SHOWN_VALUES]] + ["…"] * (
        len(wanted) > _MAX_SHOWN_VALUES
    )
    if operator == "list":
        texts = [f"one of the list {node.text}" for node in values if isinstance(node, ScalarNode)]
    if operator == "exists":
        if field.default is not None:
            scope.report.warn(key, f"{field.name} has a default, so it is always there")
        texts = ["a value" if want else "no value" for _, want in wanted]
    alternatives = tuple(want for _, want in wanted)
    return Test(
        field=field.name,
        type=field.type,
        operator=operator,
        values=alternatives,
        wants=OPERATOR_TEXTS[operator].phrase + " or ".join(texts),
        place=key.place,
        read=field.read,
        holds=compile_test(field, operator, alternatives),
    )


def _say(node: ScalarNode, want: Wanted) -> str:
    return f'"{want}"' if isinstance(want, str) else node.text


def _expand(operator: Operator, values: Sequence[Node], scope: FileScope) -> Iterator[Node]:
    """Give the values, and for `list` those of the lists they name."""
    if operator != "list":
        yield from values
        return
    for node in values:
        name = node.text if isinstance(node, ScalarNode) else "…"
        if name in scope.lists:
            scope.used.add(name)
            yield from scope.lists[name]
        else:
            hint = suggest(name, scope.lists) or name_known(scope.lists)
            scope.report.error(node, f'unknown list "{name}"', hint)


def _convert_all(
    field: Field, operator: Operator, nodes: Sequence[Node], scope: FileScope
) -> Iterator[tuple[ScalarNode, Wanted]]:
    for node in nodes:
        if not isinstance(node, ScalarNode):
            scope.report.error(node, f"{field.name} is compared with single values")
        elif node.value is None:
            hint = "ask with {exists: false}, or put the word in quotes"
            scope.report.error(node, "null equals nothing", hint)
        elif (want := _convert(field, operator, node, scope)) is not None:
            yield node, want


def _convert(field: Field, operator: Operator, node: ScalarNode, scope: FileScope) -> Wanted | None:
    value, report = node.value, scope.report
    if operator == "exists" or field.type == "truth":
        if isinstance(value, bool):
            return value
        report.error(node, f'"{node.text}" is neither true nor false', "write one of them")
        return None
    if field.type == "duration":
        return read_duration(node, report, field.name)
    if field.type == "time":
        return _convert_time(node, scope)
    if field.type in {"number", "real"} or operator in ORDER:
        converted = whole(value) if field.type == "number" else number(value)
        if converted is None:
            kind = "whole number" if field.type == "number" else "number"
            message = f'"{node.text}" is not a {kind}'
            report.error(node, message, f"{field.name} is compared as one")
        return converted
    return _convert_text(field, operator, node, scope)


def _convert_text(
    field: Field, operator: Operator, node: ScalarNode, scope: FileScope
) -> Wanted | None:
    text = str(node.value).lower() if isinstance(node.value, bool) else node.text
    if field.name == HOURS.name:
        return _convert_hours(node, scope)
    if field.values and operator in EQUALITY and text not in field.values:
        hint = suggest(text, field.values) or name_known(field.values)
        scope.report.error(node, f'unknown value "{text}" for {field.name}', hint)
        return None
    if "*" in text and operator in _SPARE_STARS:
        hint = f'write {{glob: "{text}"}}' if text.strip("*") else "write {exists: true}"
        scope.report.warn(node, 'a "*" stands for itself here', hint)
    if operator == "matches":
        try:
            compile_test(field, operator, [text])
        except re2.error as error:
            reason = error.args[0].decode()
            scope.report.error(node, f'"{text}" is not a regular expression: {reason}')
            return None
    return text


def _convert_hours(node: ScalarNode, scope: FileScope) -> str | None:
    scope.used_hours.add(node.text)
    if node.text in scope.hours:
        return node.text
    hint = suggest(node.text, scope.hours) or name_known(scope.hours)
    scope.report.error(node, f'unknown hours "{node.text}"', hint)
    return None


def _convert_time(node: ScalarNode, scope: FileScope) -> float | None:
    """Return epoch seconds from milliseconds, as in the payload, or from an ISO 8601 text."""
    if (milliseconds := whole(node.value)) is not None:
        return milliseconds / 1000
    try:
        moment = datetime.fromisoformat(node.text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        hint = 'write "2026-03-29T01:59:50+01:00", or milliseconds'
        scope.report.error(node, f'"{node.text}" is not a time with an offset', hint)
        return None
    return moment.timestamp()
