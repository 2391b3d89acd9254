from hypothesis import given

from router.core.conditions.condition import ConditionSubject
from router.core.conditions.implication import (
    ConditionIndex,
    excludes,
    implies,
    normalise_condition,
)
from router.core.conditions.payload_shapes import ShapeAnalyzer, locate, number_shapes
from router.core.model.payload import Json
from tests.core.condition_subjects import CLOSE_WHENS, documented_payloads, make_subject
from tests.core.conditions_from_yaml import read_when

REASONER = ShapeAnalyzer()


@given(CLOSE_WHENS, CLOSE_WHENS, documented_payloads())
def test_nothing_matches_two_claims_that_exclude_each_other(
    one: Json, other: Json, subject: ConditionSubject
) -> None:
    first, second = read_when(one), read_when(other)
    if excludes(normalise_condition(first, REASONER), normalise_condition(second, REASONER)):
        assert not (first.holds(subject) and second.holds(subject))


@given(CLOSE_WHENS, CLOSE_WHENS, documented_payloads())
def test_what_matches_a_claim_matches_all_it_implies(
    one: Json, other: Json, subject: ConditionSubject
) -> None:
    first, second = read_when(one), read_when(other)
    if implies(normalise_condition(first, REASONER), second, REASONER) and first.holds(subject):
        assert second.holds(subject)


@given(CLOSE_WHENS)
def test_a_claim_implies_itself(when: Json) -> None:
    condition = read_when(when)
    assert implies(normalise_condition(condition, REASONER), condition, REASONER)


@given(CLOSE_WHENS, documented_payloads())
def test_bounds_enclose_where_a_condition_holds(when: Json, subject: ConditionSubject) -> None:

    bit = 1 << number_shapes()[locate(subject)]
    condition = read_when(when)
    bounds = REASONER.bound(condition)
    held = condition.holds(subject)
    assert bool(bounds.may & bit) or not held
    assert held or not bounds.must & bit


def excluded(*whens: Json) -> list[bool]:
    """Return of each but the first whether the first excludes it."""
    first = normalise_condition(read_when(whens[0]), REASONER)
    return [excludes(first, normalise_condition(read_when(when), REASONER)) for when in whens[1:]]


def implied(*whens: Json) -> list[bool]:
    first = normalise_condition(read_when(whens[0]), REASONER)
    return [implies(first, read_when(when), REASONER) for when in whens[1:]]


def test_exclusion_is_seen() -> None:
    assert (
        excluded(
            {"type": "chat", "sender": "a", "body": {"contains": "x"}},
            {"callAction": "initiated"},
            {"feed": ["email", "sms"]},
            {"sender": ["b", "c"]},
            {"not": {"sender": ["a", "b"]}},
            {"none": [{"body": {"contains": "x"}}]},
        )
        == [True] * 5
    )


def test_what_may_meet_is_not_excluded() -> None:
    assert (
        excluded(
            {"type": "chat", "sender": ["a", "b"], "custom.tags": "x"},
            {"sender": ["b", "c"]},
            {"custom.tags": "y"},
            {"not": {"sender": "a"}},
            {"sender": {"starts_with": "c"}},
            {"kind": "reaction"},
        )
        == [False] * 5
    )


def test_implication_is_seen() -> None:
    assert (
        implied(
            {"kind": "reaction", "sender": "a", "body": {"contains": "x"}, "not": {"tag": "1"}},
            {"feed": "push"},
            {"not": {"type": "call"}},
            {"sender": ["a", "b"]},
            {"sender": {"list": "vips"}},
            {"not": {"sender": ["b", "c"]}},
            {"any": [{"type": "call"}, {"body": {"contains": "x"}}]},
            {"not": {"tag": {"is": "1"}}},
            {"all": [{"sender": "a"}, {"not": {"not": {"kind": "reaction"}}}]},
        )
        == [True] * 8
    )


def test_a_path_may_lead_to_a_list_that_has_several_values() -> None:
    both: Json = {"all": [{"custom.tags": "x"}, {"custom.tags": "y"}]}
    assert excluded(both, {"type": "chat"}, {"not": {"custom.tags": "z"}}) == [False] * 2
    assert implied(both, {"custom.tags": "z"}, {"custom.tags": ["x", "z"]}) == [False, True]
    assert excluded(both, {"not": {"custom.tags": ["x", "z"]}}) == [True]


def test_what_does_not_follow_is_not_implied() -> None:
    assert (
        implied(
            {"kind": "reaction", "sender": ["a", "b"]},
            {"receiverType": "group"},
            {"sender": "a"},
            {"body": {"contains": "x"}},
            {"not": {"sender": "a"}},
            {"type": "chat"},
            {"any": [{"tag": "1"}, {"sender": "c"}]},
        )
        == [False] * 6
    )


@given(CLOSE_WHENS, CLOSE_WHENS)
def test_a_shelf_finds_what_a_search_one_by_one_finds(one: Json, other: Json) -> None:
    shelf: ConditionIndex[str] = ConditionIndex()
    kept, asked = (normalise_condition(read_when(when), REASONER) for when in (one, other))
    shelf.put(kept, "kept")
    assert bool(list(shelf.meet(asked))) is not excludes(kept, asked)


def test_a_shelf_sorts_by_the_values_asked_for() -> None:
    shelf: ConditionIndex[int] = ConditionIndex()
    for number in range(100):
        shelf.put(normalise_condition(read_when({"sender": f"s{number}"}), REASONER), number)
    met = shelf.meet(normalise_condition(read_when({"sender": ["s3", "s5", "zoe"]}), REASONER))
    assert sorted(met) == [3, 5]
    shelf.put(normalise_condition(read_when({"sender": "s3", "type": "call"}), REASONER), 100)
    assert list(
        shelf.meet(normalise_condition(read_when({"sender": "s3", "kind": "edit"}), REASONER))
    ) == [3]
    assert make_subject().mismatches == []
