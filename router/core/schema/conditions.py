"""`when` as JSON Schema."""

import re

from router.core.conditions.fields import FIELDS, ROOTS, Field, FieldType
from router.core.conditions.operators import EQUALITY, OPERATORS, ORDER, Operator
from router.core.schema.shapes import (
    DURATION,
    FLAG,
    SCALAR,
    TEXTS,
    Schema,
    either,
    mapping,
    refer,
    several,
    word,
)

_NUMBER = either({"type": "number"}, {"type": "string", "pattern": r"^[-+]?[0-9.]+([eE].+)?$"})
_VALUES: dict[FieldType, Schema] = {
    "text": SCALAR,
    "number": _NUMBER,
    "time": {"type": ["string", "integer"]},
    "duration": DURATION,
    "truth": FLAG,
    "any": SCALAR,
}
"""What a field of a type is compared with."""

_PATH = Field(name="", type="any", read=lambda _: None)
"""Any field that a path leads to."""

_GROUPS = ("any", "all", "none")


def define_conditions() -> dict[str, Schema]:
    """Return the definitions of `when`, and of the test of every kind of field."""
    groups = {group: several(refer("tests"), at_least=1) for group in _GROUPS}
    fields = {name: refer(_name(field)) for name, field in FIELDS.items()}
    kinds: dict[str, Schema] = {}
    for field in (*FIELDS.values(), _PATH):
        kinds |= _define(_name(field), field.type, field.values)
    return {
        "when": either(refer("tests"), several(refer("tests"), at_least=1)),
        "tests": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                **groups,
                "not": refer("tests"),
                "hours": refer("test of text"),
                **fields,
            },
            "patternProperties": {_any_path(): refer(_name(_PATH))},
            "additionalProperties": False,
        },
        **kinds,
    }


def _any_path() -> str:
    """Return the pattern of names that lead into the payload."""
    roots = "|".join(map(re.escape, ROOTS))
    return rf"^({roots})($|[.\[])"


def _name(field: Field) -> str:
    return f"test of {field.name if field.values else field.type}"


def _define(name: str, kind: FieldType, words: tuple[str, ...]) -> dict[str, Schema]:
    """Return the definition of a test of one kind, and of its long form."""
    long = f"operators in a {name}"
    value: Schema = word(*words) if words else _VALUES[kind]
    operators: dict[str, Schema] = {
        operator: _operand(operator, kind, value) for operator in sorted(OPERATORS[kind])
    }
    alternatives = several(either(value, refer(long)), at_least=1)
    return {
        name: either(value, alternatives, refer(long)),
        long: {**mapping(operators, operators), "minProperties": 1},
    }


def _operand(operator: Operator, kind: FieldType, value: Schema) -> Schema:
    if operator == "exists":
        return either(FLAG, several(FLAG, at_least=1))
    if operator == "list":
        return TEXTS
    if operator in ORDER and kind == "any":
        return either(_NUMBER, several(_NUMBER, at_least=1))
    if operator in EQUALITY or operator in ORDER:
        return either(value, several(value, at_least=1))
    return either(SCALAR, several(SCALAR, at_least=1))
