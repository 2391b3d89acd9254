"""`include`: files of rules, each with an owner; a bad one is refused alone."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from msgspec import Struct, structs

from router.core.conditions.condition import ALWAYS, All, Condition
from router.core.conditions.hours import Window
from router.core.errors import Place, Problem
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.grants import Grant, read_inclusions
from router.core.loading.references import References
from router.core.loading.scope import FileScope
from router.core.loading.section import Section
from router.core.loading.sections.channels import read_channels
from router.core.loading.sections.enrich import name_variables, read_enrichments
from router.core.loading.sections.hours import warn_of_idle_hours
from router.core.loading.sections.lists import read_lists, warn_of_idle_lists
from router.core.loading.sections.rules import read_rules
from router.core.loading.sections.when import read_condition
from router.core.loading.source_excerpt import mask_all, mask_secrets
from router.core.loading.yaml_document import read_document
from router.core.loading.yaml_nodes import MappingNode
from router.core.rules.ruleset import ChannelSchema, ChannelSpec, Rule


class IncludeSource(Struct, frozen=True, kw_only=True):
    """A file that an `include` names; one with a `fault` is refused for that."""

    file: str
    text: str = ""
    fault: Problem | None = None


Sources = Callable[[str], Sequence[IncludeSource]]
"""Gives the files that a pattern matches, sorted; never the one that includes them."""

Standing = Literal["current", "last good", "left out"]
"""What holds of an included file: what it says, what it said last, or nothing of it."""


class Included(Struct, frozen=True, kw_only=True):
    """An included file: whose it is, what holds of it, and the text in force.

    `secrets` are those written out in the text, and `hidden` is the text without them. Of one
    that is left out there is no text, nor an owner.
    """

    file: str
    standing: Standing
    owner: str = ""
    text: str = ""
    hidden: str = ""
    secrets: tuple[str, ...] = ()


def no_sources(pattern: str) -> Sequence[IncludeSource]:  # noqa: ARG001 - the signature of `Sources`
    """Find nothing: there are no files but the one."""
    return ()


INCLUDED_FILE_KEYS = ("owner", "when", "channels", "lists", "hours", "enrich", "rules")
ReadHours = Callable[[Section, Diagnostics], Mapping[str, Window | None]]
LAST_GOOD_SUFFIX = " (last good)"
"""What the name of a file ends in where its last good text is in force."""
MAX_INCLUDED_FILES = 200
"""How many files there may be."""
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class _IncludedText(Struct, frozen=True, kw_only=True):
    """What one text of an included file came to; `names` are those of its rules so far."""

    problems: list[Problem]
    hidden: str
    owner: str = ""
    channels: Mapping[str, ChannelSpec | None] = {}
    rules: tuple[Rule, ...] = ()
    names: Mapping[str, Place] = {}
    hours: Mapping[str, Window | None] = {}
    used: Collection[str] = ()
    used_hours: Collection[str] = ()
    named: Collection[tuple[str, ...]] = ()
    secrets: tuple[str, ...] = ()

    @property
    def is_bad(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


class IncludedFiles:
    """The included files, read one by one: a name belongs to the file that has it first."""

    def __init__(
        self,
        scope: FileScope,
        plugins: Mapping[str, ChannelSchema],
        references: References,
        read_hours: ReadHours,
    ) -> None:
        """Start from what the main file defines."""
        self.files: list[Included] = []
        self.problems: list[Problem] = []
        self.texts: dict[str, str] = {}
        """Every text read, by file, with the secrets in it hidden."""
        self.channels: dict[str, ChannelSpec | None] = dict(scope.channels)
        self.hours: dict[str, Window | None] = dict(scope.hours)
        self.rules: list[Rule] = []
        self._read_hours = read_hours
        self._scope = scope
        self._plugins = plugins
        self._references = references
        self._names: Mapping[str, Place] = {}
        self._owners: dict[str, str] = {}

    def read(
        self, section: Section, rules: tuple[Rule, ...], sources: Sources, kept: Mapping[str, str]
    ) -> None:
        """Take what `include` names in; `kept` are the last good texts by file."""
        self.rules = list(rules)
        self._names = {rule.name: rule.place for rule in rules}
        report, seen = self._scope.report, set[str]()
        for inclusion in read_inclusions(section, report):
            node = inclusion.node
            included = sources(node.text)
            if not included:
                report.warn(node, f"no file matches {node.text}", "paths start beside this file")
            for source in included:
                if source.file not in seen and len(seen) < MAX_INCLUDED_FILES:
                    self._take(source, kept.get(source.file), inclusion.grant)
                elif source.file not in seen:
                    hint = "put several owners' rules into one"
                    report.error(node, f"more than {MAX_INCLUDED_FILES} files are included", hint)
                    return
                seen.add(source.file)

    def _take(self, source: IncludeSource, last: str | None, grant: Grant) -> None:
        """Put a file in force, or its last good text, or nothing."""
        read, text = self._read(source, grant), source.text
        self.problems += read.problems
        self.texts[source.file] = read.hidden
        again = source.file
        if read.is_bad and last is not None:
            again, text = source.file + LAST_GOOD_SUFFIX, last
            read = self._read(IncludeSource(file=again, text=last), grant)
        if read.is_bad:
            self.files.append(Included(file=source.file, standing="left out"))
            return
        self.files.append(
            Included(
                file=source.file,
                standing="current" if again == source.file else "last good",
                owner=read.owner,
                text=text,
                hidden=read.hidden,
                secrets=read.secrets,
            )
        )
        self._owners[read.owner] = source.file
        self.channels |= read.channels
        self.rules += read.rules
        self._names = read.names
        self.hours |= read.hours
        self._scope.used.update(read.used)
        self._scope.used_hours.update(read.used_hours)
        self._scope.named.update(read.named)

    def _read(self, source: IncludeSource, grant: Grant) -> _IncludedText:
        if source.fault is not None:
            return _IncludedText(problems=[source.fault], hidden=mask_all(source.text))
        report = Diagnostics()
        root, report.problems = read_document(source.text, source.file)
        if not isinstance(root, MappingNode):
            problems = report.problems or [
                _report_refusal(
                    source.file, "the file is not a mapping", "start it with owner: NAME"
                )
            ]
            return _IncludedText(problems=problems, hidden=mask_all(source.text))
        flawed = {(problem.line, problem.column) for problem in report.problems}
        flaws = len(report.problems)
        section = Section(root, report, what="included file", keys=INCLUDED_FILE_KEYS)
        read = self._read_parts(section, report, grant)
        found = report.problems[flaws:]
        report.problems[flaws:] = [p for p in found if (p.line, p.column) not in flawed]
        return structs.replace(read, hidden=mask_secrets(source.text, report.secrets))

    def _read_parts(self, section: Section, report: Diagnostics, grant: Grant) -> _IncludedText:
        owner = self._read_owner(section, report, grant)
        references = structs.replace(self._references, report=report, grant=grant)
        channels = read_channels(section, self._plugins, references)
        lists, shared = read_lists(section, report), self._scope.lists
        hours = self._read_hours(section, report)
        for kind, known in (("channels", self.channels), ("lists", shared), ("hours", self.hours)):
            for name, entry in section.entries(kind).items():
                if name in known:
                    hint = "give this one another name"
                    message = f'another file defines "{name}" among its {kind}'
                    report.error(entry.key, message, hint)
        enrich = section.get("enrich")
        scope = structs.replace(
            self._scope,
            report=report,
            channels={**self._scope.channels, **channels},
            lists={**shared, **lists},
            hours={**self._scope.hours, **hours},
            used=set(),
            used_hours=set(),
            named=set(),
            own=name_variables(enrich),
        )
        when = section.get("when")
        condition = ALWAYS if when is None else read_condition(when, scope)
        entries = read_enrichments(section, scope)
        names = dict(self._names)
        rules = read_rules(section, scope, names, f"{owner}/")
        if not rules:
            report.warn(section.node, "the file has no rules", "write rules: and a list of them")
        if not any(problem.severity == "error" for problem in report.problems):
            warn_of_idle_lists(section, scope)
            warn_of_idle_hours(section, scope)
        return _IncludedText(
            problems=report.problems,
            hidden="",
            owner=owner,
            channels=channels,
            rules=tuple(
                structs.replace(rule, owner=owner, shared=entries, when=_join(condition, rule.when))
                for rule in rules
            ),
            names=names,
            hours=hours,
            used=scope.used,
            used_hours=scope.used_hours,
            named=scope.named,
            secrets=tuple(secret.text for secret in report.secrets),
        )

    def _read_owner(self, section: Section, report: Diagnostics, grant: Grant) -> str:
        if "owner" not in section:
            report.error(section.node, "the file names no owner", "write owner: NAME")
        owner = section.text("owner")
        if owner is None:
            return ""
        node = section.node.entries["owner"].value
        if not _OWNER.fullmatch(owner):
            hint = "use at most 40 letters, digits, _ . or -"
            report.error(node, f'"{owner}" cannot be the name of an owner', hint)
        if owner in self._owners:
            hint = "an owner has one file"
            report.error(node, f"{self._owners[owner]} is {owner}'s already", hint)
        if grant.owner and owner != grant.owner:
            message = f'"{owner}" is not the owner that the main file names for this file'
            report.error(node, message, f"write owner: {grant.owner}")
        return owner


def _join(file: Condition, rule: Condition) -> Condition:
    """Return a condition that asks for both, its parts side by side."""
    parts = [*_parts(file), *_parts(rule)]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _parts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, All) else (condition,)


def _report_refusal(file: str, message: str, hint: str) -> Problem:
    return Problem(file=file, line=1, column=1, message=message, hint=hint)
