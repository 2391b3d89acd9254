"""The catalogue of log events, held against every logging call of the router and its plugins."""

import ast
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from router.telemetry.log_events import FIELDS, LOG_EVENTS
from router.telemetry.log_events.event import DELIVERY_FIELDS, EventLevel

ROOT = Path(__file__).parents[1]
SOURCES = tuple(
    path
    for folder in ("router", "plugins")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "router/plugins" not in str(path)  # a link to plugins
)
EVENTS = {event.phrase: event for events in LOG_EVENTS.values() for event in events}
LOGGER = "structlog.get_logger(__name__)"
BOUND = "router/worker/attempt.py:"
"""An attempt does not know its delivery: the ids are bound to every line of a send."""
OTHER_LOGGERS = {
    "router/bridge/patching.py",  # silences Apprise's
    "router/telemetry/log_format.py",  # configures all
}


class LogCall(NamedTuple):
    """A logging call; `fields` are None where they cannot be read from the code."""

    place: str
    level: str
    phrase: str | None
    fields: frozenset[str] | None


def read_calls(name: str, tree: ast.Module, helpers: Mapping[str, frozenset[str]]) -> list[LogCall]:
    """Return the logging calls of a module."""
    return [
        LogCall(
            f"{name}:{node.lineno}",
            node.func.attr,
            read_phrase(node),
            read_fields(node, helpers),
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "_log"
    ]


def read_phrase(node: ast.Call) -> str | None:
    """Return the phrase of a call, None where it is no constant, or not alone."""
    match node.args:
        case [ast.Constant(value=str(phrase))]:
            return phrase
    return None


def read_fields(node: ast.Call, helpers: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """Return the names of the fields of a call, those of the helpers that it spreads included."""
    fields: set[str] = set()
    for keyword in node.keywords:
        match keyword:
            case ast.keyword(arg="exc_info"):
                fields.add("exception")
            case ast.keyword(arg=str(name)):
                fields.add(name)
            case ast.keyword(value=ast.Call(func=ast.Name(id=helper))) if helper in helpers:
                fields |= helpers[helper]
            case _:
                return None
    return frozenset(fields)


def read_helpers(tree: ast.Module) -> dict[str, frozenset[str]]:
    """Return the functions that give nothing but a dictionary display, with its keys."""
    return {
        function.name: frozenset(str(key.value) for key in keys if isinstance(key, ast.Constant))
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for last in function.body[-1:]
        if isinstance(last, ast.Return) and isinstance(last.value, ast.Dict)
        for keys in [last.value.keys]
    }


TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in SOURCES
}
HELPERS = {name: keys for tree in TREES.values() for name, keys in read_helpers(tree).items()}
CALLS = [
    call
    for name, tree in TREES.items()
    for call in read_calls(name, tree, HELPERS | read_helpers(tree))
]


def test_there_are_logging_calls_to_check() -> None:
    assert len(CALLS) > 50


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.place)
def test_a_logged_event_is_in_the_catalogue_with_its_level_and_fields(call: LogCall) -> None:
    assert call.phrase is not None, "an event is a constant text"
    assert call.fields is not None, "name the fields, or spread a function that returns them"
    event = EVENTS.get(call.phrase)
    assert event is not None, f"describe {call.phrase!r} in router/telemetry/log_events"
    assert call.level == event.level
    bound = DELIVERY_FIELDS if call.place.startswith(BOUND) else ()
    assert call.fields <= set(event.fields)
    assert call.fields.union(bound) >= set(event.fields)


def test_an_event_of_the_catalogue_is_logged() -> None:
    assert EVENTS.keys() - {call.phrase for call in CALLS} == set()


def test_an_event_stands_in_the_catalogue_once() -> None:
    phrases = Counter(event.phrase for events in LOG_EVENTS.values() for event in events)
    assert [phrase for phrase, count in phrases.items() if count > 1] == []


def test_every_field_has_one_meaning_and_every_meaning_a_field() -> None:
    assert {field for event in EVENTS.values() for field in event.fields} == FIELDS.keys()


@pytest.mark.parametrize("phrase", EVENTS)
def test_an_event_has_a_level_a_meaning_and_a_remedy(phrase: str) -> None:
    event = EVENTS[phrase]
    assert event.level in get_args(EventLevel)
    assert event.meaning.endswith(".")
    assert event.remedy.endswith(".")


def test_every_module_logs_by_the_logger_of_its_name() -> None:
    loggers = defaultdict(list)
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="get_logger" | "getLogger")):
                    loggers[name].append(ast.unparse(node))
    wrong = {name: calls for name, calls in loggers.items() if calls != [LOGGER]}
    assert wrong.keys() == OTHER_LOGGERS
