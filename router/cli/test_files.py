"""Files with tests of the rules, and what their payloads are taken from."""

import sys
from pathlib import Path

import click
from msgspec import Struct

from router import samples
from router.cli.environment import fail
from router.cli.offline import show_problems
from router.core.loading import find_rules, has_tests, read_cases
from router.core.model.payload import Json
from router.core.rules.ruleset import Ruleset
from router.core.simulate.test_case import RuleTest

DEFAULT_TEST_FILE = "rules.test.yaml"
"""The file with tests that is looked for beside the rules."""


class RuleTestFile(Struct, frozen=True, kw_only=True):
    """The tests of one file, and the rules file they are for; `inline` where that is the same."""

    path: Path
    rules: Path
    text: str
    inline: bool = False


class PayloadSource:
    """Samples, and files beside the test file."""

    samples = samples.SAMPLE_NAMES

    def __init__(self, folder: Path) -> None:
        """Take paths to be from a folder."""
        self._folder = folder

    def sample(self, name: str, now: float, story: str) -> dict[str, Json]:
        """Return a sample as if it had been sent at a time, in a story."""
        return samples.restamp(samples.read_sample(name), now=now, story=story)

    def payload(self, path: str) -> bytes | None:
        """Return what is in a file; None where it cannot be read."""
        try:
            return (self._folder / path).read_bytes()
        except OSError:
            return None


def find_suites(rules: Path) -> list[RuleTestFile]:
    """Return the tests beside a rules file, and those within it."""
    beside = rules.parent / DEFAULT_TEST_FILE
    suites = [open_suite(beside)] if beside.is_file() else []
    text = _read(rules) if rules.is_file() else ""
    if has_tests(text, str(rules)):
        suites.append(RuleTestFile(path=rules, rules=rules, text=text, inline=True))
    return suites


def open_suite(path: Path) -> RuleTestFile:
    """Return the tests in a file: for the rules it names, those beside it, or those within."""
    text = _read(path)
    rules = find_rules(text, str(path))
    if rules is None:
        return RuleTestFile(path=path, rules=path.parent / "rules.yaml", text=text)
    if rules == "":
        return RuleTestFile(path=path, rules=path, text=text, inline=True)
    return RuleTestFile(path=path, rules=path.parent / rules, text=text)


def read_suite(suite: RuleTestFile, ruleset: Ruleset) -> list[RuleTest]:
    """Return the tests of a suite, or end the process with everything that is wrong with them."""
    payloads = PayloadSource(suite.path.parent)
    cases, problems = read_cases(
        suite.text, str(suite.path), ruleset, payloads, inline=suite.inline
    )
    for shown in show_problems(problems, {str(suite.path): suite.text}):
        click.echo(shown, err=True)
    if problems:
        sys.exit(1)
    return cases


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: cannot be read: {error}")
