"""The whole file as JSON Schema."""

from collections.abc import Mapping
from typing import get_args

from router.core.loading.grants import INCLUDE_KEYS
from router.core.loading.include import INCLUDED_FILE_KEYS as INCLUDED_KEYS
from router.core.loading.load import _KEYS as FILE_KEYS
from router.core.loading.load import VERSION
from router.core.loading.sections.apps import APP_KEYS
from router.core.loading.sections.classify import CLASSIFIER_KEYS
from router.core.loading.sections.enrich import ENRICH_KEYS
from router.core.loading.sections.fields import FIELD_KEYS, FIELD_TYPES
from router.core.loading.sections.hours import _KEYS as HOURS_KEYS
from router.core.loading.sections.rules import _DEFAULTS, _RULE
from router.core.loading.sections.send import _KEYS as STEP_KEYS
from router.core.loading.sections.throttle import MAX_LIMIT, THROTTLE_KEYS, OverLimitMode
from router.core.loading.sections.timing import _KEYS as QUIET_KEYS
from router.core.loading.sections.unless import _KEYS as UNLESS_KEYS
from router.core.loading.tests.cases import _CASE, _EXPECTED, _PERSON
from router.core.loading.tests.events import _EVENT
from router.core.model.call import OVER
from router.core.model.country import COUNTRIES
from router.core.model.daily_cap import CAP_PATTERN
from router.core.model.types import Operation, Priority, Privacy
from router.core.rules.classify import KEYS, WORDS
from router.core.rules.ruleset import ChannelSchema, Collapse
from router.core.schema.channels import define_channels
from router.core.schema.conditions import define_conditions
from router.core.schema.shapes import (
    DURATION,
    FLAG,
    SCALAR,
    TEXTS,
    Schema,
    either,
    mapping,
    named,
    refer,
    several,
    word,
)

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that editors' YAML server reads.

