import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.errors import Place
from router.core.templates.filters import FILTERS, MAX_RESULT_LENGTH, join
from router.core.templates.template import (
    MAX_SOURCE_LENGTH,
    TemplateRenderError,
    TemplateSourceError,
    compile_template,
)
from tests import TESTDATA

CASES = json.loads((TESTDATA / "templates.json").read_text("utf-8"))
HERE = Place("rules.yaml", 7, 3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["source"][:40])
def test_a_template_gives_what_the_table_says(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(TemplateSourceError) as refused:
            compile_template(case["source"], HERE)
        assert (refused.value.message, refused.value.offset) == (case["error"], case["offset"])
        return
    template = compile_template(case["source"], HERE)
    if "fault" in case:
        with pytest.raises(TemplateRenderError, match=case["fault"]):
            template.render(case.get("names", {}))
        return
    assert template.render(case.get("names", {})) == case["gives"]


def test_a_template_knows_the_paths_it_reads() -> None:
    template = compile_template(
        "{{ title | default(vars.greeting) }}{% if custom['deep-link'].a %}{{ messages[0].sender }}"
        "{% elif kind in [feed] %}{{ -attributes.age ~ ('x'[0]) }}{% endif %}",
        HERE,
    )
    assert template.names == {
        "title",
        "vars.greeting",
        "custom['deep-link'].a",
        "messages.sender",
        "kind",
        "feed",
        "attributes.age",
    }


def test_a_template_keeps_its_source_and_place() -> None:
    template = compile_template("{{ title }}", HERE)
    elsewhere = compile_template("{{ title }}", Place("rules.yaml", 9, 1))
    assert (template.source, template.place) == ("{{ title }}", HERE)
    assert elsewhere.place.line == 9
    assert elsewhere.render is template.render, "one compilation serves both"


@pytest.mark.parametrize(
    "source",
    [
        "x" * (MAX_SOURCE_LENGTH + 1),
        "{{ " + "(" * 4000,
        "{{ " + "not " * 40 + "a }}",
        "{{ a }}" * 600,
        "{% if a %}" * 40 + "{% endif %}" * 40,
    ],
    ids=["long", "parentheses", "operators", "wide", "branches"],
)
def test_a_source_too_long_or_too_deep_is_refused(source: str) -> None:
    with pytest.raises(TemplateSourceError, match=r"too deeply|is longer than"):
        compile_template(source, HERE)


@given(st.text(max_size=200) | st.text(alphabet="{}%|()[]'\" abor.+-~<>=1\n\\", max_size=80))
def test_any_text_is_a_template_or_an_error_with_an_offset_in_it(source: str) -> None:
    refused: TemplateSourceError | None = None
    try:
        compile_template(source, HERE)
    except TemplateSourceError as error:
        refused = error
    assert refused is None or (refused.message and 0 <= refused.offset <= len(source))


@given(st.text())
def test_a_text_of_a_payload_is_data_and_never_source(words: str) -> None:
    template = compile_template("{{ body }}", HERE)
    assert template.render({"body": words}) == words.replace("\0", "\ufffd")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["a" * 2**20, "ΐß " * 20_000, "1" * 5000, ["x" * 1000] * 2000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
literals = st.sampled_from(["1", "1.5", "-3", "'x'", "''", "' '", "999999999", "true", "'%Y'"])
paths = st.sampled_from(["a", "b", "c", "a.b", "a['c'].a", "b[0]", "c[-1].a", "gone"])


def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"])
    filtered = st.builds(
        lambda value, name, args: f"({value} | {name}({', '.join(args)}))",
        inner,
        st.sampled_from(sorted(FILTERS)),
        st.lists(inner, max_size=2),
    )
    return (
        filtered
        | st.builds(lambda left, op, right: f"({left} {op} {right})", inner, operators, inner)
        | st.builds(lambda yes, test, no: f"({yes} if {test} else {no})", inner, inner, inner)
        | st.builds(lambda items: f"[{', '.join(items)}]", st.lists(inner, max_size=3))
        | st.builds(lambda value: f"(not {value} is defined)", inner)
    )


expressions = st.recursive(literals | paths, deeper, max_leaves=12)


@settings(deadline=5000)  # milliseconds: it takes a few, and what is not bounded takes for ever
@given(
    st.lists(expressions, min_size=1, max_size=3),
    st.fixed_dictionaries(dict.fromkeys("abc", json_values)),
)
def test_whatever_a_template_makes_is_bounded_and_whatever_it_does_is_a_fault(
    parts: list[str], names: dict[str, object]
) -> None:
    source = "".join(f"{{{{ {part} }}}}" for part in parts)
    try:
        template = compile_template(source, HERE)
    except TemplateSourceError:
        return
    try:
        words = template.render(names)
    except TemplateRenderError:
        return
    assert len(words) <= MAX_RESULT_LENGTH
    assert "\0" not in words


@given(st.sampled_from(sorted(FILTERS)), json_values, st.lists(json_values, max_size=2))
def test_a_filter_gives_a_bounded_value_or_says_it_cannot(
    name: str, value: object, arguments: list[object]
) -> None:
    try:
        result = FILTERS[name](value, *arguments)
    except (TypeError, ValueError):
        return
    if isinstance(result, str) and name not in {"default", "int"}:
        assert len(result) <= MAX_RESULT_LENGTH


def test_growing_filters_stop_at_the_limit() -> None:
    names = {"a": "a" * MAX_RESULT_LENGTH}
    source = "{{ a | replace('a', a) | replace('a', a) ~ a ~ a }}{{ a | urlencode }}"
    assert compile_template(source, HERE).render(names) == "a" * MAX_RESULT_LENGTH
    assert (
        FILTERS["upper"]("ΐ" * MAX_RESULT_LENGTH)
        == ("ΐ".upper() * MAX_RESULT_LENGTH)[:MAX_RESULT_LENGTH]
    )


def test_a_list_nested_beyond_reason_is_a_fault() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(TemplateRenderError, match="RecursionError"):
        compile_template("{{ a }}", HERE).render({"a": nested})


def test_a_long_list_joins_into_a_bounded_text() -> None:
    long = ["x" * MAX_RESULT_LENGTH, "y"]
    assert join(long, ", ") == "x" * MAX_RESULT_LENGTH
