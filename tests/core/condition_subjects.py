"""Subjects and conditions for the laws, made up by Hypothesis or by hand."""

from collections.abc import Mapping
from functools import cache

from hypothesis import strategies as st

from router.core.conditions.condition import ConditionSubject
from router.core.conditions.hours import Calendar
from router.core.conditions.payload_shapes import WORDS, number_shapes
from router.core.model.facts import Recipient, Scalar
from router.core.model.feed import Feed
from router.core.model.notification import derive
from router.core.model.payload import Json, Payload
from tests.core.conditions_from_yaml import DECLARED, LISTS
from tests.core.named_hours import HOURS, OFFSETS

NOW = 1_741_847_500.0


def make_subject(
    details: Mapping[str, Json] | None = None,
    *,
    data: Mapping[str, Json] | None = None,
    feed: Feed = "push",
    attributes: Mapping[str, Scalar] | None = None,
    variables: Mapping[str, str] | None = None,
    zone: str = "",
) -> ConditionSubject:
    """Return the subject of a payload with these details, or this data around them."""
    payload = Payload(
        feed=feed,
        app_id="app-1",
        uid="uid-2",
        region="eu",
        data={"notificationDetails": dict(details or {}), **(data or {})},
    )
    recipient = Recipient(
        app_id="app-1", uid="uid-2", attributes=dict(attributes or {}), timezone=zone
    )
    return ConditionSubject(
        notification=derive(payload, id="n-1", accepted_at=NOW),
        recipient=recipient,
        vars=dict(variables or {}),
        now=NOW,
        calendar=Calendar(HOURS, recipient, NOW),
    )


TEXTS = st.sampled_from(["a", "A", "ab", "b-ß", "7", "007", "true", "1.5", "x*y", ""])
NUMBERS = st.sampled_from([0, 1, 7, -3, 1.5, 10**26])
SCALARS: st.SearchStrategy[Json] = st.one_of(st.none(), st.booleans(), TEXTS, NUMBERS)
VALUES: st.SearchStrategy[Json] = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.just({"x": "a"}), st.just([["a"], {"x": 1}])
)

TEXT_FIELDS = ("sender", "tag", "to.email", "custom.tier", "custom['deep-link'].x", "attributes.a")
ANY_FIELDS = TEXT_FIELDS[3:]
FIELDS = (
    *TEXT_FIELDS,
    *DECLARED,
    "type",
    "callAction",
    "kind",
    "unreadMessageCount",
    "sentAt",
    "age",
    "reply",
    "hours",
)
ZONES = st.sampled_from(["", "Mars/Olympus", *OFFSETS])
TIMES = st.sampled_from([0, 1741847453000, "1741847453000", 1741847453, "soon", -1, 2.5, None])

_IN_MESSAGE = tuple(
    name.removeprefix("message.") for name in DECLARED if name.startswith("message.")
)
_TEXT_OPERATORS = ("is", "in", "starts_with", "ends_with", "contains")
_ORDER = ("gt", "gte", "lt", "lte")


