"""`classify`: what payloads are that tell something else of themselves."""

from msgspec import structs

from router.core.conditions.condition import ALWAYS
from router.core.errors import suggest
from router.core.loading.scope import FileScope
from router.core.loading.section import Section, name_known
from router.core.loading.sections.enrich import read_template
from router.core.loading.sections.when import read_condition
from router.core.loading.yaml_nodes import MappingNode, ScalarNode
from router.core.rules.classify import KEYS, WORDS
from router.core.rules.ruleset import Classifier
from router.core.templates.template import Template

CLASSIFIER_KEYS = ("when", "as")
_EXAMPLE = "write as: {kind: …}"


def read_classifiers(section: Section, scope: FileScope) -> tuple[Classifier, ...]:
    """Return the `classify` entries in file order."""
    early = structs.replace(scope, variables=frozenset[str](), is_early=True)
    classifiers = []
    for node in section.items("classify"):
        if isinstance(node, MappingNode):
            classifiers.append(_read_classifier(node, early))
        else:
            hint = "start it with - when: …"
            scope.report.error(node, 'an item of "classify" must be a mapping', hint)
    return tuple(classifiers)


def _read_classifier(node: MappingNode, scope: FileScope) -> Classifier:
    section = Section(node, scope.report, what="classify", keys=CLASSIFIER_KEYS)
    when = section.get("when")
    if when is None and "when" not in section:
        scope.report.error(node, 'an item of "classify" needs a condition', "write when: …")
    return Classifier(
        when=ALWAYS if when is None else read_condition(when, scope),
        says=_read_says(section, scope),
        place=node.place,
    )


def _read_says(section: Section, scope: FileScope) -> dict[str, Template]:
    node, report = section.get("as"), scope.report
    if node is None:
        if "as" not in section:
            report.error(section.node, 'an item of "classify" says nothing', _EXAMPLE)
        return {}
    if not isinstance(node, MappingNode):
        report.error(node, '"as" must be a mapping', _EXAMPLE)
        return {}
    part = Section(node, report, what="as", keys=KEYS)
    if "kind" not in part:
        report.error(
            section.key("as"), '"as" names no kind', f"{_EXAMPLE}; {name_known(WORDS['kind'])}"
        )
    says: dict[str, Template] = {}
    for name in KEYS:
        value = part.get(name)
        template = None if value is None else read_template(value, scope, (), name)
        if isinstance(value, ScalarNode) and template is not None:
            says[name] = template
            _check_word(name, value, scope)
    _check_fit(part, scope)
    return says


def _check_word(name: str, node: ScalarNode, scope: FileScope) -> None:
    """Refuse an unknown word; what a template makes is seen only when it is rendered."""
    words = WORDS.get(name)
    if words is not None and "{" not in node.text and node.text not in words:
        hint = suggest(node.text, words) or name_known(words)
        scope.report.error(node, f'unknown value "{node.text}" for {name}', hint)


def _check_fit(part: Section, scope: FileScope) -> None:
    """Refuse what a kind cannot have, where the kind is written out."""
    kind = _word(part, "kind")
    if kind not in WORDS["kind"]:
        return
    is_call = kind == "call"
    type_ = _word(part, "type")
    if type_ in WORDS["type"] and (type_ == "call") is not is_call:
        hint = 'leave "type" out; it follows from the kind'
        scope.report.error(part.key("type"), f'type "{type_}" does not fit kind "{kind}"', hint)
    for name in ("callAction", "callType", "sessionId"):
        if name in part and not is_call:
            hint = "write kind: call, or leave it out"
            scope.report.error(part.key(name), f'"{name}" is of calls, and kind is "{kind}"', hint)


def _word(part: Section, name: str) -> str:
    node = part.node.entries[name].value if name in part else None
    return node.text if isinstance(node, ScalarNode) else ""
