from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.conditions.condition import All, AnyOf, Condition, ConditionSubject, Not, verdicts
from router.core.model.payload import Json
from tests.core.condition_subjects import (
    FIELDS,
    TIMES,
    VALUES,
    WHENS,
    atoms,
    make_subject,
    payloads,
    place,
)
from tests.core.conditions_from_yaml import DECLARED, read_when
from tests.core.reference_matcher import look_up, matches

ANYTHING = st.one_of(VALUES, TIMES, st.sampled_from(["chat", "call", "initiated", "Reacted to"]))


BODY: dict[str, Json] = {"type": "chat", "sender": "Bot-7", "body": "An URGENT thing, naß"}


@pytest.mark.parametrize(
    ("when", "held"),
    [
        ({"body": {"contains": "urgent"}}, True),
        ({"body": {"contains": ["nothing", "THING"]}}, True),
        ({"body": {"contains": ["nothing", "none"]}}, False),
        ({"body": {"ends_with": "NASS"}}, True),
        ({"body": {"glob": "an*thing*nass"}}, True),
        ({"body": {"glob": "an*thing*nothing*nass"}}, False),
        ({"body": {"glob": "an*urgent"}}, False),
        ({"body": {"glob": "*thing"}}, False),
        ({"body": {"glob": "?n*"}}, True),
        ({"sender": {"glob": "bot-7"}}, True),
        ({"sender": {"glob": "bot-7*-7"}}, False),
        ({"sender": {"starts_with": "bot-", "ends_with": ["1", "7"]}}, True),
        ({"sender": {"starts_with": "bot-", "ends_with": "1"}}, False),
        ({"sender": "bot-7"}, False),
        ({"body": {"matches": "URGENT|late"}}, True),
        ({"body": {"matches": "urgent"}}, False),
        ({"body": {"matches": ["late", "^An .*naß$"]}}, True),
        ([{"type": "call"}, {"sender": "Bot-7"}], True),
        ([{"type": "call"}, {"sender": "bot"}], False),
        ({"any": [{"type": "call"}, {"type": "chat"}], "none": [{"sender": "a"}]}, True),
        ({"all": [{"type": "chat"}, {"not": {"type": "chat"}}]}, False),
        ({"unreadMessageCount": {"gte": 7}}, True),
        ({"unreadMessageCount": [6, "7"]}, True),
        ({"custom.price": {"gt": 1.4, "lt": 1.6}}, True),
        ({"custom.number": {"gt": 1}}, True),
        ({"custom.price": {"gte": [3, 1]}}, True),
        ({"custom.price": {"lt": [1, 1.5]}}, False),
        ({"custom.price": {"lte": [1, 1.5]}}, True),
        ({"custom.tags": "b"}, True),
        ({"custom.tags": ["c", "d"]}, False),
        ({"custom.flag": True}, True),
        ({"reply": False, "mention": [True, False]}, True),
        ({"custom.number": "1.50"}, False),
        ({"custom": {"exists": True}, "message": {"exists": False}}, True),
    ],
)
def test_a_condition_reads_as_it_says(when: Json, held: bool) -> None:
    custom: dict[str, Json] = {"price": "1.5", "tags": ["a", "b"], "flag": True, "number": 1.5}
    subject = make_subject({**BODY, "unreadMessageCount": "7", "custom": custom})
    assert read_when(when).holds(subject) is held
    assert not subject.mismatches


@pytest.mark.parametrize(
    ("value", "held"),
    [(7, True), ("7", True), (7.0, True), ("+7", True), (8, False), (None, False)],
)
def test_a_whole_number_may_be_given_in_several_ways(value: Json, held: bool) -> None:
    assert read_when({"unreadMessageCount": 7}).holds(place("unreadMessageCount", value)) is held


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=60)
@given(data=st.data(), value=ANYTHING)
def test_a_test_holds_exactly_where_its_plain_meaning_does(
    field: str, data: st.DataObject, value: Json
) -> None:
    when, subject = data.draw(atoms(field)), place(field, value)
    assert read_when(when).holds(subject) is matches(when, subject)


