"""`router send`: does a channel work?"""

import asyncio
import sys
import time
from typing import Any

import click
import msgspec

from router.app import ChannelFactory
from router.channel import Channel
from router.cli.demo import show_request
from router.cli.environment import fail, load_environment
from router.cli.offline import read_ruleset
from router.cli.storage import run_with_database
from router.core.errors import suggest
from router.core.model.facts import Device
from router.core.model.message import Message
from router.core.model.notification import derive
from router.core.model.outcome import Delivered, Outcome
from router.core.model.payload import Json, Payload
from router.core.model.recipient_guard import RecipientGuard
from router.core.rules.ruleset import ChannelSpec
from router.redaction import Redactor, SecretRegistry, collect_secrets
from router.registry import PluginRegistry, load_plugins
from router.settings import Environment, check_proxies
from router.store.recipients.repository import Recipients
from router.telemetry import configure_logging, log_unhandled_errors
from router.transport.http import AiohttpTransport
from router.transport.sandbox import RecordedExchange
from router.worker.attempt import attempt_send


@click.command(name="send")
@click.option("--channel", "name", required=True, help="Name of a channel.")
@click.option(
    "--to",
    "recipient",
    default="",
    help="Address; leave it out if the channel has a fixed destination.",
)
@click.option(
    "--title",
    default="Test of the notification router",
    show_default=True,
    help="Title of the message.",
)
@click.option(
    "--body",
    default="If you can read this, the channel works.",
    show_default=True,
    help="Text of the message.",
)
@click.option("--platform", default="", help="Platform of the device of a push token.")
def command(name: str, recipient: str, title: str, body: str, platform: str) -> None:
    """Check the credentials of a channel, then send one test message, without a database.

    Exit status 1 if the message is not delivered. Sandbox mode only shows the request. With
    ROUTER_ONLY_RECIPIENTS, the address must be registered for one of these recipients.
    """
    environment = load_environment()
    registry = load_plugins(environment.plugins_dir)
    ruleset = read_ruleset(environment.rules, environment, registry)
    spec = ruleset.channels.get(name)
    if spec is None:
        hint = suggest(name, ruleset.channels) or f"known are {', '.join(ruleset.channels)}"
        raise click.BadParameter(f'unknown channel "{name}"; {hint}', param_hint="--channel")
    if spec.address_kind and not recipient:
        raise click.BadParameter(f"channel {name} needs an address", param_hint="--to")
    if recipient and not spec.address_kind:
        raise click.BadParameter(
            f"channel {name} has a fixed destination in its settings; leave out --to",
            param_hint="--to",
        )
    address = spec.read_address(recipient, ruleset.defaults.country, is_fixed=True)
    if recipient and address.fault:
        raise click.BadParameter(f"the address {address.fault}", param_hint="--to")
    _require_permitted(environment, address.address if recipient else "")
    message = _compose(address.address if recipient else "", title, body, platform)
    delivered = asyncio.run(_send_one(environment, registry, spec, message))
    sys.exit(0 if delivered else 1)


def _require_permitted(environment: Environment, recipient: str) -> None:
    """End the process where the guard permits nobody who has the address."""
    guard = RecipientGuard(environment.only_recipients)
    if environment.sandbox or not guard.patterns:
        return
    if not recipient:
        fail("ROUTER_ONLY_RECIPIENTS: does not permit a fixed destination; unset it to send")
    owners = run_with_database(lambda database: Recipients(database).owners(recipient))
    if not any(map(guard.permits, owners)):
        fail(
            "ROUTER_ONLY_RECIPIENTS: the address is not registered for one of these recipients; "
            "write it as it is registered, or unset the variable"
        )


def _compose(recipient: str, title: str, body: str, platform: str) -> Message:
    now = time.time()
    words = {"title": title, "body": body, "type": "chat", "sentAt": str(round(now * 1000))}
    data: dict[str, Json] = {"to": {"uid": "test"}, "notificationDetails": {**words}}
    payload = Payload(feed="push", app_id="test", uid="test", region="", data=data)
    return Message(
        address=recipient,
        title=title,
        body=body,
        expires=now + 300,
        kind="message",
        notification=derive(payload, id=f"test-{round(now)}", accepted_at=now),
        device=Device(platform=platform) if platform else None,
        delivery=f"test-{round(now)}-1",
        rule="test",
    )


async def _send_one(
    environment: Environment, registry: PluginRegistry, spec: ChannelSpec, message: Message
) -> bool:
    exchanges: list[RecordedExchange] = []
    secret_registry = SecretRegistry()
    configure_logging(
        environment.log_level, environment.log_format, secret_registry=secret_registry
    )
    if problems := check_proxies(environment):
        fail(*problems)
    live = None
    if not environment.sandbox:
        live = AiohttpTransport(allowed=environment.private_targets, proxies=environment.proxies)
    try:
        channel = ChannelFactory(
            live=live, record=exchanges.append, secret_registry=secret_registry
        ).open(registry, spec)
        with log_unhandled_errors(asyncio.get_running_loop()):
            try:
                return await _check_and_send(
                    channel, message, Redactor(collect_secrets(spec.settings))
                )
            finally:
                await channel.aclose()
    finally:
        if live is not None:
            await live.aclose()
        for exchange in exchanges:
            click.echo("\n".join(show_request(exchange)))


async def _check_and_send(channel: Channel[Any], message: Message, redactor: Redactor) -> bool:
    try:
        checked = await channel.check()
    except Exception as fault:  # noqa: BLE001 - a plugin may raise anything, and say anything with it
        fail(f"check raised {type(fault).__name__}")
    if checked is not None:
        click.echo(f"check: {_describe(redactor.mask_outcome(checked, message.address))}")
        if not isinstance(checked, Delivered):
            return False
    outcome = await attempt_send(
        channel.send, lambda: message, redactor, seconds=channel.settings.timeout
    )
    click.echo(f"send: {_describe(outcome)}")
    return isinstance(outcome, Delivered)


def _describe(outcome: Outcome) -> str:
    fields: dict[str, Any] = msgspec.to_builtins(outcome)
    word = fields.pop("type")
    known = ", ".join(f"{name} {value}" for name, value in fields.items() if value)
    return f"{word} ({known})" if known else str(word)
