"""The file as a whole."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from hashlib import blake2b

from msgspec import Struct

from router.core.conditions.fields import split_path
from router.core.conditions.hours import UTC_ALONE, Hours, Zones
from router.core.errors import Problem
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.include import Included, IncludedFiles, Sources, no_sources
from router.core.loading.references import References, Resolver
from router.core.loading.scope import FileScope
from router.core.loading.section import Section
from router.core.loading.sections.apps import read_apps
from router.core.loading.sections.channels import read_channels
from router.core.loading.sections.classify import read_classifiers
from router.core.loading.sections.enrich import name_variables, read_enrichments
from router.core.loading.sections.fields import read_fields
from router.core.loading.sections.hours import read_hours, read_zone, warn_of_idle_hours
from router.core.loading.sections.lists import read_lists, warn_of_idle_lists
from router.core.loading.sections.rules import read_defaults, read_rules
from router.core.loading.source_excerpt import mask_all, mask_secrets
from router.core.loading.yaml_document import read_document
from router.core.loading.yaml_nodes import MappingNode, ScalarNode
from router.core.rules.lint import lint
from router.core.rules.ruleset import ChannelSchema, Ruleset

VERSION = 1
_KEYS = (
    *("version", "timezone", "apps", "fields", "channels", "lists", "classify", "hours"),
    *("enrich", "rules", "defaults", "include", "tests"),
)


class LoadResult(Struct, frozen=True, kw_only=True):
    """What became of a file: its ruleset, None when a problem in it is an error, and the problems.

    An error in an included file leaves a ruleset, with what `included` says of that file.
    `text` is the main file's, with the secrets written out in it hidden, and `texts` are all
    such, by file, for pictures of problems; `secrets` are those of the main file.
    """

    ruleset: Ruleset | None
    problems: tuple[Problem, ...] = ()
    text: str = ""
    texts: Mapping[str, str] = {}
    secrets: tuple[str, ...] = ()
    included: tuple[Included, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all files are in force as they are."""
        return self.ruleset is not None and all(f.standing == "current" for f in self.included)


def load(  # noqa: PLR0913 - what the core may not fetch is given to it
    text: str,
    *,
    file: str,
    plugins: Mapping[str, ChannelSchema],
    resolve: Resolver,
    sandbox: bool = False,
    zones: Zones = UTC_ALONE,
    sources: Sources = no_sources,
    kept: Mapping[str, str] | None = None,
) -> LoadResult:
    """Return the ruleset in a text, with every problem at once, in file order.

    `sources` finds the included files; `kept` are the last good texts of these, which stand in
    for bad ones.

    In `sandbox` mode a reference to what is not there is a warning, and a placeholder stands
    in. `zones` are the time zones there are.
    """
    report = Diagnostics()
    root, report.problems = read_document(text, file)
    if not isinstance(root, MappingNode):
        if not report.problems:
            message = "the file is empty" if root is None else "the file must be a mapping"
            hint = "start it with version: 1"
            report.problems.append(Problem(file=file, line=1, column=1, message=message, hint=hint))
        text = mask_all(text)
        problems = _sorted(report.problems)
        return LoadResult(ruleset=None, problems=problems, text=text, texts={file: text})
    flaws = list(report.problems)
    flawed = {(problem.line, problem.column) for problem in flaws}
    outside = _LoadContext(
        plugins=plugins,
        references=References(resolve, report, sandbox),
        zones=zones,
        sources=sources,
        kept=kept or {},
    )
    ruleset, inclusion = _read(root, text, outside)
    found = report.problems[len(flaws) :]
    further = (problem for problem in found if (problem.line, problem.column) not in flawed)
    main, hidden = [*flaws, *further], mask_secrets(text, report.secrets)
    is_bad = any(problem.severity == "error" for problem in main)
    texts = {file: hidden, **inclusion.texts}
    hints = [] if is_bad else [hint for hint in lint(ruleset) if hint.file in texts]
    return LoadResult(
        ruleset=None if is_bad else ruleset,
        problems=_sorted([*main, *inclusion.problems, *hints], list(texts)),
        text=hidden,
        texts=texts,
        secrets=() if is_bad else tuple(secret.text for secret in report.secrets),
        included=() if is_bad else tuple(inclusion.files),
    )


def hash_texts(*texts: str) -> str:
    """Return the version of the rules in these texts, the main file's first."""
    return blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()


class _LoadContext(Struct, frozen=True, kw_only=True):
    """What a text is read with."""

    plugins: Mapping[str, ChannelSchema]
    references: References
    zones: Zones
    sources: Sources
    kept: Mapping[str, str]


def _read(root: MappingNode, text: str, outside: _LoadContext) -> tuple[Ruleset, IncludedFiles]:
    plugins, references, zones = outside.plugins, outside.references, outside.zones
    report = references.report
    section = Section(root, report, what="file", keys=_KEYS)
    _check_version(section, report)
    zone = read_zone(section, report, zones, UTC)
    scope = FileScope(
        report=report,
        channels=read_channels(section, plugins, references),
        lists=read_lists(section, report),
        fields=read_fields(section, report),
        hours=read_hours(section, report, zones, zone),
        variables=name_variables(root.entries["enrich"].value if "enrich" in section else None),
    )
    defaults = read_defaults(section, scope)
    scope.country = defaults.country
    inclusion = IncludedFiles(
        scope, plugins, references, lambda part, own: read_hours(part, own, zones, zone)
    )
    enrich, rules = read_enrichments(section, scope), read_rules(section, scope)
    inclusion.read(section, rules, outside.sources, outside.kept)
    ruleset = Ruleset(
        version=hash_texts(text, *(file.text for file in inclusion.files if file.text)),
        hours=Hours(
            windows={
                name: window for name, window in inclusion.hours.items() if window is not None
            },
            zones=zones,
            zone=zone,
        ),
        channels={name: spec for name, spec in inclusion.channels.items() if spec is not None},
        enrich=enrich,
        rules=tuple(inclusion.rules),
        defaults=defaults,
        classify=read_classifiers(section, scope),
        apps=read_apps(section, report),
        assumed={p: f.default for p, f in scope.fields.items() if f.default is not None},
    )
    if not any(problem.severity == "error" for problem in report.problems):
        _warn_of_idle_parts(section, scope)
    return ruleset, inclusion


def _warn_of_idle_parts(section: Section, scope: FileScope) -> None:
    if not section.items("rules") and "include" not in section:
        hint = "write rules: and a list of them"
        scope.report.warn(section.node, "the file has no rules", hint)
    warn_of_idle_lists(section, scope)
    warn_of_idle_hours(section, scope)
    for name, entry in section.entries("fields").items():
        if split_path(name) not in scope.named:
            message = f"no test and no template uses the field {name}"
            scope.report.warn(entry.key, message, "remove it")


def _check_version(section: Section, report: Diagnostics) -> None:
    if "version" not in section:
        report.error(section.node, "the file names no version", f"write version: {VERSION}")
    node = section.get("version")
    if node is not None and not (isinstance(node, ScalarNode) and node.text == str(VERSION)):
        shown = node.text if isinstance(node, ScalarNode) else "…"
        report.error(node, f'unknown version "{shown}"', f"write version: {VERSION}")


def _sorted(problems: Collection[Problem], files: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Return the problems in the order of the files and of their lines, each once."""
    order = {file: number for number, file in enumerate(files)}

    def rank(problem: Problem) -> tuple[int, int, int, str]:
        return order.get(problem.file, 0), problem.line, problem.column, problem.severity

    return tuple(sorted(dict.fromkeys(problems), key=rank))
