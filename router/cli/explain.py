"""`router explain`: what the rules make of a payload, and why."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
from rich.console import Console

from router.channel import Limits
from router.cli.environment import fail, load_environment
from router.cli.explain_text import MAX_WIDTH, ExplainContext, render
from router.cli.format_option import format_option
from router.cli.offline import read_ruleset
from router.core.errors import PayloadError, suggest
from router.core.model.delivery import mask
from router.core.model.facts import DecisionState, Scalar
from router.core.model.notification import derive
from router.core.model.payload import Payload, decode
from router.core.model.recipient_guard import RecipientGuard
from router.core.rules.classify import classify
from router.core.rules.ruleset import Ruleset
from router.core.simulate.assume_shown import assume_original_delivered
from router.core.simulate.explain import Trace, explain
from router.core.simulate.test_case import TestRecipient
from router.registry import PluginRegistry, load_plugins
from router.samples import SampleUnknown, read_sample, restamp
from router.zones import zone_names

_SAMPLE = "sample:"


class _PayloadInput(NamedTuple):
    """Where a payload comes from; a `sample` is sent at the time for which it is explained."""

    name: str
    body: bytes
    sample: str = ""


class _PayloadType(click.ParamType[_PayloadInput, str]):
    name = "payload"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> _PayloadInput:
        """Return the body of a file, of stdin (-), or of a sample."""
        if not value.startswith(_SAMPLE):
            with click.File("rb").convert(value, param, ctx) as file:
                return _PayloadInput("stdin" if value == "-" else value, file.read())
        try:
            read_sample(value.removeprefix(_SAMPLE))
        except SampleUnknown as error:
            self.fail(str(error), param, ctx)
        return _PayloadInput(value, b"", value.removeprefix(_SAMPLE))


class _NameValueType(click.ParamType[tuple[str, str], str]):
    name = "name=value"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return a name and its value, which may be empty."""
        name, sign, text = value.partition("=")
        if not name or not sign:
            self.fail("write NAME=VALUE", param, ctx)
        return name, text


@click.command(name="explain")
@click.argument("payload", type=_PayloadType())
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rules file; default: ROUTER_RULES.",
)
@click.option("--at", help="Time of the decision, as ISO 8601; default: sentAt of the payload.")
@click.option(
    "--attributes",
    type=_NameValueType(),
    multiple=True,
    help="Attribute of the recipient, as tier=gold. Repeatable.",
)
@click.option(
    "--contact",
    "contacts",
    type=_NameValueType(),
    multiple=True,
    help="Address of the recipient, as email=ann@example.com; email= for none. Repeatable.",
)
@click.option("--timezone", default="", help="Time zone of the recipient, as Europe/Berlin.")
@click.option(
    "--only", multiple=True, help="Name of a rule to show; others are left out. Repeatable."
)
@format_option
def command(  # noqa: PLR0913 - one for each option
    payload: _PayloadInput,
    *,
    rules: Path | None,
    at: str | None,
    attributes: Sequence[tuple[str, str]],
    contacts: Sequence[tuple[str, str]],
    timezone: str,
    only: Sequence[str],
    form: str,
) -> None:
    """Show how the rules decide PAYLOAD: a file with a webhook body, - or sample:NAME.

    No database is opened. The command assumes that the recipient has one contact of each kind that
    no option names, no other attributes and no preferences; that a sample is sent now; and that the
    original of an edited or deleted message was delivered.
    """
    # Nothing is sent, so what the file takes from the environment need not be there.
    environment = msgspec.structs.replace(load_environment(), sandbox=True)
    registry = load_plugins(environment.plugins_dir)
    ruleset = read_ruleset(rules or environment.rules, environment, registry)
    moment = _read_time(at)
    decoded = _decode(payload, moment)
    first = derive(decoded, id="explained", accepted_at=moment or 0.0)
    now = moment or first.sent_at or time.time()
    notification = classify(msgspec.structs.replace(first, accepted_at=now), ruleset)
    kinds = _kinds(ruleset)
    person = TestRecipient(
        attributes={name: _scalar(value) for name, value in attributes},
        contacts=_group(contacts, ruleset, notification.app_id),
        timezone=_known_zone(timezone),
    )
    who = (notification.app_id, notification.uid)
    facts = DecisionState(
        recipients={who: person.to_recipient(*who, frozenset(kinds.values()) - {""})}
    )
    facts.guard = RecipientGuard(environment.only_recipients)
    facts = assume_original_delivered(notification, ruleset, facts, now)
    trace = _filter_trace(explain(notification, ruleset, facts, now), only)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(trace), indent=2))
        return
    context = ExplainContext(
        kinds=kinds, limits=_limits(ruleset, registry), zone=ruleset.hours.zone
    )
    console = Console(highlight=False, soft_wrap=True)
    for line in render(trace, context, now, console.width if console.is_terminal else MAX_WIDTH):
        console.print(line)


