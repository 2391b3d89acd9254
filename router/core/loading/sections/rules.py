"""`rules` and `defaults`."""

from router.core.conditions.condition import ALWAYS
from router.core.errors import Place
from router.core.loading.scope import FileScope, check_channel
from router.core.loading.section import Section
from router.core.loading.sections.apps import read_country
from router.core.loading.sections.enrich import ENRICH_KEYS, name_variables, read_enrichment
from router.core.loading.sections.send import read_steps
from router.core.loading.sections.throttle import read_throttle
from router.core.loading.sections.when import read_condition
from router.core.loading.yaml_nodes import MappingNode, ScalarNode, SequenceNode
from router.core.rules.ruleset import Defaults, Enrichment, Rule

_RULE = ("name", "when", "enrich", "throttle", "send", "stop", "drop")
_DEFAULTS = (
    *("on_no_match", "notify_sender", "private_body", "private_title", "retention", "country"),
)
_MAX_NAME_LENGTH = 100


def read_rules(
    section: Section, scope: FileScope, names: dict[str, Place] | None = None, prefix: str = ""
) -> tuple[Rule, ...]:
    """Return the rules in file order; `prefix` starts their names.

    `names` are those of the rules read before, and where they stand; these are added.
    """
    names = {} if names is None else names
    rules = []
    for node in section.items("rules"):
        if isinstance(node, MappingNode):
            rules.append(_read_rule(node, scope, names, prefix))
        else:
            scope.report.error(node, "a rule must be a mapping", "start it with - name: …")
    return tuple(rules)


def _read_rule(node: MappingNode, scope: FileScope, names: dict[str, Place], prefix: str) -> Rule:
    """Return one rule; `names` maps those above it to their places."""
    section = Section(node, scope.report, what="rule", keys=_RULE)
    name = _read_name(section, scope, names, prefix)
    when = section.get("when")
    enrich = section.get("enrich")
    variables = scope.variables | scope.own | name_variables(enrich)
    rule = Rule(
        name=name,
        place=node.place if "name" not in section else node.entries["name"].value.place,
        when=ALWAYS if when is None else read_condition(when, scope),
        enrich=_read_enrich(section, scope, variables),
        throttle=read_throttle(section, scope, variables),
        send=read_steps(section, scope, variables),
        stop=section.flag("stop"),
        drop=section.flag("drop"),
    )
    if rule.drop and rule.send:
        hint = "remove one of them"
        scope.report.error(section.key("drop"), f"rule {name} both sends and drops", hint)
    if "throttle" in section and not rule.send:
        message = f"rule {name} sends nothing that could be held back"
        scope.report.warn(section.key("throttle"), message, 'leave "throttle" out')
    if "throttle" not in section and any(step.collapse == "throttle" for step in rule.send):
        message = f'rule {name} has no throttle for "collapse: throttle" to go by'
        hint = "give the rule a throttle, or leave collapse out"
        scope.report.error(section.key("send"), message, hint)
    if not any(key in section for key in ("send", "stop", "drop")):
        scope.report.warn(node, f"rule {name} does nothing", "give it send, stop or drop")
    return rule


def _read_name(section: Section, scope: FileScope, names: dict[str, Place], prefix: str) -> str:
    if "name" not in section:
        scope.report.error(section.node, "a rule needs a name", "write name: …")
    name = section.text("name")
    if name is None:
        return ""
    node = section.node.entries["name"].value
    if len(name) > _MAX_NAME_LENGTH:
        scope.report.error(
            node, f"the name has more than {_MAX_NAME_LENGTH} characters", "shorten it"
        )
    name, place = prefix + name, node.place
    if name in names:
        first = names[name]
        where = f" of {first.file}" if first.file != place.file else ""
        hint = f"the first is in line {first.line}{where}"
        scope.report.error(node, f'a second rule is named "{name}"', hint)
    names.setdefault(name, place)
    return name


def _read_enrich(section: Section, scope: FileScope, variables: frozenset[str]) -> Enrichment:
    node = section.get("enrich")
    if node is None:
        return Enrichment()
    if not isinstance(node, MappingNode):
        hint = "write enrich: {title: …}"
        scope.report.error(section.key("enrich"), '"enrich" of a rule must be a mapping', hint)
        return Enrichment()
    part = Section(node, scope.report, what="enrich", keys=ENRICH_KEYS)
    return read_enrichment(part, scope, variables)


def read_defaults(section: Section, scope: FileScope) -> Defaults:
    """Return what the file says holds where it says nothing else."""
    node = section.get("defaults")
    if node is None:
        return Defaults()
    if not isinstance(node, MappingNode):
        scope.report.error(section.key("defaults"), '"defaults" must be a mapping')
        return Defaults()
    part = Section(node, scope.report, what="defaults", keys=_DEFAULTS)
    assumed = Defaults()
    return Defaults(
        on_no_match=_read_on_no_match(part, scope),
        notify_sender=part.flag("notify_sender"),
        private_body=part.text("private_body") or assumed.private_body,
        private_title=part.text("private_title") or assumed.private_title,
        retention=part.duration("retention") or assumed.retention,
        country=read_country(part, scope.report),
    )


def _read_on_no_match(section: Section, scope: FileScope) -> tuple[str, ...]:
    node = section.get("on_no_match")
    if isinstance(node, SequenceNode):
        channels = (check_channel(item, scope) for item in node.items)
        return tuple(channel for channel in channels if channel is not None)
    if node is not None and not (isinstance(node, ScalarNode) and node.text == "drop"):
        hint = "write drop, or a list of channels"
        scope.report.error(node, '"on_no_match" is neither drop nor a list', hint)
    return ()
