"""The shapes values of the file can have, as JSON Schema."""

from collections.abc import Collection, Mapping, Sequence

from router.core.model.payload import Json

Schema = dict[str, Json]

SCALAR: Schema = {"type": ["string", "number", "boolean"]}
"""What is read as a text, however it is written."""

FLAG: Schema = {"type": "boolean"}
DURATION: Schema = {"type": "string", "pattern": "^[0-9]{1,6}[smhd]$"}
TEXTS: Schema = {"anyOf": [SCALAR, {"type": "array", "items": SCALAR}]}


def word(*words: str) -> Schema:
    """Return the schema of one of a few words."""
    return {"enum": list(words)}


def refer(name: str) -> Schema:
    """Return the schema that is defined under a name."""
    return {"$ref": f"#/definitions/{name}"}


def several(item: Schema, *, at_least: int = 0) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item, **({"minItems": at_least} if at_least else {})}


def either(*choices: Schema) -> Schema:
    """Return the schema of what fits at least one of some."""
    return {"anyOf": list(choices)}


def named(item: Schema) -> Schema:
    """Return the schema of a mapping with names of the file's own."""
    return {"type": "object", "additionalProperties": item}


def mapping(
    keys: Collection[str], shapes: Mapping[str, Schema], *, required: Sequence[str] = ()
) -> Schema:
    """Return the schema of a mapping with these keys and no others.

    A key without a shape may hold anything.
    """
    return {
        "type": "object",
        "properties": {key: shapes.get(key, {}) for key in keys},
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }
