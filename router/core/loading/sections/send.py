"""`send`: the ways out of a rule."""

from collections.abc import Collection
from typing import get_args

from router.core.loading.scope import FileScope, check_channel
from router.core.loading.section import Section, name_known
from router.core.loading.sections.enrich import ENRICH_KEYS, name_variables, read_enrichment
from router.core.loading.sections.timing import read_after, read_quiet
from router.core.loading.sections.unless import read_unless
from router.core.loading.sections.when import read_condition
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode
from router.core.model.types import Priority, Privacy
from router.core.rules.ruleset import ChannelSpec, Collapse, Step

_RECIPIENT = "recipient"
_KEYS = (
    *("channel", "when", "to", "after", "quiet", "unless", "priority", "expires", "once_per"),
    *("privacy", "collapse", "retract"),
    *ENRICH_KEYS,
)


def read_steps(section: Section, scope: FileScope, variables: Collection[str]) -> tuple[Step, ...]:
    """Return the steps of a rule; `variables` are the names its templates find in `vars`."""
    read = (_read_step(node, scope, variables) for node in section.items("send"))
    return tuple(step for step in read if step is not None)


def _read_step(node: Node, scope: FileScope, variables: Collection[str]) -> Step | None:
    if isinstance(node, ScalarNode):
        channel = check_channel(node, scope)
        return None if channel is None else Step(channel=channel, place=node.place)
    if not isinstance(node, MappingNode):
        scope.report.error(node, "a step must be a channel's name or a mapping")
        return None
    step = Section(node, scope.report, what="step", keys=_KEYS)
    when = step.get("when")
    condition = None if when is None else read_condition(when, scope)
    expires = step.duration("expires")
    unless = step.get("unless")
    channel = _read_channel(step, scope)
    settings = Step(
        channel=channel,
        place=node.place,
        when=condition,
        to=_read_addresses(step, scope.channels.get(channel), scope),
        after=read_after(step, expires, scope),
        quiet=read_quiet(step, scope),
        unless=() if unless is None else read_unless(unless, scope),
        priority=step.word("priority", get_args(Priority)),
        expires=expires,
        once_per=step.word("once_per", ("message",)),
        privacy=step.word("privacy", get_args(Privacy)) or "none",
        collapse=step.word("collapse", get_args(Collapse)) or "message",
        retract=step.flag("retract", default=True),
        enrich=read_enrichment(step, scope, {*variables, *name_variables(node)}),
    )
    _warn_of_idle_keys(step, settings, scope)
    return settings


def _read_channel(step: Section, scope: FileScope) -> str:
    if "channel" not in step:
        scope.report.error(step.node, "a step needs a channel", name_known(scope.channels))
    node = step.get("channel")
    return "" if node is None else check_channel(node, scope) or ""


def _read_addresses(
    step: Section, channel: ChannelSpec | None, scope: FileScope
) -> tuple[str, ...]:
    """Return fixed addresses; none where the recipient's own are meant."""
    nodes = step.texts("to") or []
    if [node.text for node in nodes] == [_RECIPIENT]:
        return ()
    addresses = []
    for node in nodes:
        if node.text == _RECIPIENT:
            hint = "write a step of its own for the recipient"
            scope.report.error(node, "a step goes to the recipient or to addresses", hint)
        elif channel:
            address = channel.read_address(node.text, scope.country, is_fixed=True)
            addresses.append(address.address)
            if address.fault:
                message = f'channel {channel.name} cannot send to "{node.text}"'
                scope.report.error(node, message, address.fault)
    return tuple(addresses)


def _warn_of_idle_keys(step: Section, settings: Step, scope: FileScope) -> None:
    channel = scope.channels.get(settings.channel)
    if channel is None:
        return
    fixed = not channel.address_kind
    if fixed and settings.to:
        message = f"channel {channel.name} has a fixed destination"
        scope.report.warn(step.key("to"), message, 'leave "to" out')
    if settings.once_per and not fixed and not settings.to:
        hint = 'leave "once_per" out, or name fixed addresses with "to"'
        scope.report.warn(step.key("once_per"), "each recipient gets a message of their own", hint)
