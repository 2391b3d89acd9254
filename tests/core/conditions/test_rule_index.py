import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.conditions.condition import ALWAYS, All, AnyOf, ConditionSubject, Not
from router.core.conditions.condition import Test as FieldTest
from router.core.conditions.rule_index import MAX_UNINDEXED_RULES, RuleIndex
from router.core.model.payload import Json
from router.core.rules.ruleset import Defaults, Ruleset
from tests.core.condition_subjects import (
    ATOMS,
    CLOSE_WHENS,
    WHENS,
    documented_payloads,
    make_subject,
    payloads,
)
from tests.core.conditions_from_yaml import read_when
from tests.core.plugin_schemas import load_text
from tests.core.reference_matcher import matches

LOOKED_UP = st.one_of(
    st.fixed_dictionaries({"sender": st.sampled_from(["a", "b", ["a", "b"], {"list": "vips"}])}),
    st.fixed_dictionaries({"custom.tier": st.sampled_from(["a", "7", True, 7])}),
    st.fixed_dictionaries(
        {"sender": st.fixed_dictionaries({"starts_with": st.sampled_from(["a", "A", "", "b-SS"])})}
    ),
    st.fixed_dictionaries({"type": st.just("chat"), "tag": st.sampled_from(["a", "7"])}),
    st.fixed_dictionaries({"any": st.lists(ATOMS, min_size=2, max_size=3)}),
)
MANY: st.SearchStrategy[list[Json]] = st.lists(
    st.one_of(LOOKED_UP, ATOMS, CLOSE_WHENS),
    min_size=MAX_UNINDEXED_RULES + 1,
    max_size=2 * MAX_UNINDEXED_RULES,
)


def build(whens: list[Json]) -> RuleIndex[int]:
    conditions = ((read_when(when), number) for number, when in enumerate(whens))
    return RuleIndex(list(conditions), narrow=lambda number, _: number)


@settings(max_examples=150)
@given(MANY, WHENS, st.one_of(payloads(), documented_payloads()))
def test_the_index_finds_what_trying_every_condition_finds_and_in_order(
    many: list[Json], when: Json, subject: ConditionSubject
) -> None:
    whens = [*many, when]
    conditions = [(read_when(when), number) for number, when in enumerate(whens)]
    index = RuleIndex(
        [(condition, (number, condition)) for condition, number in conditions],
        narrow=lambda item, left: (item[0], left),
    )
    found = index.find(subject)
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers))
    matching = [number for number, one in enumerate(whens) if matches(one, subject)]
    assert [number for number, left in found if left.holds(subject)] == matching


@settings(max_examples=60)
@given(st.one_of(WHENS, CLOSE_WHENS), st.one_of(payloads(), documented_payloads()))
def test_a_condition_shortened_for_a_situation_decides_the_same_in_it(
    when: Json, subject: ConditionSubject
) -> None:
    condition = read_when(when)
    index = RuleIndex([(condition, condition)], narrow=lambda _, left: left)
    assert any(left.holds(subject) for left in index.find(subject)) is condition.holds(subject)


def test_what_a_situation_settles_is_left_out_of_a_condition() -> None:
    when: Json = {
        "type": "chat",
        "any": [{"kind": "edit"}, {"sender": "a"}, {"all": [{"kind": "message"}, {"tag": "1"}]}],
        "none": [{"tag": "2"}],
    }
    whens: list[Json] = [when, {"type": "chat"}, {"any": [{"type": "call"}, {"sender": "a"}]}]
    conditions = [read_when(when) for when in whens]
    index = RuleIndex([(one, one) for one in conditions], narrow=lambda _, left: left)
    both, always, sender = index.find(make_subject({"type": "chat"}))
    assert isinstance(both, All)
    any_of, none = both.parts
    assert isinstance(any_of, AnyOf)
    assert [test.field for test in any_of.parts if isinstance(test, FieldTest)] == ["sender", "tag"]
    assert isinstance(none, Not)
    assert always == ALWAYS
    assert isinstance(sender, FieldTest)


def test_a_payload_s_words_rule_most_out() -> None:
    index = build(
        [{"type": "call"}, {"kind": "digest"}, {"not": {"type": "chat"}}, {"sender": "a"}]
    )
    assert index.find(make_subject({"type": "call"})) == [0, 2, 3]
    assert index.find(make_subject({"type": "chat"})) == [3]
    assert index.find(make_subject(feed="sms")) == [1, 2, 3]


def test_among_many_a_value_asked_for_is_looked_up() -> None:
    whens: list[Json] = [{"receiver": f"room-{number}", "type": "chat"} for number in range(500)]
    whens += [{"body": {"contains": "urgent"}}, {"receiver": ["room-7", "room-8"]}]
    whens.append({"receiver": "room-7", "sender": "a", "type": "chat"})
    whens.append({"unreadMessageCount": {"gt": 5}})
    index = build(whens)
    asked: dict[str, Json] = {
        "type": "chat",
        "sender": "a",
        "unreadMessageCount": 1,
        "body": "Urgent!",
    }
    assert index.find(make_subject({**asked, "receiver": "room-7"})) == [7, 500, 501, 502, 503]
    assert index.find(make_subject(asked)) == [500, 503]
    assert index.find(make_subject({**asked, "receiver": 7})) == [500, 503]
    assert index.find(make_subject({"type": "chat", "receiver": "room-7"})) == [7, 501, 502]
    assert len(index.find(make_subject({"type": "chat", "receiver": ["room-7"]}))) == 502