def one_or_more(values: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Return a value, or a list of some."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=3).map(list))


def _forms(long: Mapping[str, st.SearchStrategy[Json]]) -> st.SearchStrategy[Json]:
    named = [st.fixed_dictionaries({name: one_or_more(want)}) for name, want in long.items()]
    operators: st.SearchStrategy[Json] = st.one_of(
        *named, st.fixed_dictionaries({"exists": st.booleans()})
    )
    equal = long.get("is")
    return operators if equal is None else st.one_of(one_or_more(equal), operators)


def _text_test(field: str) -> st.SearchStrategy[Json]:
    long: dict[str, st.SearchStrategy[Json]] = dict.fromkeys(_TEXT_OPERATORS, TEXTS)
    long["glob"] = st.sampled_from(["a*", "*", "?", "A?", "*-SS", "x*y", "0?7"])
    long["matches"] = st.sampled_from(["^a", "7$", "[0-9]+", "x.y", ""])
    long["list"] = st.sampled_from(sorted(LISTS))
    if field in ANY_FIELDS:
        long.update(dict.fromkeys(_ORDER, st.sampled_from([0, 1, "7", 1.5, -3])))
        long["is"] = st.one_of(TEXTS, st.booleans(), st.sampled_from([7, 1.5]))
    return _forms(long)


def _declared_test(field: str) -> st.SearchStrategy[Json]:
    match DECLARED[field]["type"]:
        case "bool":
            return _forms(dict.fromkeys(("is", "in"), st.booleans()))
        case "number":
            numbers: st.SearchStrategy[Json] = st.sampled_from([0, 1.5, "7", "1.5", -3])
            return _forms(dict.fromkeys(("is", "in", *_ORDER), numbers))
        case kind:
            long: dict[str, st.SearchStrategy[Json]] = dict.fromkeys(_TEXT_OPERATORS, TEXTS)
            if kind == "enum":
                values = DECLARED[field]["values"]
                assert isinstance(values, list)
                long |= dict.fromkeys(("is", "in"), st.sampled_from(values))
            return _forms(long)


def _test(field: str) -> st.SearchStrategy[Json]:
    if field in (*DECLARED, *TEXT_FIELDS):
        return _declared_test(field) if field in DECLARED else _text_test(field)
    numbers: st.SearchStrategy[Json] = st.sampled_from([0, 1, "7", -3])
    times: st.SearchStrategy[Json] = st.sampled_from([0, 1741847453000, "1741847453000"])
    durations: st.SearchStrategy[Json] = st.sampled_from(["1s", "47s", "1m", "2h", "1d"])
    words: dict[str, list[Json]] = {
        "type": ["chat", "call"],
        "callAction": ["initiated", "ended"],
        "kind": ["message", "call", "reaction", "digest"],
        "reply": [False, True],
    }
    match field:
        case "unreadMessageCount":
            return _forms(dict.fromkeys(("is", "in", *_ORDER), numbers))
        case "sentAt":
            return _forms(dict.fromkeys(("is", "in", *_ORDER), times))
        case "age":
            return _forms(dict.fromkeys(_ORDER, durations))
        case _:
            return _forms(dict.fromkeys(("is", "in"), st.sampled_from(words[field])))


def _test_hours() -> st.SearchStrategy[Json]:
    named = one_or_more(st.sampled_from([*HOURS.windows]))
    return st.one_of(named, st.fixed_dictionaries({"in": named}))


@cache
def atoms(field: str) -> st.SearchStrategy[Json]:
    """Return tests of a field."""
    tests = _test_hours() if field == "hours" else _test(field)
    return tests.map(lambda test: {field: test})


ATOMS = st.one_of(*(atoms(field) for field in FIELDS))


def _nest(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    some = st.lists(inner, min_size=1, max_size=3)
    groups = [st.fixed_dictionaries({group: some}) for group in ("any", "all", "none")]
    both = st.tuples(inner, inner).map(lambda two: _merge(*two))
    return st.one_of(*groups, st.fixed_dictionaries({"not": inner}), both)


def _merge(one: Json, other: Json) -> Json:
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    return {**one, **other}


WHENS: st.SearchStrategy[Json] = st.recursive(ATOMS, _nest, max_leaves=4)
"""What can stand behind `when:`, as JSON."""

_FEW: st.SearchStrategy[Json] = st.one_of(
    *(
        st.fixed_dictionaries({field: one_or_more(st.sampled_from(values))})
        for field, values in (
            ("sender", ["a", "7"]),
            ("custom.tier", ["a", "7", "ab"]),
            ("type", ["chat", "call"]),
            ("kind", ["message", "call", "digest"]),
            ("hours", [*HOURS.windows]),
        )
    )
)
CLOSE_WHENS: st.SearchStrategy[Json] = st.recursive(_FEW, _nest, max_leaves=4)
"""Conditions about so little that two of them often have to do with each other."""


def place(field: str, value: Json) -> ConditionSubject:
    """Return a subject in which a field has a value."""
    root, _, key = field.partition(".")
    if root == "attributes":
        return make_subject(attributes={key: value} if isinstance(value, str | int | float) else {})
    if root == "message":
        return make_subject({"message": {key: value}})
    if field == "to.email":
        return make_subject(data={"to": {"email": value}})
    details: dict[str, dict[str, Json]] = {
        "custom.tier": {"custom": {"tier": value}},
        "custom['deep-link'].x": {"custom": [{"deep-link": {"x": value}}, 7]},
        "age": {"sentAt": value},
        "reply": {"message": {"parentId": value}},
        "kind": {"type": value},
    }
    return make_subject(details.get(field, {field: value}))


@st.composite
def payloads(draw: st.DrawFn) -> ConditionSubject:
    """Return any subject, with values of every type where others belong."""
    optional: dict[str, st.SearchStrategy[Json]] = {
        "sender": VALUES,
        "tag": VALUES,
        "type": st.one_of(st.sampled_from(["chat", "call"]), VALUES),
        "callAction": st.one_of(st.sampled_from(["initiated", "ended", "paused"]), VALUES),
        "unreadMessageCount": VALUES,
        "sentAt": st.one_of(TIMES, VALUES),
        "custom": st.one_of(
            st.fixed_dictionaries(
                {}, optional={"tier": VALUES, "deep-link": st.one_of(VALUES, st.just({"x": "a"}))}
            ),
            VALUES,
        ),
        "message": st.one_of(
            st.sampled_from([None, {}, {"parentId": "7"}, {"category": "custom"}]),
            st.fixed_dictionaries({}, optional=dict.fromkeys(_IN_MESSAGE, VALUES)),
        ),
        "body": st.sampled_from(["", "Reacted to a", None]),
    }
    details = draw(st.fixed_dictionaries({}, optional=optional))
    to = draw(st.one_of(st.just({}), st.fixed_dictionaries({"email": VALUES}), VALUES))
    attributes = draw(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("a", "b"), st.one_of(TEXTS, NUMBERS, st.booleans()))
        )
    )
    feed: Feed = draw(st.sampled_from(["push", "push", "email"]))
    return make_subject(
        details, data={"to": to}, feed=feed, attributes=attributes, zone=draw(ZONES)
    )


