"""Tests of the rules: read, played on a virtual clock, and judged."""

from pathlib import Path

import msgspec
import pytest

from router.cli.test_files import PayloadSource
from router.core.loading import find_rules, has_tests, read_cases
from router.core.rules.ruleset import Ruleset
from router.core.simulate.assertions import check_expectations
from router.core.simulate.simulator import simulate
from router.core.simulate.test_case import RuleTest
from tests import TESTDATA
from tests.core.plugin_schemas import load_text

FOLDER = TESTDATA / "cases"
NAME = "rules.test.yaml"


def find(folder: str) -> list[Path]:
    return sorted((FOLDER / folder).glob("*.yaml"))


def told(text: str) -> list[str]:
    lines = (line.removeprefix("# ") for line in text.splitlines())
    return [line for line in lines if line.startswith(NAME)]


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    found = load_text((FOLDER / "rules.yaml").read_text("utf-8")).ruleset
    assert found is not None
    return found


def read(path: Path, ruleset: Ruleset) -> tuple[list[RuleTest], list[str]]:
    cases, problems = read_cases(path.read_text("utf-8"), NAME, ruleset, PayloadSource(path.parent))
    return cases, [str(problem) for problem in problems]


@pytest.mark.parametrize("path", find("bad"), ids=lambda path: path.stem)
def test_a_bad_test_file_is_refused_with_every_problem(path: Path, ruleset: Ruleset) -> None:
    _, problems = read(path, ruleset)
    assert problems == told(path.read_text("utf-8"))
    assert problems


@pytest.mark.parametrize("path", find("pass"), ids=lambda path: path.stem)
def test_what_is_as_expected_passes(path: Path, ruleset: Ruleset) -> None:
    cases, problems = read(path, ruleset)
    assert problems == []
    assert cases
    for case in cases:
        assert check_expectations(case, simulate(case, ruleset).sent) == [], case.name


@pytest.mark.parametrize("path", find("fail"), ids=lambda path: path.stem)
def test_what_is_not_as_expected_is_told_with_its_place(path: Path, ruleset: Ruleset) -> None:
    text = path.read_text("utf-8")
    cases, problems = read(path, ruleset)
    assert problems == []
    found = [
        each for case in cases for each in check_expectations(case, simulate(case, ruleset).sent)
    ]
    assert [f"{each.place}: {each.message}" for each in found] == told(text)


def test_every_expected_message_needs_one_of_its_own_whatever_their_order(ruleset: Ruleset) -> None:
    text = """
tests:
  - name: one fits all
    events: [{sample: push_chat_one_on_one}, {after: 10s, sample: push_chat_one_on_one}]
    expect: [{channel: app}, {channel: app, at: 0s}]
"""
    cases, _ = read_cases(text, NAME, ruleset, PayloadSource(FOLDER))
    sent = simulate(cases[0], ruleset).sent
    assert check_expectations(cases[0], sent) == []
    assert len(check_expectations(cases[0], sent[:1])) == 1
    assert len(check_expectations(cases[0], sent[1:])) == 1


def test_it_says_which_rules_matched(ruleset: Ruleset) -> None:
    cases, _ = read(FOLDER / "pass" / "gold.yaml", ruleset)
    assert simulate(cases[0], ruleset).matched == {"incoming-call"}


def test_where_the_rules_of_a_test_file_stand() -> None:
    assert find_rules("tests: []", NAME) is None
    assert find_rules("rules: ../rules.yaml", NAME) == "../rules.yaml"
    assert find_rules("rules: [{name: a}]", NAME) == "", "within"
    assert find_rules("- a", NAME) is None
    assert has_tests("tests: []", NAME)
    assert not has_tests("- a", NAME)


def test_of_a_rules_file_only_its_tests_are_looked_at(ruleset: Ruleset) -> None:
    text = "rules: [{nonsense: 1}]\nother: 2\n"
    cases, problems = read_cases(text, "rules.yaml", ruleset, PayloadSource(FOLDER), inline=True)
    assert (cases, problems) == ([], [])


def test_a_payload_that_comes_without_a_time_comes_now(ruleset: Ruleset) -> None:
    cases, _ = read(FOLDER / "pass" / "overruled.yaml", ruleset)
    event = cases[0].events[-1]
    body = msgspec.json.decode((FOLDER / "pass" / "body.json").read_bytes())
    assert "sentAt" not in body["data"]["notificationDetails"]
    assert event.notification.occurred_at == event.at
