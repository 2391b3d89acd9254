"""The file as a whole."""

from collections.abc import Collection, Mapping
from datetime import UTC
from hashlib import blake2b

from msgspec import Struct

from router.core.document import read_document
from router.core.errors import Problem
from router.core.field import split_path
from router.core.hours import UTC_ALONE, Hours, Zones
from router.core.lint import lint
from router.core.loading.channels import read_channels
from router.core.loading.classifiers import read_classifiers
from router.core.loading.enrichments import name_variables, read_enrichments
from router.core.loading.fields import read_fields
from router.core.loading.hours import read_hours, read_zone
from router.core.loading.picture import blur, hide
from router.core.loading.references import References, Resolver
from router.core.loading.report import Report
from router.core.loading.rules import read_defaults, read_rules
from router.core.loading.scope import Scope
from router.core.loading.section import Section, read_texts
from router.core.node import MappingNode, ScalarNode
from router.core.ruleset import ChannelSchema, Ruleset

VERSION = 1
_KEYS = (
    *("version", "timezone", "fields", "channels", "lists", "classify", "hours", "enrich"),
    *("rules", "defaults", "tests"),
)


class Loaded(Struct, frozen=True, kw_only=True):
    """What became of a file: its ruleset, None when a problem is an error, and its problems.

    `text` is the file's, with the secrets written out in it hidden, for pictures of problems;
    `secrets` are those of the ruleset.
    """

    ruleset: Ruleset | None
    problems: tuple[Problem, ...] = ()
    text: str = ""
    secrets: tuple[str, ...] = ()


def load(  # noqa: PLR0913 - what the core may not fetch is given to it
    text: str,
    *,
    file: str,
    plugins: Mapping[str, ChannelSchema],
    resolve: Resolver,
    sandbox: bool = False,
    zones: Zones = UTC_ALONE,
) -> Loaded:
    """Return the ruleset in a text, with every problem at once, in file order.

    In `sandbox` mode a reference to what is not there is a warning, and a placeholder stands
    in. `zones` are the time zones there are.
    """
    report = Report()
    root, report.problems = read_document(text, file)
    if not isinstance(root, MappingNode):
        if not report.problems:
            message = "the file is empty" if root is None else "the file must be a mapping"
            hint = "start it with version: 1"
            report.problems.append(Problem(file=file, line=1, column=1, message=message, hint=hint))
        return Loaded(ruleset=None, problems=_sorted(report.problems), text=blur(text))
    flaws = list(report.problems)
    flawed = {(problem.line, problem.column) for problem in flaws}
    ruleset = _read(root, plugins, References(resolve, report, sandbox), zones, text)
    found = report.problems[len(flaws) :]
    further = (problem for problem in found if (problem.line, problem.column) not in flawed)
    problems = _sorted([*flaws, *further])
    hidden = hide(text, report.secrets)
    if any(problem.severity == "error" for problem in problems):
        return Loaded(ruleset=None, problems=problems, text=hidden)
    return Loaded(
        ruleset=ruleset,
        problems=_sorted([*problems, *lint(ruleset)]),
        text=hidden,
        secrets=tuple(secret.text for secret in report.secrets),
    )


def hash_text(text: str) -> str:
    """Return the version of the rules in a text."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _read(
    root: MappingNode,
    plugins: Mapping[str, ChannelSchema],
    references: References,
    zones: Zones,
    text: str,
) -> Ruleset:
    report = references.report
    section = Section(root, report, what="file", known=_KEYS)
    _check_version(section, report)
    zone = read_zone(section, report, zones, UTC)
    scope = Scope(
        report=report,
        channels=read_channels(section, plugins, references),
        lists=_read_lists(section, report),
        fields=read_fields(section, report),
        hours=read_hours(section, report, zones, zone),
        variables=name_variables(root.entries["enrich"].value if "enrich" in section else None),
    )
    ruleset = Ruleset(
        version=hash_text(text),
        hours=Hours(
            windows={name: window for name, window in scope.hours.items() if window is not None},
            zones=zones,
            zone=zone,
        ),
        channels={name: spec for name, spec in scope.channels.items() if spec is not None},
        enrich=read_enrichments(section, scope),
        rules=read_rules(section, scope),
        defaults=read_defaults(section, scope),
        classify=read_classifiers(section, scope),
        assumed={p: f.default for p, f in scope.fields.items() if f.default is not None},
    )
    if not any(problem.severity == "error" for problem in report.problems):
        _warn_of_idle_parts(section, scope)
    return ruleset


def _warn_of_idle_parts(section: Section, scope: Scope) -> None:
    if not section.items("rules"):
        hint = "write rules: and a list of them"
        scope.report.warn(section.node, "the file has no rules", hint)
    for name, entry in section.entries("lists").items():
        if name not in scope.used:
            scope.report.warn(entry.key, f"no test uses the list {name}", "remove it")
    for name, entry in section.entries("fields").items():
        if split_path(name) not in scope.named:
            message = f"no test and no template uses the field {name}"
            scope.report.warn(entry.key, message, "remove it")
    for name, entry in section.entries("hours").items():
        if name not in scope.used_hours:
            scope.report.warn(entry.key, f"nothing uses the hours {name}", "remove them")


def _check_version(section: Section, report: Report) -> None:
    if "version" not in section:
        report.error(section.node, "the file names no version", f"write version: {VERSION}")
    node = section.get("version")
    if node is not None and not (isinstance(node, ScalarNode) and node.text == str(VERSION)):
        shown = node.text if isinstance(node, ScalarNode) else "…"
        report.error(node, f'unknown version "{shown}"', f"write version: {VERSION}")


def _read_lists(section: Section, report: Report) -> Mapping[str, tuple[ScalarNode, ...]]:
    return {
        name: tuple(read_texts(entry.value, report, name))
        for name, entry in section.entries("lists").items()
    }


def _sorted(problems: Collection[Problem]) -> tuple[Problem, ...]:
    """Return the problems in file order, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column, p.severity)))