@st.composite
def documented_payloads(draw: st.DrawFn) -> ConditionSubject:
    """Return a subject as CometChat's docs have them: a situation, and single values."""
    feed, kind, *words = draw(st.sampled_from(sorted(number_shapes(), key=str)))
    details: dict[str, Json] = {
        name: word for name, word in zip(WORDS, words, strict=True) if word is not None
    }
    for name in ("sender", "tag"):
        if (value := draw(st.one_of(st.none(), TEXTS))) is not None:
            details[name] = value
    few: st.SearchStrategy[Json] = st.sampled_from(["a", "7", "ab"])
    tiers = st.one_of(few, st.lists(few), VALUES)
    details["custom"] = draw(st.fixed_dictionaries({}, optional={"tier": tiers}))
    shapes: dict[str, dict[str, Json]] = {
        "message": {"message": {"category": "message"}},
        "edit": {"message": _action("edited")},
        "delete": {"message": _action("deleted")},
        "group_action": {"message": {"category": "action", "type": "groupMember"}},
        "reaction": {"body": "Reacted to it"},
    }
    details.update(shapes.get(kind, {}))
    attributes = draw(st.fixed_dictionaries({}, optional={"a": TEXTS}))
    subject = make_subject(
        {} if feed != "push" else details,
        feed="email" if feed == "email" else "sms" if feed == "sms" else "push",
        attributes=attributes,
        zone=draw(ZONES),
    )
    assert (subject.notification.feed, subject.notification.kind) == (feed, kind)
    return subject


def _action(action: str) -> Json:
    return {"category": "action", "type": "message", "data": {"action": action}}
