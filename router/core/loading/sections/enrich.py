"""The words of a message: `enrich`, and the same keys on a step."""

import re
from collections.abc import Collection, Mapping

from router.core.conditions.condition import Condition
from router.core.loading.name_lookup import is_known, suggest_name
from router.core.loading.scope import FileScope
from router.core.loading.section import Section
from router.core.loading.sections.when import read_condition
from router.core.loading.yaml_nodes import MappingEntry, MappingNode, Node, ScalarNode, SequenceNode
from router.core.rules.ruleset import Enrichment
from router.core.templates.template import Template, TemplateSourceError, compile_template

ENRICH_KEYS = ("title", "body", "link", "image", "sound", "badge", "data", "vars")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def name_variables(node: Node | None) -> frozenset[str]:
    """Return the names under `vars` in a mapping, or in all mappings of a list."""
    if isinstance(node, SequenceNode):
        return frozenset[str]().union(*(name_variables(item) for item in node.items))
    if not isinstance(node, MappingNode) or "vars" not in node.entries:
        return frozenset()
    values = node.entries["vars"].value
    return frozenset(values.entries) if isinstance(values, MappingNode) else frozenset()


def read_enrichments(section: Section, scope: FileScope) -> tuple[Enrichment, ...]:
    """Return the top-level `enrich` entries, each with the condition it asks for."""
    enrichments = []
    for node in section.items("enrich"):
        if not isinstance(node, MappingNode):
            scope.report.error(node, 'an item of "enrich" must be a mapping')
            continue
        entry = Section(node, scope.report, what="enrich", keys=("when", *ENRICH_KEYS))
        when = entry.get("when")
        condition = None if when is None else read_condition(when, scope)
        enrichments.append(read_enrichment(entry, scope, scope.variables | scope.own, condition))
    return tuple(enrichments)


def read_enrichment(
    section: Section, scope: FileScope, variables: Collection[str], when: Condition | None = None
) -> Enrichment:
    """Return the templates of a section; `variables` are the names they find in `vars`."""

    def read(key: str) -> Template | None:
        node = section.get(key)
        return None if node is None else read_template(node, scope, variables, key)

    def read_all(key: str) -> dict[str, Template]:
        return _read_templates(section.entries(key), scope, variables)

    for name, entry in section.entries("vars").items():
        if not _NAME.fullmatch(name):
            hint = "use letters, digits and _, starting with a letter"
            scope.report.error(entry.key, f'"{name}" cannot be the name of a variable', hint)
    return Enrichment(
        when=when,
        title=read("title"),
        body=read("body"),
        link=read("link"),
        image=read("image"),
        sound=read("sound"),
        badge=read("badge"),
        data=read_all("data"),
        vars=read_all("vars"),
    )


def _read_templates(
    entries: Mapping[str, MappingEntry], scope: FileScope, variables: Collection[str]
) -> dict[str, Template]:
    read = {
        key: read_template(entry.value, scope, variables, key) for key, entry in entries.items()
    }
    return {key: template for key, template in read.items() if template is not None}


def read_template(
    node: Node, scope: FileScope, variables: Collection[str], key: str
) -> Template | None:
    """Return the template in a node; what is wrong with it is reported."""
    if not isinstance(node, ScalarNode) or node.value is None:
        scope.report.error(node, f'"{key}" must be a text', 'for none write ""')
        return None
    text = str(node.value).lower() if isinstance(node.value, bool) else node.text
    try:
        template = compile_template(text.rstrip("\n"), node.inside or node.place)
    except TemplateSourceError as error:
        scope.report.error(node, error.message, span=(error.offset, 1))
        return None
    for name in sorted(template.names):
        if name not in scope.extra and not is_known(name, scope, variables):
            _refuse_name(name, node, scope, variables)
    return template


def _refuse_name(name: str, node: ScalarNode, scope: FileScope, variables: Collection[str]) -> None:
    hint = suggest_name(name, scope, variables) or "names are those of the payload"
    match = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", node.text)
    span = (match.start(), len(name)) if match else None
    scope.report.error(node, f'unknown name "{name}" in a template', hint, span=span)
