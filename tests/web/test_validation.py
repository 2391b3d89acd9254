"""What a request says is read strictly, and every fault of it is told at once."""

from typing import Annotated, Literal

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from router.core.model.facts import Scalar
from router.web.problems import HTTPError
from router.web.validation import PageParams, read_body, read_list, read_query


class Inner(Struct, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=1)]
    words: list[str] = []


class Body(Struct, frozen=True, kw_only=True, rename="camel"):
    user_name: str
    inner: Inner | UnsetType = UNSET
    notes: Annotated[dict[str, str | None], Meta(description="Some.")] | UnsetType = UNSET
    facts: dict[str, Scalar] | None = None
    level: Literal["low", "high"] = "low"
    since: float | None = None


def faults(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(HTTPError) as refused:
        read_body(body, Body)
    assert refused.value.status_code == 400
    return [(fault.path, fault.reason) for fault in refused.value.body.problems]


def query_faults(**query: str) -> list[tuple[str, str]]:
    with pytest.raises(HTTPError) as refused:
        read_list(query, Body)
    return [(fault.path, fault.reason) for fault in refused.value.body.problems]


def test_a_sound_body_is_read() -> None:
    body = b'{"userName": "bob", "inner": {"count": 2}, "notes": {"a": null}, "facts": {"x": 1.5}}'
    assert read_body(body, Body) == Body(
        user_name="bob", inner=Inner(count=2), notes={"a": None}, facts={"x": 1.5}
    )


def test_every_fault_is_told_with_its_place() -> None:
    body = b"""{"username": "bob", "inner": {"count": 0, "words": ["a", 1], "more": 1},
        "notes": {"a": 1, "b": [], "c": "fine"}, "facts": {"x": {}},
        "level": "hihg", "since": "x"}"""
    assert faults(body) == [
        ("$.username", 'unknown; did you mean "userName"?'),
        ("$.userName", "must be given"),
        ("$.inner.more", "unknown; known are count, words"),
        ("$.inner.count", "expected `int` >= 1"),
        ("$.inner.words[1]", "expected `str`, got `int`"),
        ("$.notes.a", "expected `str | null`, got `int`"),
        ("$.notes.b", "expected `str | null`, got `array`"),
        ("$.facts.x", "expected `bool | int | float | str`, got `object`"),
        ("$.level", "must be one of low, high"),
        ("$.since", "expected `float | null`, got `str`"),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'"\xed\xa0\x80"', "is not JSON"),
        (b'{"since": 1e999}', "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
    ],
)
def test_a_body_that_is_no_object_is_told_so(body: bytes, reason: str) -> None:
    ((path, found),) = faults(body)
    assert path == "$"
    assert found.startswith(reason)


def test_null_stands_for_nothing_only_where_it_may() -> None:
    assert read_body(b'{"userName": "bob", "facts": null}', Body).facts is None
    assert faults(b'{"userName": null, "inner": null}') == [
        ("$.userName", "expected `str`, got `null`"),
        ("$.inner", "expected `object`, got `null`"),
    ]


def test_a_query_is_read_with_the_part_of_the_list() -> None:
    query = {"userName": "bob", "since": "1.5", "level": "high", "limit": "200", "cursor": "abc"}
    assert read_list(query, Body) == (
        Body(user_name="bob", since=1.5, level="high"),
        PageParams(limit=200, cursor="abc"),
    )


def test_every_fault_of_a_query_is_told() -> None:
    assert query_faults(userName="bob", sice="1", since="x", level="x", limit="201") == [
        ("?sice", 'unknown; did you mean "since"?'),
        ("?level", "must be one of low, high"),
        ("?since", "expected `float | null`, got `str`"),
        ("?limit", "expected `int` <= 200"),
    ]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "ten", "1.5", "", " 5", "9" * 5000, "\u0661"])
def test_a_limit_is_a_number_from_1_to_200(limit: str) -> None:
    ((path, _),) = query_faults(userName="bob", limit=limit)
    assert path == "?limit"


def test_a_query_that_is_no_list_takes_no_limit() -> None:
    class Query(Struct, frozen=True, kw_only=True):
        at: float | None = None

    assert read_query({"at": "5"}, Query) == Query(at=5.0)
    with pytest.raises(HTTPError):
        read_query({"limit": "5"}, Query)