def _decode(source: _PayloadInput, moment: float | None) -> Payload:
    body = source.body
    if source.sample:
        sent_at = time.time() if moment is None else moment
        body = msgspec.json.encode(
            restamp(read_sample(source.sample), now=sent_at, story="explained")
        )
    try:
        return decode(body)
    except PayloadError as error:
        fail(f"{source.name}: {error.path}: {error.reason}")


def _read_time(at: str | None) -> float | None:
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        message = "must be a time like 2026-03-29T01:59:50+01:00"
        raise click.BadParameter(message, param_hint="--at") from None
    return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=UTC).timestamp()


def _kinds(ruleset: Ruleset) -> Mapping[str, str]:
    return {name: spec.address_kind for name, spec in ruleset.channels.items()}


def _limits(ruleset: Ruleset, registry: PluginRegistry) -> Mapping[str, Limits]:
    return {
        name: registry.schemas[spec.plugin].channel.limits or Limits()
        for name, spec in ruleset.channels.items()
    }


def _scalar(text: str) -> Scalar:
    """Return an attribute as JSON has it: a number, true or false, else a text."""
    try:
        return msgspec.json.decode(text, type=bool | int | float)
    except msgspec.MsgspecError:
        return text


def _group(
    contacts: Sequence[tuple[str, str]], ruleset: Ruleset, app_id: str
) -> dict[str, tuple[str, ...]]:
    """Return addresses by kind, in the form that is registered and sent to."""
    kinds = sorted(set(_kinds(ruleset).values()) - {""})
    country = ruleset.country_of(app_id)
    addresses: dict[str, tuple[str, ...]] = {}
    for kind, address in contacts:
        if kind not in kinds:
            hint = suggest(kind, kinds) or f"known are {', '.join(kinds) or 'none'}"
            message = f'no channel sends to addresses of kind "{kind}"; {hint}'
            raise click.BadParameter(message, param_hint="--contact")
        before = addresses.get(kind, ())
        addresses[kind] = (*before, _normalize(kind, address, ruleset, country)) if address else ()
    return addresses


def _normalize(kind: str, address: str, ruleset: Ruleset, country: str) -> str:
    """Return an address as a channel that takes it writes it, as it is registered."""
    specs = [spec for spec in ruleset.channels.values() if spec.address_kind == kind]
    results = [spec.read_address(address, country) for spec in specs]
    taken = [result.address for result in results if not result.fault]
    if not taken:
        message = f"{kind}={address}: {results[0].fault}"
        raise click.BadParameter(message, param_hint="--contact")
    return next((text for text in taken if text != address), address)


def _known_zone(name: str) -> str:
    if name and name not in (names := zone_names()):
        hint = suggest(name, names) or "write a name such as Europe/Berlin"
        raise click.BadParameter(f'unknown time zone "{name}"; {hint}', param_hint="--timezone")
    return name


def _filter_trace(trace: Trace, only: Sequence[str]) -> Trace:
    """Return the trace as it is shown: of the rules asked for, and with no URL in full."""
    rule_names = {rule.name for rule in trace.rules}
    for name in only:
        if name not in rule_names:
            hint = suggest(name, rule_names) or "router check names the problems of the file"
            raise click.BadParameter(f'unknown rule "{name}"; {hint}', param_hint="--only")
    rules = [rule for rule in trace.rules if not only or rule.name in only]
    deliveries = [
        # A URL may let in whoever has it.
        msgspec.structs.replace(
            delivery, to=mask(delivery.to) if "://" in delivery.to else delivery.to
        )
        for delivery in trace.deliveries
    ]
    return msgspec.structs.replace(trace, rules=rules, deliveries=deliveries)
