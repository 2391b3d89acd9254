"""The settings of channels as JSON Schema, as they may stand in the file."""

from collections.abc import Mapping

from router.core.model.payload import Json
from router.core.rules.ruleset import ChannelSchema
from router.core.schema.shapes import Schema, refer, word

_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{(env|file):"}
"""A value that is kept outside the file."""

_NOTHING: Schema = {"type": "null"}
"""What a setting may be that is left out; the file has no null."""

_PLUGIN = "plugin"


def define_channels(plugins: Mapping[str, ChannelSchema]) -> dict[str, Schema]:
    """Return the definition of a channel, and one for the settings of each plugin."""
    definitions: dict[str, Schema] = {}
    cases: list[Json] = []
    for name, plugin in sorted(plugins.items()):
        title = f"settings of {name}"
        cases.append({"if": _is_of(name), "then": refer(title)})
        definitions |= _define(title, plugin.schema())
    channel: Schema = {
        "type": "object",
        "required": [_PLUGIN],
        "properties": {_PLUGIN: word(*sorted(plugins))},
        "allOf": cases,
    }
    return {"channel": channel, **definitions}


def _is_of(name: str) -> Json:
    return {"properties": {_PLUGIN: {"const": name}}, "required": [_PLUGIN]}


def _define(title: str, schema: Mapping[str, Json]) -> dict[str, Schema]:
    """Return a plugin's schema with its parts under names of their own."""
    parts = schema.get("$defs")
    named = {
        f"{title}: {name}": part
        for name, part in (parts.items() if isinstance(parts, dict) else ())
        if isinstance(part, dict)
    }
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    root = named.pop(f"{title}: {reference}", {k: v for k, v in schema.items() if k != "$defs"})
    found = {name: _as_written(part, title) for name, part in {**named, title: root}.items()}
    properties = found[title].get("properties")
    own = properties if isinstance(properties, dict) else {}
    found[title]["properties"] = {_PLUGIN: {}, **own}
    return found


def _as_written(schema: Schema, title: str) -> Schema:
    """Return a schema that takes a value as the file may write it.

    A text may be written as a number, and a reference may stand for anything single.
    """
    made: Schema = {}
    for key, value in schema.items():
        match key, value:
            case "title", str():
                continue
            case "$ref", str():
                made[key] = refer(f"{title}: {value.rpartition('/')[2]}")["$ref"]
            case ("properties", dict()):
                made[key] = {name: _whole(part, title) for name, part in value.items()}
            case (("items" | "additionalProperties"), dict()):
                made[key] = _as_written(value, title)
            case (("anyOf" | "oneOf" | "allOf"), list()):
                made[key] = [_whole(part, title) for part in value if part != _NOTHING]
            case _:
                made[key] = value
    match made.get("type"):
        case "string":
            return made | {"type": ["string", "number", "boolean"]}
        case "integer" | "number" | "boolean":
            return {"description": made.get("description", ""), "anyOf": [made, _REFERENCE]}
        case _:
            return made


def _whole(part: Json, title: str) -> Json:
    return _as_written(part, title) if isinstance(part, dict) else part
