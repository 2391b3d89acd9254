"""JSON Schemas in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.docs.parts.table import code

Schema = Mapping[str, Any]

_WORDS = {
    "anything": "anything",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}


def name_of(reference: str) -> str:
    """Return what a `$ref` names."""
    return reference.rpartition("/")[2]


def tell(schema: Schema) -> str:
    """Return which values a schema takes; what it refers to is linked by its name."""
    if "$ref" in schema:
        name = name_of(schema["$ref"])
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(tell(each) for each in schema["anyOf"])
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return ", ".join(map(code, choices)) or _tell_type(schema)


def _tell_type(schema: Schema) -> str:
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {tell(_items(schema))}"
    if isinstance(parts := schema.get("additionalProperties"), Mapping):
        return f"object of {tell(parts)} by name"
    kinds = [kind] if isinstance(kind, str) else kind
    return " ".join([" or ".join(_WORDS[each] for each in kinds), *_bounds(schema)])


def default_of(schema: Schema) -> str:
    """Return the default a schema names; nothing when it is empty or null."""
    default = schema.get("default")
    if default in {None, ""} if not isinstance(default, Sequence | Mapping) else not default:
        return ""
    return code(str(default).lower() if isinstance(default, bool) else default)


def _items(schema: Schema) -> Schema:
    items = schema.get("items")
    if isinstance(items, Mapping):
        return items
    prefix: Sequence[Schema] = schema.get("prefixItems", [{}])
    return prefix[0]


def _bounds(schema: Schema) -> Iterator[str]:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    for name, word in words.items():
        if name in schema:
            yield f"{word} {schema[name]}"
