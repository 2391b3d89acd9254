"""`tests`: what happens over time, and what must go out, read into cases."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import get_args

from router.core.decide.decide import ON_NO_MATCH
from router.core.errors import Place, Problem, suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.section import Section, name_known, parse_duration
from router.core.loading.sections.apps import read_country
from router.core.loading.tests.events import PayloadSources, read_events
from router.core.loading.yaml_document import read_document
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode
from router.core.model.facts import Scalar
from router.core.model.types import Operation, Priority
from router.core.rules.ruleset import Ruleset
from router.core.simulate.test_case import ExpectedMessage, RuleTest, TestEvent, TestRecipient

WORDS = ("title", "body", "link", "image", "sound", "badge")
_PERSON = ("attributes", "contacts", "timezone", "locale", "country", "opt_outs")
_CASE = ("name", "at", "people", "refused", "events", "expect", "expect_not", "exact", *_PERSON)
_EXPECTED = ("at", "uid", "rule", "channel", "to", "priority", "operation", "data", *WORDS)
_FILE = ("version", "rules", "tests")
_OFFSET = "write it as 2026-03-29T01:59:50+01:00"
_TO_BEGIN = datetime.fromisoformat("2026-01-05T12:00:00+00:00").timestamp()
"""When a test begins that does not say: noon on a Monday."""


def find_rules(text: str, file: str) -> str | None:
    """Return the path that a test file gives as `rules`; empty where its rules stand within."""
    root, _ = read_document(text, file)
    node = root.entries.get("rules") if isinstance(root, MappingNode) else None
    if node is None:
        return None
    return node.value.text if isinstance(node.value, ScalarNode) else ""


def has_tests(text: str, file: str) -> bool:
    """Return whether a rules file has tests within."""
    root, _ = read_document(text, file)
    return isinstance(root, MappingNode) and "tests" in root.entries


def read_cases(
    text: str, file: str, ruleset: Ruleset, sources: PayloadSources, *, inline: bool = False
) -> tuple[list[RuleTest], list[Problem]]:
    """Return the tests in a text and everything that is wrong with them, in file order.

    With `inline` the text is a rules file, of which only `tests` is looked at.
    """
    report = Diagnostics()
    root, report.problems = read_document(text, file)
    if not isinstance(root, MappingNode):
        if not report.problems:
            here = root or ScalarNode(Place(file, 1, 1), 1, "", None)
            report.error(here, "a test file must be a mapping", "start it with tests:")
        return [], report.problems
    keys = tuple(root.entries) if inline else _FILE
    section = Section(root, report, what="file", keys=keys)
    reader = _TestReader(report, ruleset, sources)
    if "tests" not in section and not inline:
        report.error(root, "the file has no tests", "write tests: and a list of them")
    cases = reader.cases(section.items("tests"))
    return cases, sorted(report.problems, key=lambda p: (p.line, p.column))


class _TestReader:
    """Reads the tests of one file, against the rules they are for."""

    def __init__(self, report: Diagnostics, ruleset: Ruleset, sources: PayloadSources) -> None:
        self._report = report
        self._sources = sources
        self._rules = {rule.name for rule in ruleset.rules} | {ON_NO_MATCH}
        self._channels = ruleset.channels
        kinds = {spec.address_kind for spec in ruleset.channels.values()}
        self._kinds = frozenset(kinds - {""})

    def cases(self, nodes: Collection[Node]) -> list[RuleTest]:
        """Return the tests, each with a name of its own."""
        names: dict[str, int] = {}
        rule_tests = []
        for node in nodes:
            if isinstance(node, MappingNode):
                rule_tests.append(self._case(node, names))
            else:
                self._report.error(node, "a test must be a mapping", "start it with - name: …")
        return rule_tests

    def _case(self, node: MappingNode, names: dict[str, int]) -> RuleTest:
        section = Section(node, self._report, what="test", keys=_CASE)
        at = self._moment(section)
        events = read_events(section, at, self._report, self._sources)
        case = RuleTest(
            name=self._name(section, names),
            place=section.node.entries["name"].value.place if "name" in section else node.place,
            at=at,
            person=self._person(section),
            people=self._people(section),
            refused=frozenset(self._known(section, "refused", self._channels)),
            events=events,
            expect=self._expectations(section, "expect"),
            expect_not=self._expectations(section, "expect_not"),
            exact=section.flag("exact"),
        )
        self._check_whole(section, case, events)
        return case

    def _check_whole(self, section: Section, case: RuleTest, events: Collection[TestEvent]) -> None:
        if "events" not in section or not (events or section.items("events")):
            hint = "write events: [{sample: push_chat_one_on_one}]"
            self._report.error(section.node, "a test needs events", hint)
        if not (case.expect or case.expect_not or case.exact):
            hint = "write expect, expect_not, or exact: true for nothing at all"
            self._report.error(section.node, "this test cannot fail: it expects nothing", hint)

    def _name(self, section: Section, names: dict[str, int]) -> str:
        name = section.text("name")
        if name is None:
            if "name" not in section:
                self._report.error(section.node, "a test needs a name", "write name: …")
            return ""
        node = section.node.entries["name"].value
        if name in names:
            hint = f"the first is in line {names[name]}"
            self._report.error(node, f'a second test is named "{name}"', hint)
        names.setdefault(name, node.place.line)
        return name

    def _moment(self, section: Section) -> float:
        text = section.text("at")
        if text is None:
            return _TO_BEGIN
        node = section.node.entries["at"].value
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._report.error(node, f'"{text}" is not a time', _OFFSET)
            return _TO_BEGIN
        if moment.tzinfo is None:
            self._report.error(node, f'"{text}" does not tell its offset from UTC', _OFFSET)
            return _TO_BEGIN
        return moment.timestamp()

    def _person(self, section: Section) -> TestRecipient:
        return TestRecipient(
            attributes={
                key: value
                for key, entry in section.entries("attributes").items()
                if (value := self._scalar(entry.value, key)) is not None
            },
            contacts=self._contacts(section),
            timezone=section.text("timezone") or "",
            locale=section.text("locale") or "",
            country=read_country(section, self._report),
            opt_outs=frozenset(self._known(section, "opt_outs", self._channels)),
        )

    def _people(self, section: Section) -> dict[str, TestRecipient]:
        people = {}
        for uid, entry in section.entries("people").items():
            if isinstance(entry.value, MappingNode):
                about = Section(entry.value, self._report, what="people", keys=_PERSON)
                people[uid] = self._person(about)
            else:
                self._report.error(entry.value, f'what is said of "{uid}" must be a mapping')
        return people

    def _contacts(self, section: Section) -> dict[str, tuple[str, ...]]:
        addresses = {}
        for kind, entry in section.entries("contacts").items():
            if kind not in self._kinds:
                hint = suggest(kind, self._kinds) or name_known(self._kinds)
                self._report.error(entry.key, f'no channel sends to a contact "{kind}"', hint)
            node = entry.value
            nodes = node.items if isinstance(node, SequenceNode) else (node,)
            addresses[kind] = tuple(
                item.text for item in nodes if isinstance(item, ScalarNode) and item.text
            )
        return addresses

    def _scalar(self, node: Node, key: str) -> Scalar | None:
        if isinstance(node, ScalarNode) and node.value is not None:
            return node.value
        self._report.error(node, f'"{key}" must be a text, a number, true or false')
        return None

    def _known(self, section: Section, key: str, names: Mapping[str, object]) -> list[str]:
        """Return names of channels; one that is unknown is reported."""
        checked = []
        for node in section.texts(key) or ():
            if node.text in names:
                checked.append(node.text)
            else:
                hint = suggest(node.text, names) or name_known(names)
                self._report.error(node, f'unknown channel "{node.text}"', hint)
        return checked

    def _expectations(self, section: Section, key: str) -> tuple[ExpectedMessage, ...]:
        expectations = []
        for node in section.items(key):
            if isinstance(node, MappingNode):
                expectations.append(self._expected(node, key))
            else:
                self._report.error(node, f'an item of "{key}" must be a mapping')
        return tuple(expectations)

    def _expected(self, node: MappingNode, key: str) -> ExpectedMessage:
        section = Section(node, self._report, what=key, keys=_EXPECTED)
        self._check_name(section, "rule", self._rules)
        self._check_name(section, "channel", self._channels)
        return ExpectedMessage(
            place=node.place,
            at=self._offset(section),
            uid=section.text("uid"),
            rule=section.text("rule"),
            channel=section.text("channel"),
            to=section.text("to"),
            priority=section.word("priority", get_args(Priority)),
            operation=section.word("operation", get_args(Operation)),
            words={
                word: text
                for word in WORDS
                if (said := section.get(word)) and (text := self._text(said, word)) is not None
            },
            data={
                name: text
                for name, entry in section.entries("data").items()
                if (text := self._text(entry.value, name)) is not None
            },
        )

    def _text(self, node: Node, key: str) -> str | None:
        if isinstance(node, ScalarNode):
            return node.text.rstrip("\n")
        self._report.error(node, f'"{key}" must be a text')
        return None

    def _offset(self, section: Section) -> float | None:
        text = section.text("at")
        if text is None or text == "0s":
            return None if text is None else 0.0
        seconds = parse_duration(text)
        if seconds is None:
            node = section.node.entries["at"].value
            hint = "write 0s, 45s or 10m: the time since the test began"
            self._report.error(node, f'"{text}" is not a time since the test began', hint)
        return seconds

    def _check_name(self, section: Section, key: str, names: Collection[str]) -> None:
        name = section.text(key)
        if name is not None and name not in names:
            node = section.node.entries[key].value
            hint = suggest(name, names) or name_known(names)
            self._report.error(node, f'unknown {key} "{name}"', hint)
