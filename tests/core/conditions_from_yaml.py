"""Conditions read from what stands behind `when:`, with lists and declared fields to name."""

import json

from router.core.conditions.condition import Condition
from router.core.conditions.fields import Field, find_field
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.scope import FileScope
from router.core.loading.section import Section
from router.core.loading.sections.fields import read_fields
from router.core.loading.sections.when import read_condition
from router.core.loading.yaml_document import read_document
from router.core.loading.yaml_nodes import MappingNode, ScalarNode, SequenceNode
from router.core.model.payload import Json
from tests.core.named_hours import HOURS

LISTS: dict[str, list[Json]] = {"vips": ["a", "007"], "nobody": []}


DECLARED: dict[str, dict[str, Json]] = {
    "message.level": {"type": "enum", "values": ["a", "ab", "7"], "default": "a"},
    "message.flag": {"type": "bool", "default": False},
    "message.price": {"type": "number", "default": 1.5},
    "message.note": {"type": "text", "default": "007"},
    "message.rank": {"type": "number"},
    "attributes.b": {"type": "enum", "values": ["a", "true"], "default": "true"},
}
"""The `fields` of every condition made here."""


def read_when(when: Json, *, variables: tuple[str, ...] = ()) -> Condition:
    """Return the condition of a `when`, which must be free of errors."""
    report = Diagnostics()
    scope = FileScope(
        report=report,
        channels={},
        lists=_read_lists(),
        variables=frozenset(variables),
        fields=_read_declared(when, report),
        hours=HOURS.windows,
    )
    node, problems = read_document(json.dumps(when), "rules.yaml")
    assert node is not None
    condition = read_condition(node, scope)
    errors = [str(found) for found in [*problems, *report.problems] if found.severity == "error"]
    assert not errors, errors
    return condition


def _read_declared(when: Json, report: Diagnostics) -> dict[tuple[str, ...], Field]:
    """Return the fields to declare for a `when`: none, where it names none of them.

    Those it may name besides are declared as what they are without a declaration.
    """
    if not any(f'"{name}"' in json.dumps(when) for name in DECLARED):
        return {}
    node, _ = read_document(json.dumps({"fields": DECLARED}), "rules.yaml")
    assert isinstance(node, MappingNode)
    declared = read_fields(Section(node, report, what="file", keys=("fields",)), report)
    for path in (("custom", "tier"), ("custom", "deep-link", "x")):
        plain = find_field(path[0] + "".join(f"['{key}']" for key in path[1:]))
        assert plain is not None
        declared[path] = plain
    return declared


def _read_lists() -> dict[str, tuple[ScalarNode, ...]]:
    lists = {}
    for name, values in LISTS.items():
        node, _ = read_document(json.dumps(values), "rules.yaml")
        assert isinstance(node, SequenceNode)
        lists[name] = tuple(item for item in node.items if isinstance(item, ScalarNode))
    return lists
