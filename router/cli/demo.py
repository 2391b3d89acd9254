"""The demonstration: sample recipients, every sample payload, and what would have gone out."""

import asyncio
import time
from collections.abc import Callable, Sequence
from email import message_from_bytes, policy

import aiohttp
import click
import msgspec

from router.core.model.payload import Json
from router.samples import SAMPLE_NAMES, SampleRecipient, read_recipients, read_sample, restamp
from router.store.log.log import Timeline
from router.transport.sandbox import RecordedExchange

_SETTLED = frozenset({"delivered", "partial", "undelivered", "dropped", "undecidable"})
_AS_IT_SHOULD = frozenset({"delivered", "dropped"})
DELIVERY_TIMEOUT_S = 20.0
_MAX_LINE_LENGTH = 480


async def send_samples(
    session: aiohttp.ClientSession, exchanges: Callable[[], Sequence[RecordedExchange]]
) -> bool:
    """Register the samples' recipients, post every sample, and print what each came to.

    `exchanges` gives what the sandbox recorded so far. Return whether all was delivered, or
    dropped by a rule.
    """
    for person in read_recipients():
        await _register(session, person)
    results = [
        await _send_sample(
            session, name, restamp(read_sample(name), now=time.time(), story="sample"), exchanges
        )
        for name in SAMPLE_NAMES
    ]
    click.echo(f"{results.count(True)} of {len(results)} payloads delivered as the rules say")
    return all(results)


async def _register(session: aiohttp.ClientSession, person: SampleRecipient) -> None:
    path = f"/v1/recipients/{person.uid}"
    devices = ((f"{path}/devices", device) for device in person.devices)
    for where, body in ((path, person.profile), *devices):
        async with session.put(where, json=body) as answer:
            if not answer.ok:
                message = f"{where}: {answer.status} {await answer.text()}"
                raise click.ClickException(message)


async def _send_sample(
    session: aiohttp.ClientSession,
    name: str,
    payload: dict[str, Json],
    exchanges: Callable[[], Sequence[RecordedExchange]],
) -> bool:
    count_before = len(exchanges())
    async with session.post("/webhook", json=payload) as answer:
        receipt = await answer.json()
        if not answer.ok or receipt.get("message") != "accepted":
            click.echo(f"{name}: {answer.status} {receipt}\n")
            return False
    timeline = await _wait_until_ended(session, receipt["id"])
    _show(name, timeline, exchanges()[count_before:])
    return timeline.notification.state in _AS_IT_SHOULD


async def _wait_until_ended(session: aiohttp.ClientSession, notification: str) -> Timeline:
    """Return the notification's timeline once it has ended (or after 20 seconds)."""
    deadline = time.monotonic() + DELIVERY_TIMEOUT_S
    while True:
        async with session.get(f"/v1/notifications/{notification}") as answer:
            timeline = msgspec.json.decode(await answer.read(), type=Timeline)
        if timeline.notification.state in _SETTLED or time.monotonic() > deadline:
            return timeline
        await asyncio.sleep(0.01)


def _show(name: str, timeline: Timeline, exchanges: Sequence[RecordedExchange]) -> None:
    what, decided = timeline.notification, timeline.decided
    rules = ", ".join(decided.matched) if decided else ""
    click.echo(f"{name}  ({what.kind} for {what.recipient})")
    click.echo(f"  rules: {rules or 'none matched'}")
    for trail in timeline.deliveries:
        sent = trail.delivery
        why = f": {sent.reason}" if sent.reason else ""
        click.echo(f"  {sent.channel} by {sent.rule}: {sent.state}{why}")
        for exchange in exchanges:
            if exchange.delivery == sent.id:
                click.echo("\n".join(f"      {line}" for line in show_request(exchange)))
    click.echo(f"  = {what.reason or what.state}\n")


def show_request(exchange: RecordedExchange) -> list[str]:
    """Return a recorded request as lines for people: method and URL, and its body cut short."""
    request = exchange.request
    content = request.plain or request.body
    body = _sample_email(content) if request.method == "SMTP" else content.decode(errors="replace")
    line = " ".join(body.split())
    shown = line if len(line) <= _MAX_LINE_LENGTH else line[: _MAX_LINE_LENGTH - 1] + "…"
    return [f"{request.method} {request.url}", *([f"  {shown}"] if shown else [])]


def _sample_email(content: bytes) -> str:
    """Return what a mail says to a reader: its addressee, subject and text."""
    mail = message_from_bytes(content, policy=policy.default)
    text = mail.get_body(("plain", "html"))
    return f"To: {mail['To']} · Subject: {mail['Subject']} · {text.get_content() if text else ''}"
