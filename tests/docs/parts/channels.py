"""The built-in channels and what they can be told."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from router.channel import Settings
from router.registry import load_plugins
from router.registry.schema import PluginSchema, custom_type_schema
from tests.docs.parts.kinds import Schema, default_of, name_of, tell
from tests.docs.parts.table import code, table

_HEADINGS = ("setting", "takes", "default", "what it says")


def write_common() -> str:
    """Return the table of the settings that every channel has."""
    return table(_HEADINGS, _rows(_common(), {}))


def _common() -> Schema:
    whole = msgspec.json.schema(Settings, schema_hook=custom_type_schema)
    return _resolve(whole, whole)


def write_channels() -> str:
    """Return a section for every built-in channel."""
    registry = load_plugins()
    assert registry.problems == ()
    return "\n".join(_section(schema) for _, schema in sorted(registry.schemas.items()))


def _section(schema: PluginSchema) -> str:
    whole = schema.schema()
    root = _resolve(whole, whole)
    common = _common()["properties"]
    own = {name: part for name, part in root["properties"].items() if part != common.get(name)}
    rows = _rows({**root, "properties": own}, whole)
    channel = schema.channel
    repeats = "yes" if channel.idempotent else "no"
    edits = _tell_changes(schema)
    about = (
        f"{(channel.__doc__ or '').strip()} Kind of contact: {code(schema.address_kind)}. "
        f"The provider collapses repeats: {repeats}. "
        f"Edits and deletions of what was sent: {edits}.\n"
    )
    return f"### plugin: {schema.name}\n\n{about}\n{table(_HEADINGS, rows)}"


def _tell_changes(schema: PluginSchema) -> str:
    if schema.replaces:
        return "in its place, by a later message"
    return (
        "at the provider, by what it left of them" if schema.updates and schema.retracts else "no"
    )


def _rows(node: Schema, whole: Schema, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    required = node.get("required", [])
    for name, part in node["properties"].items():
        default = "required" if name in required else default_of(part)
        if nested := _nested(part, whole):
            yield code(prefix + name), "settings", default, part.get("description", "")
            yield from _rows(nested, whole, f"{prefix}{name}.")
        else:
            secret = " (secret)" if _is_secret(part) else ""
            takes = f"{tell(_present(part))}{secret}"
            yield code(prefix + name), takes, default, part.get("description", "")


def _choices(part: Schema) -> list[Schema]:
    return [each for each in part.get("anyOf", [part]) if each != {"type": "null"}]


def _present(part: Schema) -> Schema:
    """Return a schema without null: what may be null may be left out."""
    choices = _choices(part)
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _is_secret(part: Schema) -> bool:
    return any(each.get("writeOnly") for each in _choices(part))


def _nested(part: Schema, whole: Schema) -> Mapping[str, Any] | None:
    found = [each for each in _choices(part) if "$ref" in each]
    return _resolve(found[0], whole) if found else None


def _resolve(node: Schema, whole: Schema) -> Mapping[str, Any]:
    """Return what a node refers to."""
    resolved: Mapping[str, Any] = whole["$defs"][name_of(node["$ref"])] if "$ref" in node else node
    return resolved
