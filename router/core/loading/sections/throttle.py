"""`throttle`: how much of a rule's notifications pass in a time."""

from collections.abc import Collection
from typing import Literal, get_args

from msgspec.structs import replace

from router.core.conditions.fields import FIELDS, Field, find_field, suggest_field
from router.core.errors import Place, suggest
from router.core.loading.scope import FileScope
from router.core.loading.section import Section
from router.core.loading.sections.enrich import read_enrichment
from router.core.loading.yaml_nodes import MappingNode, ScalarNode
from router.core.rules.ruleset import Enrichment, Throttle
from router.core.templates.template import Template, compile_template

THROTTLE_KEYS = ("max", "per", "by", "overflow", "title", "body")
MAX_LIMIT = 1000
"""The largest `max`: what was let through in a window is kept with it."""

OverLimitMode = Literal["drop", "summary"]

_RECIPIENT = "recipient"
_ANYTHING = f"write {_RECIPIENT}, or a field as in a condition"
_NAMES = frozenset({"count", "first", "others"})
_TITLE = "New notifications"
_BODY = "{{ count }} more {{ 'notification' if count == 1 else 'notifications' }}"
_TELLING = frozenset({"conversation", "conversationId", "sender", "receiver"})
"""Fields by which a window holds what has the payload's title in common."""


def read_throttle(
    section: Section, scope: FileScope, variables: Collection[str]
) -> Throttle | None:
    """Return a rule's throttle; `variables` are the names its templates find in `vars`."""
    node = section.get("throttle")
    if node is None:
        return None
    if not isinstance(node, MappingNode):
        hint = "write throttle: {max: 5, per: 1m}"
        scope.report.error(section.key("throttle"), '"throttle" must be a mapping', hint)
        return None
    part = Section(node, scope.report, what="throttle", keys=THROTTLE_KEYS)
    for key, example in (("max", "5"), ("per", "1m")):
        if key not in part:
            scope.report.error(node, f'a throttle needs "{key}"', f"write {key}: {example}")
    most, seconds = _read_max(part, scope), part.duration("per")
    by_recipient, by = _read_by(part, scope)
    overflow = part.word("overflow", get_args(OverLimitMode)) or "drop"
    words = read_enrichment(part, replace(scope, extra=_NAMES), variables)
    for key in ("title", "body"):
        if key in part and overflow == "drop":
            message = f'only a summary has a "{key}"'
            scope.report.error(part.key(key), message, "write overflow: summary")
    return Throttle(
        max=most,
        per=seconds or 1.0,
        by=by,
        by_recipient=by_recipient,
        summary=_complete(words, by, node.place) if overflow == "summary" else None,
    )


def _read_max(part: Section, scope: FileScope) -> int:
    node = part.get("max")
    if node is None:
        return 1
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_LIMIT:
        return value
    scope.report.error(node, f'"max" must be a whole number from 1 to {MAX_LIMIT:,}')
    return 1


def _read_by(part: Section, scope: FileScope) -> tuple[bool, tuple[Field, ...]]:
    """Return whether recipients are told apart, and the fields that tell windows apart."""
    nodes = part.texts("by")
    if nodes is None:
        return True, ()
    if not nodes:
        hint = f"leave it out for [{_RECIPIENT}]"
        scope.report.error(part.key("by"), '"by" names nothing', hint)
    fields = []
    for node in nodes:
        if node.text == _RECIPIENT:
            continue
        field = find_field(node.text, scope.variables)
        if field is None:
            hint = suggest(node.text, [_RECIPIENT, *FIELDS])
            hint = hint or suggest_field(node.text, scope.variables) or _ANYTHING
            scope.report.error(node, f'unknown field "{node.text}" in by', hint)
        elif field.type in {"time", "duration"}:
            message = f'"{node.text}" tells every notification from the others'
            scope.report.error(node, message, "leave it out")
        else:
            fields.append(field)
    return any(node.text == _RECIPIENT for node in nodes), tuple(fields)


def _complete(words: Enrichment, by: tuple[Field, ...], place: Place) -> Enrichment:
    """Return the words of a summary, the usual ones where the file says none."""
    title: Template | None = words.title
    if title is None and _TELLING.isdisjoint(field.name for field in by):
        title = compile_template(_TITLE, place)
    return replace(words, title=title, body=words.body or compile_template(_BODY, place))
