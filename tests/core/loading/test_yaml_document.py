from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import Place
from router.core.loading import yaml_document
from router.core.loading.yaml_document import MAX_ALIASED, MAX_CHARACTERS, read_document
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, Value
from tests import TESTDATA

RULES = sorted((TESTDATA / "rules").glob("*/*.yaml"))


def read(text: str) -> Node:
    node, problems = read_document(text, "f")
    assert not problems, [str(problem) for problem in problems]
    assert node is not None
    return node


def complain(text: str) -> list[str]:
    _, problems = read_document(text, "f")
    return [str(problem) for problem in problems]


def scalars(node: Node) -> list[ScalarNode]:
    match node:
        case ScalarNode():
            return [node]
        case SequenceNode(items=items):
            return [found for item in items for found in scalars(item)]
        case MappingNode(entries=entries):
            pairs = entries.values()
            return [found for pair in pairs for found in [pair.key, *scalars(pair.value)]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:00", "22:00"),
        ("007", "007"),
        ("2026-01-01", "2026-01-01"),
        ("2026-03-29T01:59:50+01:00", "2026-03-29T01:59:50+01:00"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("-x", "-x"),
        ("+", "+"),
        ("1e999", "1e999"),
        ("NO WAY", "NO WAY"),
        ("=", "="),
        ("'5'", "5"),
        ('"true"', "true"),
        ("'no'", "no"),
        ('""', ""),
        ("0", 0),
        ("-3", -3),
        ("+4", 4),
        ("0x1F", 31),
        ("0o17", 15),
        ("100000000000000000000000000", 10**26),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
    ],
)
def test_a_bare_value_means_what_yaml_1_2_says_and_text_where_that_is_safer(
    text: str, value: Value
) -> None:
    node = read(f"a: {text}\n")
    assert isinstance(node, MappingNode)
    found = node.entries["a"].value
    assert isinstance(found, ScalarNode)
    assert found.value == value
    assert type(found.value) is type(value)


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off", "y", "N"])
def test_words_that_tools_read_differently_must_be_quoted(word: str) -> None:
    message = (
        f"error: a bare {word} is read differently by different tools; "
        "write true or false, or put it in quotes"
    )
    assert complain(f"a: [x, {word}]") == [f"f:1:8: {message}"]
    assert complain(f"{word}: 1") == [f"f:1:1: {message}"]
    read(f"a: ['{word}', \"{word}\", {word}x]")


def test_every_key_and_value_knows_where_it_stands() -> None:
    node = read("a: [é😀x, {b: 'q'}]\r\nkey:\r\n  - |\r\n    long\r\n    text\r\n  - \"c\\n\"\r\n")
    found = [
        (node.text, str(node.place), node.length, node.inside, node.lines) for node in scalars(node)
    ]
    assert found == [
        ("a", "f:1:1", 1, Place("f", 1, 1), 1),
        ("é😀x", "f:1:5", 3, Place("f", 1, 5), 1),
        ("b", "f:1:11", 1, Place("f", 1, 11), 1),
        ("q", "f:1:14", 3, Place("f", 1, 15), 1),
        ("key", "f:2:1", 3, Place("f", 2, 1), 1),
        ("long\ntext\n", "f:3:5", 1, None, 4),
        ("c\n", "f:6:5", 5, None, 1),
    ]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_the_parser_in_python_reads_what_the_one_in_c_reads(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text("utf-8")
    node, problems = read_document(text, "f")
    monkeypatch.setattr(yaml_document, "_LOADER", yaml.SafeLoader)
    same, alike = read_document(text, "f")
    assert same == node
    assert [found.line for found in alike] == [found.line for found in problems]


def test_a_byte_order_mark_moves_nothing() -> None:
    node = read("\ufeffa: 1")
    assert isinstance(node, MappingNode)
    assert str(node.entries["a"].key.place) == "f:1:1"


def test_an_alias_gives_the_very_node_it_names() -> None:
    node = read("a: &x [1, 2]\nb: *x\n")
    assert isinstance(node, MappingNode)
    assert node.entries["a"].value is node.entries["b"].value


def test_what_aliases_stand_for_is_bounded() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, inner in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{inner}'] * 9)}]")
    expected = f"the aliases stand for more than {MAX_ALIASED} values"
    assert complain("\n".join(lines)) == [f"f:5:8: error: {expected}"]


def test_nesting_is_bounded() -> None:
    assert complain("[" * 1_000_000) == ["f:1:52: error: nested more than 50 deep"]
    assert not complain("[" * 50 + "]" * 50)


def test_size_is_bounded() -> None:
    too_long = f"f:1:1: error: the file is longer than {MAX_CHARACTERS} characters"
    assert complain("#" * (MAX_CHARACTERS + 1)) == [too_long]
    assert not complain("#" * MAX_CHARACTERS)


def test_a_text_without_a_document_has_no_node_and_no_problem() -> None:
    assert read_document("# only a comment\n", "f") == (None, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", '2:1: error: the key "a" stands twice'),
        ("a: {x: 1, x: 2}", '1:11: error: the key "x" stands twice'),
        ("<<: {a: 1}", "1:1: error: merge keys (<<) are not taken"),
        ("~: 1", "1:1: error: the key ~ is not a text"),
        ("true: 1", "1:1: error: the key true is not a text"),
        ("? \n: 1", "1:2: error: the key null is not a text"),
        ("{a: 1}: 1", "1:1: error: a key must be a text"),
        ("a: !x 1", "1:4: error: tags are not taken"),
        ("a: !!str 1", "1:4: error: tags are not taken"),
        ("a: ! 1", "1:4: error: tags are not taken"),
        ("a: 1\n---\nb: 1", "2:1: error: a second document starts here"),
        ("a: {{ x }}", "1:4: error: a bare {{ starts a mapping"),
        ("a: \ud800", "1:4: error: the character U+D800 cannot stand in the file"),
    ],
)
def test_what_is_not_taken_gets_its_place(text: str, problem: str) -> None:
    assert complain(text)[0].partition(";")[0] == f"f:{problem}"


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a: @x", "1:4", 'a text that starts with "@" needs quotes'),
        ("a: & b", "1:5", 'a text that starts with "*" or "&" needs quotes'),
        ("a: b: c", "1:5", 'a text with ": " in it needs quotes'),
        ("a: {{ x }} y", "1:12", 'put a template in quotes: "{{ … }}"'),
        ("a: b\n\tc: d", "2:1", "indent with spaces, not with tabs"),
        ("a: [1,", "1:7", "see how the lines around it are indented"),
        ("a: [1", "1:4", "see how the lines around it are indented"),
        ('a: "', "1:4", "see how the lines around it are indented"),
    ],
)
def test_what_is_not_yaml_gets_its_place_and_a_remedy(text: str, place: str, hint: str) -> None:
    problem = complain(text)[-1]
    assert problem.startswith(f"f:{place}: error: this is not YAML: ")
    assert problem.endswith(f"; {hint}")


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert not complain("'<<': 1")


@given(st.text())
def test_any_text_is_read_or_complained_about(text: str) -> None:
    node, problems = read_document(text, "f")
    assert node is None or isinstance(node, ScalarNode | SequenceNode | MappingNode)
    lines = len(text.splitlines()) + 1
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in problems)


@given(st.text(alphabet="ab:-[]{},#&*!|>'\"%@`?\n\t <0.", max_size=40))
def test_any_text_made_of_yaml_s_own_signs_is_read_or_complained_about(text: str) -> None:
    node, problems = read_document(text, "f")
    assert node is None or isinstance(node, ScalarNode | SequenceNode | MappingNode)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