Source: https://github.com/redhat-developer/yaml-language-server
"""

_ENRICH: dict[str, Schema] = {
    **dict.fromkeys(ENRICH_KEYS, SCALAR),
    "data": named(SCALAR),
    "vars": named(SCALAR),
}
_TEMPLATE: Schema = {"type": "string", "pattern": r"\{"}
_PERSON_SHAPES: dict[str, Schema] = {
    "attributes": named(SCALAR),
    "contacts": named(TEXTS),
    "timezone": SCALAR,
    "locale": SCALAR,
    "country": refer("country"),
    "opt_outs": TEXTS,
}
SHAPES: Mapping[str, dict[str, Schema]] = {
    "file": {
        "version": {"enum": [VERSION, str(VERSION)]},
        "timezone": {"type": "string"},
        "apps": named(refer("app")),
        "owner": {"type": "string"},
        "when": refer("when"),
        "include": either(SCALAR, refer("include"), several(either(SCALAR, refer("include")))),
        "fields": named(refer("field")),
        "channels": named(refer("channel")),
        "lists": named(TEXTS),
        "hours": named(refer("hours")),
        "classify": several(refer("classify")),
        "enrich": several(refer("enrich")),
        "rules": several(refer("rule")),
        "defaults": refer("defaults"),
        "tests": several(refer("test")),
    },
    "include": {
        "files": TEXTS,
        "owner": {"type": "string"},
        "env": TEXTS,
        "secret_files": TEXTS,
    },
    "field": {
        "type": word(*FIELD_TYPES),
        "values": {"type": "array", "items": SCALAR, "minItems": 1},
        "default": SCALAR,
    },
    "app": {"country": refer("country"), "cap": {"type": "string", "pattern": CAP_PATTERN}},
    "hours": {
        "from": SCALAR,
        "to": SCALAR,
        "days": TEXTS,
        "timezone": SCALAR,
    },
    "classify": {"when": refer("when"), "as": refer("as")},
    "as": {
        **dict.fromkeys(KEYS, SCALAR),
        **{name: either(word(*words), _TEMPLATE) for name, words in WORDS.items()},
    },
    "enrich": {"when": refer("when"), **_ENRICH},
    "rule": {
        "name": {**SCALAR, "maxLength": 100},
        "when": refer("when"),
        "enrich": mapping(ENRICH_KEYS, _ENRICH),
        "throttle": refer("throttle"),
        "send": several(either(SCALAR, refer("step"))),
        "stop": FLAG,
        "drop": FLAG,
    },
    "throttle": {
        "max": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
        "per": DURATION,
        "by": TEXTS,
        "overflow": word(*get_args(OverLimitMode)),
        "title": SCALAR,
        "body": SCALAR,
    },
    "step": {
        "channel": SCALAR,
        "when": refer("when"),
        "to": TEXTS,
        "priority": word(*get_args(Priority)),
        "after": DURATION,
        "expires": DURATION,
        "unless": either(refer("unless"), several(refer("unless"), at_least=1)),
        "quiet": either(SCALAR, refer("quiet")),
        "once_per": word("message"),
        "privacy": word(*get_args(Privacy)),
        "retract": FLAG,
        "collapse": word(*get_args(Collapse)),
        **_ENRICH,
    },
    "unless": {
        "delivered": SCALAR,
        "read": {"const": True},
        "call": either(word("over", *OVER), several(word(*OVER), at_least=1)),
    },
    "quiet": {"hours": SCALAR, "mode": word("defer", "drop")},
    "defaults": {
        "on_no_match": either(word("drop"), several(SCALAR)),
        "notify_sender": FLAG,
        "private_body": SCALAR,
        "private_title": SCALAR,
        "retention": DURATION,
        "country": refer("country"),
    },
    "test": {
        **_PERSON_SHAPES,
        "name": SCALAR,
        "at": {"type": "string"},
        "people": named(refer("person")),
        "refused": TEXTS,
        "events": several(refer("event")),
        "expect": several(refer("expected")),
        "expect_not": several(refer("expected")),
        "exact": FLAG,
    },
    "person": _PERSON_SHAPES,
    "event": {
        "sample": SCALAR,
        "payload": SCALAR,
        "with": {"type": "object"},
        "after": DURATION,
        "times": {"type": "integer", "minimum": 1},
        "every": DURATION,
        "for": TEXTS,
        "read": FLAG,
    },
    "expected": {
        **dict.fromkeys(("at", "uid", "rule", "channel", "to"), SCALAR),
        "priority": word(*get_args(Priority)),
        "operation": word(*get_args(Operation)),
        **{key: shape for key, shape in _ENRICH.items() if key != "vars"},
    },
}
"""What each key of a part may hold."""


PARTS: Mapping[str, tuple[str, ...]] = {
    "file": (*FILE_KEYS, *(key for key in INCLUDED_KEYS if key not in FILE_KEYS)),
    "include": INCLUDE_KEYS,
    "app": APP_KEYS,
    "field": FIELD_KEYS,
    "hours": HOURS_KEYS,
    "classify": CLASSIFIER_KEYS,
    "as": KEYS,
    "enrich": ("when", *ENRICH_KEYS),
    "rule": _RULE,
    "throttle": THROTTLE_KEYS,
    "step": STEP_KEYS,
    "unless": UNLESS_KEYS,
    "quiet": QUIET_KEYS,
    "defaults": _DEFAULTS,
    "test": _CASE,
    "person": _PERSON,
    "event": _EVENT,
    "expected": _EXPECTED,
}
"""The keys of each part, as the loader knows them."""

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "include": ("files",),
    "field": ("type",),
    "hours": ("from", "to"),
    "classify": CLASSIFIER_KEYS,
    "as": ("kind",),
    "rule": ("name",),
    "throttle": ("max", "per"),
    "step": ("channel",),
    "test": ("name", "events"),
}


def write_schema(plugins: Mapping[str, ChannelSchema]) -> Schema:
    """Return the JSON Schema of a rules file, with the settings of these plugins.

    A file that another one includes names its owner. The keys are those the loader knows; the
    schema is no stricter, and finds fewer mistakes, since it cannot see what the names of a file
    stand for.
    """
    parts = {
        name: mapping(keys, SHAPES[name], required=_REQUIRED.get(name, ()))
        for name, keys in PARTS.items()
    }
    whole = parts.pop("file")
    return {
        "$schema": DIALECT,
        "title": "rules.yaml",
        **whole,
        "if": {"required": ["owner"]},
        "else": {"required": ["version"]},
        "definitions": {
            "country": word(*sorted(COUNTRIES)),
            **define_conditions(),
            **define_channels(plugins),
            **parts,
        },
    }
