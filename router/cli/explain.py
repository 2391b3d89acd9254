"""`router explain`: what the rules make of a payload, and why."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from router.cli.environment import fail, load_environment
from router.cli.offline import read_ruleset
from router.core.classification import classify
from router.core.errors import PayloadError
from router.core.facts import Contact, Facts, Recipient
from router.core.notification import Notification, derive
from router.core.payload import decode
from router.core.ruleset import Ruleset
from router.core.trace import Trace, TracedDelivery, TracedRule, explain
from router.registry import load_plugins


@click.command(name="explain")
@click.argument("payload", type=click.File("rb"))
@click.option(
    "--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A rules file."
)
@click.option(
    "--at", help="The time to explain it for, as ISO 8601; default: the payload's sentAt."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(payload: BinaryIO, rules: Path | None, at: str | None, form: str) -> None:
    """Say what the rules make of PAYLOAD, a file with one webhook body (- for stdin).

    No database is opened: the recipient is taken to have one contact per channel.
    """
    # Nothing is sent, so what the file takes from the environment need not be there.
    environment = msgspec.structs.replace(load_environment(), sandbox=True)
    registry = load_plugins(environment.plugins_dir)
    ruleset = read_ruleset(rules or environment.rules, environment, registry)
    try:
        decoded = decode(payload.read())
    except PayloadError as error:
        fail(f"{payload.name}: {error.path}: {error.reason}")
    moment = _moment(at)
    first = derive(decoded, id="explained", accepted_at=moment or 0.0)
    now = moment or first.sent_at or time.time()
    notification = classify(msgspec.structs.replace(first, accepted_at=now), ruleset)
    trace = explain(notification, ruleset, _assume(notification, ruleset), now)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(trace), indent=2))
    else:
        click.echo("\n".join(_lines(trace, now)))
    sys.exit(0)


def _moment(at: str | None) -> float | None:
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        message = "must be a time like 2026-03-29T01:59:50+01:00"
        raise click.BadParameter(message, param_hint="--at") from None
    return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=UTC).timestamp()


def _assume(notification: Notification, ruleset: Ruleset) -> Facts:
    kinds = {spec.address_kind for spec in ruleset.channels.values()} - {""}
    contacts = tuple(
        Contact(id=f"any-{kind}", kind=kind, address=f"(their {kind} address)")
        for kind in sorted(kinds)
    )
    who = (notification.app_id, notification.uid)
    recipient = Recipient(app_id=who[0], uid=who[1], contacts=contacts)
    return Facts(recipients={who: recipient})


def _lines(trace: Trace, now: float) -> list[str]:
    what = trace.notification
    guess = " (told from the texts, for want of a message object)" if what.get("guessed") else ""
    lines = [f"{what['feed']} · {what['kind']}{guess} · for {what['recipient']}", ""]
    for rule in trace.rules:
        lines += _rule_lines(rule)
    lines.append("")
    if not trace.deliveries:
        lines.append(f"nothing is sent: {trace.reason or 'no rule sends anything'}")
    for delivery in trace.deliveries:
        lines += _delivery_lines(delivery, now)
    return lines


def _rule_lines(rule: TracedRule) -> list[str]:
    lines = [f"{'✓' if rule.matched else '✗'} {rule.name}"]
    if rule.near_miss:
        lines[0] += f"   ({rule.near_miss})"
    lines += [f"    {'✓' if test.held else '✗'} {test.why}   {test.place}" for test in rule.tests]
    return lines


def _delivery_lines(delivery: TracedDelivery, now: float) -> list[str]:
    wait = delivery.due - now
    when = "now" if wait <= 0 else f"in {wait:.0f} s"
    head = f"→ {delivery.channel} to {delivery.to or 'its fixed destination'}, {when}"
    if delivery.state != "waiting":
        head = f"✗ {delivery.channel}: {delivery.state}: {delivery.reason}"
    return [f"{head}   (rule {delivery.rule})", f"    {delivery.title}", f"    {delivery.body}"]