def test_among_many_a_start_asked_for_is_looked_up() -> None:
    starts: list[Json] = [{"sender": {"starts_with": f"Bot-{n}"}} for n in range(100)]
    index = build([*starts, {"sender": {"starts_with": ["bot-1", "x"]}}])
    assert index.find(make_subject({"sender": "BOT-12-a"})) == [1, 12, 100]
    assert index.find(make_subject({"sender": "zoe"})) == []


def test_among_many_an_end_asked_for_is_looked_up() -> None:
    ends: list[Json] = [{"to.email": {"ends_with": f"-{n}@X.example"}} for n in range(100)]
    index = build([*ends, {"to.email": {"ends_with": ["12@x.example", "other"]}}])
    assert index.find(make_subject(data={"to": {"email": "A-12@x.EXAMPLE"}})) == [12, 100]
    assert index.find(make_subject(data={"to": {"email": "e"}})) == []


def test_among_many_patterns_only_those_that_match_are_tried() -> None:
    patterns: list[Json] = [{"body": {"matches": rf"(?i)\bticket #?{n}\b"}} for n in range(100)]
    words: list[Json] = [{"body": {"contains": f"Word{n}."}} for n in range(100)]
    globs: list[Json] = [{"body": {"glob": f"*x{n}?end"}} for n in range(100)]
    index = build([*patterns, *words, *globs])
    assert index.find(make_subject({"body": "my TICKET #7, please"})) == [7]
    assert index.find(make_subject({"body": "a wORD12."})) == [112]
    assert index.find(make_subject({"body": "ticket 3: Ax4-END"})) == [3, 204]
    assert index.find(make_subject({"body": "x4-end."})) == []
    assert index.find(make_subject({"body": 7})) == []


def test_among_many_what_asks_for_a_value_is_left_out_where_there_is_none() -> None:
    whens: list[Json] = [
        {"any": [{"custom.topic": f"t{n}"}, {"custom.level": {"gte": n}}]} for n in range(20)
    ]
    whens += [
        {"custom.level": {"exists": True}},
        {"custom.level": {"exists": False}},
        {"any": [{"custom.topic": "t1"}, {"not": {"custom.level": 1}}]},
        {"all": [{"custom.topic": {"exists": [True, False]}}, {"none": [{"sender": "a"}]}]},
        {"unreadMessageCount": 5},
    ]
    index = build(whens)
    assert index.find(make_subject()) == [21, 22, 23]
    assert index.find(make_subject({"custom": {"topic": "t7"}})) == [7, 21, 22, 23]
    assert index.find(make_subject({"custom": {"level": 0}})) == [*range(20), 20, 21, 22, 23]
    assert index.find(make_subject({"unreadMessageCount": "5"})) == [21, 22, 23, 24]


def test_patterns_too_many_for_the_memory_of_their_set_are_all_tried() -> None:
    patterns: list[Json] = [{"body": {"matches": f"{n}x[a-y]{{900}}z"}} for n in range(200)]
    index = build([*patterns, {"body": "a"}])
    assert index.find(make_subject({"body": "b"})) == list(range(200))


def test_many_that_nothing_can_be_told_of_are_all_tried() -> None:
    index = build([{"not": {"sender": f"uid-{n}"}} for n in range(20)])
    assert index.find(make_subject({"sender": "uid-7"})) == list(range(20))


@pytest.mark.parametrize("word", ["poke", 7, ["chat"], {"chat": 1}])
def test_a_payload_the_documentation_does_not_know_is_tried_against_all(word: Json) -> None:
    index = build([{"type": "call"}, {"type": "chat"}])
    assert index.find(make_subject({"type": word})) == [0, 1]


def test_candidates_are_rules_that_may_match_with_what_is_left_to_ask() -> None:
    text = (
        "version: 1\nchannels: {app: {plugin: push}}\nrules:\n"
        "  - {name: call, when: {type: call}, send: [app]}\n"
        "  - {name: room, when: {type: chat, receiver: room}, send: [app]}\n"
    )
    ruleset = load_text(text).ruleset
    assert ruleset is not None
    (room,) = ruleset.candidates(make_subject({"type": "chat", "receiver": "x"}))
    assert (room.name, room.send) == ("room", ruleset.rules[1].send)
    assert isinstance(room.when, FieldTest)
    assert not room.when.holds(make_subject({"receiver": "x"}))


def test_a_ruleset_without_rules_has_no_candidates() -> None:
    ruleset = Ruleset(version="v", channels={}, enrich=(), rules=(), defaults=Defaults())
    assert list(ruleset.candidates(make_subject())) == []