@given(WHENS, payloads())
def test_a_condition_holds_exactly_where_its_plain_meaning_does(
    when: Json, subject: ConditionSubject
) -> None:
    assert read_when(when).holds(subject) is matches(when, subject)


@given(WHENS, payloads())
def test_not_turns_every_condition_round(when: Json, subject: ConditionSubject) -> None:
    assert read_when({"not": when}).holds(subject) is not read_when(when).holds(subject)


DEFAULTED = [field for field, says in DECLARED.items() if "default" in says]


@pytest.mark.parametrize(
    "field", [field for field in FIELDS if field not in {"kind", "reply", "hours", *DEFAULTED}]
)
@settings(max_examples=20)
@given(data=st.data())
def test_an_absent_or_null_field_equals_nothing_and_is_neither_less_nor_greater(
    field: str, data: st.DataObject
) -> None:
    when = data.draw(atoms(field).filter(lambda when: "exists" not in str(when)))
    for subject in (make_subject({}), place(field, None)):
        assert not read_when(when).holds(subject)
        assert read_when({"not": when}).holds(subject)
        assert read_when({field: {"exists": False}}).holds(subject)
        assert not subject.mismatches


@pytest.mark.parametrize("field", DEFAULTED)
@settings(max_examples=20)
@given(data=st.data())
def test_a_default_stands_in_for_an_absent_or_null_field(field: str, data: st.DataObject) -> None:
    when = data.draw(atoms(field))
    held = read_when(when).holds(place(field, DECLARED[field]["default"]))
    assert read_when(when).holds(make_subject({})) is held
    assert read_when(when).holds(place(field, None)) is held


@given(payloads(), WHENS)
def test_the_verdicts_of_the_tests_together_make_that_of_the_condition(
    subject: ConditionSubject, when: Json
) -> None:
    condition = read_when(when)
    told = verdicts(condition, subject)
    assert all(verdict.why.startswith(f"{verdict.field} is ") for verdict in told)
    held = iter([verdict.held for verdict in told])
    assert recombine(condition, held, negated=False) is condition.holds(subject)
    assert not list(held)


def recombine(condition: Condition, held: Iterator[bool], *, negated: bool) -> bool:
    """Put verdicts together again; each is given after the `not` around its test."""
    if isinstance(condition, Not):
        return recombine(condition.part, held, negated=not negated)
    if isinstance(condition, All | AnyOf):
        parts = [recombine(part, held, negated=negated) for part in condition.parts]
        return all(parts) if isinstance(condition, All) is not negated else any(parts)
    return next(held)


@pytest.mark.parametrize(
    ("field", "test", "value"),
    [
        ("unreadMessageCount", {"gt": 1}, "many"),
        ("unreadMessageCount", 5, True),
        ("unreadMessageCount", 5, 5.5),
        ("sentAt", {"gt": 1}, "yesterday"),
        ("sender", "a", {"uid": "a"}),
        ("sender", {"starts_with": "a"}, {"uid": "a"}),
        ("custom.tier", {"gt": 1}, "gold"),
        ("custom.tier", {"gt": 1}, True),
        ("message.flag", True, "true"),
        ("message.flag", [True, False], 1),
        ("message.price", 1.5, "dear"),
        ("message.price", {"gt": 1}, False),
        ("message.level", "a", {"name": "a"}),
        ("message.note", {"contains": "a"}, {}),
        ("custom.tier", "gold", {"name": "gold"}),
        ("custom.tier", "gold", [{"name": "gold"}]),
    ],
)
def test_a_value_of_the_wrong_type_matches_nothing_and_is_noted(
    field: str, test: Json, value: Json
) -> None:
    subject = place(field, value)
    assert not read_when({field: test}).holds(subject)
    assert subject.mismatches == [field]
    assert read_when({"not": {field: test}}).holds(subject)
    assert read_when({field: {"exists": True}}).holds(subject)


