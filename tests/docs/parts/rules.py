"""The words of the rule language."""

import inspect
from typing import get_args

from router.core.conditions.fields import FIELDS, HOURS, Field
from router.core.conditions.operators import OPERATOR_TEXTS, OPERATORS, Operator
from router.core.templates.filters import FILTERS
from tests.docs.parts.table import code, table

_MEANINGS = {
    "uid": "the recipient",
    "locale": "the language of the device, else of the recipient, see [words](#words)",
    "feed": "which custom provider sent it",
    "kind": "what happened, told by the payload",
    "conversation": "`conversationId`, or what stands for it in a digest",
    "reply": "whether it answers in a thread (with message objects on)",
    "mention": "whether it mentions the recipient, or all (with message objects on)",
    "age": "how long ago it was sent",
    "subject": "the e-mail feed's subject",
    "smsContent": "the SMS feed's text",
    "to.uid": "the recipient, as in the payload",
    "to.name": "the recipient's name, in digests",
    "to.email": "the address the e-mail feed brings",
    "to.phno": "the number the SMS feed brings",
    "hours": "the hours of the file that it is now, see [hours](#hours)",
}


def write_fields() -> str:
    """Return the table of the fields that have names of their own."""
    known = (*FIELDS.values(), HOURS)
    assert _MEANINGS.keys() <= {field.name for field in known}
    return table(
        ("field", "type", "what it is"),
        ((code(field.name), field.type, _mean(field)) for field in known),
    )


def _mean(field: Field) -> str:
    meaning = _MEANINGS.get(field.name, "as in the payload")
    values = ", ".join(map(code, field.values))
    return f"{meaning}: {values}" if values else meaning


def write_operators() -> str:
    """Return the table of the operators and the types of field each fits."""
    assert list(OPERATOR_TEXTS) == list(get_args(Operator))
    return table(
        ("operator", "the field …", "fits"),
        (
            (
                code(name),
                text.meaning,
                ", ".join(t for t, fitting in OPERATORS.items() if name in fitting),
            )
            for name, text in OPERATOR_TEXTS.items()
        ),
    )


def write_filters() -> str:
    """Return the table of the filters of templates."""
    return table(
        ("filter", "gives"),
        (
            (code(_call(name)), (inspect.getdoc(filter_) or "").removeprefix("Return "))
            for name, filter_ in FILTERS.items()
        ),
    )


def _call(name: str) -> str:
    _, *rest = inspect.signature(FILTERS[name]).parameters.values()
    words = [p.name if p.default is p.empty else f"{p.name}={_say(p.default)}" for p in rest]
    return f"{name}({', '.join(words)})" if words else name


def _say(default: object) -> str:
    return f"'{default}'" if isinstance(default, str) else str(default).lower()
