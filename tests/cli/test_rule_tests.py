"""`router test`: the tests of a rules file, run without a server."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from router.cli import main

RULES = """\
version: 1
channels:
  app: {plugin: push, fcm: {service_account: "${file:/nowhere}"}}
rules:
  - name: call
    when: {type: call}
    send: [app]
  - name: chat
    when: {kind: message}
    send: [app]
"""
PASSES = """\
tests:
  - name: a message
    events: [{sample: push_chat_one_on_one}]
    expect: [{rule: chat, channel: app}]
"""
FAILS = """\
tests:
  - name: never & never
    events: [{sample: push_chat_one_on_one}]
    expect_not: [{rule: chat}]
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    monkeypatch.setenv("ROUTER_RULES", str(path))
    return path


@pytest.fixture
def test(rules: Path) -> Callable[..., Result]:
    assert rules.exists()
    return lambda *args: CliRunner().invoke(main, ["test", *map(str, args)])


def test_the_file_beside_the_rules_is_run_and_the_tests_within(
    rules: Path, test: Callable[..., Result]
) -> None:
    (rules.parent / "rules.test.yaml").write_text(PASSES)
    rules.write_text(RULES + PASSES.replace("a message", "another"))
    result = test()
    assert result.output == "✓ a message\n✓ another\n2 passed, 0 failed\n"
    assert result.exit_code == 0


def test_what_fails_is_shown_with_its_place(rules: Path, test: Callable[..., Result]) -> None:
    path = rules.parent / "other.yaml"
    path.write_text(FAILS)
    result = test(path)
    title = "chat → app to cometchat-uid-2: 'Andrew Joseph'"
    assert f"✗ never & never\n    {path}:4:18: it went out: 0s {title}\n" in result.output
    assert result.exit_code == 1


def test_coverage_names_the_rules_that_no_test_matched(
    rules: Path, test: Callable[..., Result]
) -> None:
    path = rules.parent / "rules.test.yaml"
    path.write_text(PASSES)
    assert f"1 rule not matched by any test\n    call   {rules}:5:11\n" in test("--coverage").output


def test_a_report_tells_what_failed_and_where(rules: Path, test: Callable[..., Result]) -> None:
    path, report = rules.parent / "rules.test.yaml", rules.parent / "report.xml"
    path.write_text(PASSES + FAILS.removeprefix("tests:\n"))
    assert test("--junit", report).exit_code == 1
    suites = ET.fromstring(report.read_text())  # noqa: S314 - just written
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    passed, failed = suites.iter("testcase")
    assert list(passed) == []
    assert (failed.get("name"), failed.get("line")) == ("never & never", "5")
    assert "it went out" in str(failed[0].get("message"))


def test_a_file_may_name_its_rules_or_hold_them(rules: Path, test: Callable[..., Result]) -> None:
    folder = rules.parent / "tests"
    folder.mkdir()
    (folder / "chat.yaml").write_text("rules: ../rules.yaml\n" + PASSES)
    rules.write_text(RULES + PASSES)
    assert test(folder / "chat.yaml", rules).output.endswith("2 passed, 0 failed\n")


def test_what_is_wrong_with_the_tests_or_the_rules_is_told(
    rules: Path, test: Callable[..., Result]
) -> None:
    assert "there are no tests" in test().output
    path = rules.parent / "rules.test.yaml"
    path.write_text(PASSES.replace("rule: chat", "rule: chats"))
    result = test()
    assert 'unknown rule "chats"; did you mean "chat"?' in result.output
    assert result.exit_code == 1
    path.write_bytes(b"\xff")
    assert f"{path}: cannot be read" in test().output
    path.write_text(PASSES)
    rules.write_text(RULES.replace("kind: message", "kind: massage"))
    assert 'unknown value "massage" for kind' in test().output
    rules.unlink()
    assert "cannot be read" in test().output


def test_payload_files_are_those_beside_the_tests(rules: Path, test: Callable[..., Result]) -> None:
    text = PASSES.replace("sample: push_chat_one_on_one", "payload: missing.json")
    (rules.parent / "rules.test.yaml").write_text(text)
    assert 'there is no file "missing.json"' in test().output