@pytest.mark.parametrize(
    ("when", "details", "held", "why"),
    [
        ({"type": "call"}, {"type": "call"}, True, 'type is "call"'),
        ({"type": "call"}, {"type": "chat"}, False, 'type is "chat", wants "call"'),
        ({"type": ["call", "chat"]}, {}, False, 'type is absent, wants "call" or "chat"'),
        ({"not": {"type": "call"}}, {"type": "call"}, False, 'type is "call", wants not "call"'),
        ({"not": {"type": "call"}}, {"type": "chat"}, True, 'type is "chat"'),
        (
            {"sender": {"starts_with": "bot-"}},
            {"sender": "Bot-1"},
            True,
            'sender is "Bot-1", a text that starts with "bot-"',
        ),
        (
            {"not": {"sender": {"starts_with": "bot-"}}},
            {"sender": "bot-1"},
            False,
            'sender is "bot-1", wants not a text that starts with "bot-"',
        ),
        (
            {"unreadMessageCount": {"gt": 5}},
            {"unreadMessageCount": "abc"},
            False,
            'unreadMessageCount is "abc", which is no whole number, wants more than 5',
        ),
        (
            {"sentAt": {"gt": 5}},
            {"sentAt": {}},
            False,
            "sentAt is a mapping, which is no time, wants more than 5",
        ),
        ({"custom.a": {"exists": True}}, {}, False, "custom.a is absent, wants a value"),
        (
            {"custom.a": {"exists": False}},
            {"custom": {"a": 1}},
            False,
            "custom.a is 1, wants no value",
        ),
        ({"custom.a": {"exists": True}}, {"custom": {"a": True}}, True, "custom.a is true"),
        (
            {"custom.a": ["x"]},
            {"custom": {"a": ["1", 2, None, "4", "5", "6"]}},
            False,
            'custom.a is ["1", 2, absent, "4", "5", …], wants "x"',
        ),
        (
            {"custom.a": {"lt": 3}},
            {"custom": {"a": "x"}},
            False,
            'custom.a is "x", which is not to be compared, wants less than 3',
        ),
        (
            {"sender": {"list": ["vips", "nobody"]}},
            {"sender": "zoe"},
            False,
            'sender is "zoe", wants one of the list vips or one of the list nobody',
        ),
        (
            {"tag": list("abcdef")},
            {"tag": "z"},
            False,
            'tag is "z", wants "a" or "b" or "c" or "d" or "e" or …',
        ),
        ({"tag": "a"}, {"tag": "y" * 99}, False, f'tag is "{"y" * 60}…", wants "a"'),
        ({"age": {"lt": "1m"}}, {"sentAt": 1741847410000}, False, "age is 90s, wants less than 1m"),
    ],
)
def test_a_verdict_says_in_words_what_is_and_what_was_wanted(
    when: Json, details: dict[str, Json], held: bool, why: str
) -> None:
    (verdict,) = verdicts(read_when(when), make_subject(details))
    assert (verdict.held, verdict.why) == (held, why)


def test_verdicts_come_in_file_order_with_their_places() -> None:
    when: Json = {
        "any": [{"type": "call"}, {"none": [{"sender": "a"}]}],
        "not": {"tag": {"is": "1"}},
    }
    told = verdicts(read_when(when), make_subject({"sender": "a", "type": "chat"}))
    assert [(v.field, str(v.place), v.held) for v in told] == [
        ("type", "rules.yaml:1:11", False),
        ("sender", "rules.yaml:1:39", False),
        ("tag", "rules.yaml:1:74", True),
    ]


def test_a_field_reads_what_stands_in_the_payload() -> None:
    subject = make_subject({"sender": "a"}, data={"to": {"email": "a@example.com"}})
    assert look_up("to.email", subject) == "a@example.com"
    assert read_when({"to.email": "a@example.com", "uid": "uid-2", "appId": "app-1"}).holds(subject)


def test_top_level_vars_can_be_tested() -> None:
    condition = read_when({"vars.who": "Andrew"}, variables=("who",))
    assert condition.holds(make_subject(variables={"who": "Andrew"}))
    assert not condition.holds(make_subject())
