"""`fields`: what the team puts into payloads and attributes, and of what type."""

from collections.abc import Iterator, Mapping

from msgspec import structs

from router.core.conditions.fields import (
    ConditionSubject,
    Field,
    FieldType,
    Read,
    find_field,
    split_path,
)
from router.core.conditions.operators import number
from router.core.errors import suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.section import Section, name_known
from router.core.loading.yaml_nodes import MappingEntry, MappingNode, Node, ScalarNode
from router.core.model.payload import Json
from router.core.templates.expression import DECLARABLE_ROOTS

FIELD_KEYS = ("type", "values", "default")
FIELD_TYPES: Mapping[str, FieldType] = {
    "text": "text",
    "bool": "truth",
    "enum": "word",
    "number": "real",
}
"""What `type` can say, and what it is for a test."""

Path = tuple[str, ...]


def read_fields(section: Section, report: Diagnostics) -> dict[Path, Field]:
    """Return the declared fields by their paths; each reads its default where it is absent."""
    fields: dict[Path, Field] = {}
    for name, entry in section.entries("fields").items():
        path = split_path(name)
        plain = find_field(name)
        if path is None or plain is None or len(path) == 1 or path[0] not in DECLARABLE_ROOTS:
            _refuse_path(entry.key, report)
        elif path in fields:
            hint = f"the first is written {fields[path].name}"
            report.error(entry.key, f"{name} is declared twice", hint)
        else:
            fields[path] = _read_field(plain, entry, report)
    return fields


def _refuse_path(key: ScalarNode, report: Diagnostics) -> None:
    hint = "write a path as custom.key, attributes.key or message.key"
    if find_field(key.text) is not None:
        hint = "the router knows it; declare what the team adds, as custom.key"
    report.error(key, f'"{key.text}" cannot be declared', hint)


def _read_field(plain: Field, entry: MappingEntry, report: Diagnostics) -> Field:
    if not isinstance(entry.value, MappingNode):
        report.error(entry.value, f"{plain.name} must be a mapping", "write {type: text}")
        return plain
    part = Section(entry.value, report, what="field", keys=FIELD_KEYS)
    if "type" not in part:
        report.error(entry.key, f"{plain.name} has no type", name_known(FIELD_TYPES))
    kind = part.word("type", tuple(FIELD_TYPES))
    values = tuple(_read_values(part, kind, report))
    if kind is None:
        return plain
    field = structs.replace(plain, type=FIELD_TYPES[kind], values=values)
    node = part.get("default")
    default = None if node is None else _read_default(field, node, report)
    if default is None:
        return field
    return structs.replace(field, default=default, read=_assume(plain.read, default))


def _read_values(part: Section, kind: str | None, report: Diagnostics) -> Iterator[str]:
    nodes = part.texts("values")
    if nodes is None:
        if kind == "enum" and "values" not in part:
            report.error(part.node, "an enum needs values", "write values: [one, other]")
        return
    if kind not in {"enum", None}:
        report.error(part.key("values"), '"values" is of an enum', "write type: enum")
    elif not nodes:
        report.error(part.key("values"), '"values" is empty', "write values: [one, other]")
    seen: set[str] = set()
    for node in nodes:
        text = _write(node)
        if text in seen:
            report.error(node, f'"{text}" stands twice in "values"', "remove one of them")
        seen.add(text)
        yield text


def _read_default(field: Field, node: Node, report: Diagnostics) -> Json:
    """Return what stands in for the field; what is of another type is reported."""
    if not isinstance(node, ScalarNode):
        report.error(node, f"the default of {field.name} must be a single value")
        return None
    if field.type == "truth":
        if isinstance(node.value, bool):
            return node.value
        report.error(node, f'"{node.text}" is neither true nor false', "write one of them")
        return None
    if field.type == "real":
        default = number(node.value)
        if default is None:
            report.error(node, f'"{node.text}" is not a number', f"{field.name} is one")
        return default
    text = _write(node)
    if field.values and text not in field.values:
        hint = suggest(text, field.values) or name_known(field.values)
        report.error(node, f'"{text}" is none of the values of {field.name}', hint)
        return None
    return text


def _write(node: ScalarNode) -> str:
    return str(node.value).lower() if isinstance(node.value, bool) else node.text


def _assume(read: Read, default: Json) -> Read:
    def read_or_assume(subject: ConditionSubject) -> Json:
        value = read(subject)
        return default if value is None else value

    return read_or_assume
