"""`router channels`: what holds a channel, and holding it oneself."""

import math
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from router.cli.environment import fail, warn
from router.cli.format_option import format_option
from router.cli.storage import clock_time, run_with_database
from router.cli.tables import show_page
from router.core.errors import suggest
from router.core.loading import parse_duration
from router.queue.channels import ChannelItem, HoldItem, list_channels
from router.queue.engine import SqlQueue
from router.queue.ports import Queue
from router.registry import load_plugins
from router.rulebook.files import read_rules
from router.settings import read_environment
from router.store.log.pagination import Page

T = TypeVar("T")
_HEADINGS = ("channel", "held", "due", "waiting", "sending", "oldest due")


@click.group(name="channels")
def command() -> None:
    """List channels and their holds; pause and resume them.

    A running router follows within a second.
    """


@command.command(name="list")
@format_option
def list_(form: str) -> None:
    """List the channels, the causes that hold them, and their open deliveries."""
    page = Page(items=_run_on_queue(lambda queue: list_channels(queue, _configured(), time.time())))
    show_page(page, form, _HEADINGS, _row)


@command.command(name="pause")
@click.argument("name")
@click.option(
    "--for",
    "duration",
    help="Duration of the pause, as 45s, 10m, 24h or 7d; default: until resumed.",
)
def pause(name: str, duration: str | None) -> None:
    """Hold channel NAME: its deliveries wait, and sends in flight end."""
    seconds = math.inf if duration is None else parse_duration(duration)
    if seconds is None:
        raise click.BadParameter("write 45s, 10m, 24h or 7d", param_hint="--for")
    until = time.time() + seconds

    async def work(queue: Queue) -> None:
        await queue.pause(name, cause="paused", until=until)

    click.echo(_change(name, work))


@command.command(name="resume")
@click.argument("name")
def resume(name: str) -> None:
    """End every hold of channel NAME: pause, suspension, circuit breaker and daily cap."""

    async def work(queue: Queue) -> None:
        await queue.resume(name)

    click.echo(_change(name, work))


def _change(name: str, work: Callable[[Queue], Awaitable[None]]) -> str:
    """Do the work on a channel that is known; return a line on how it is now."""

    async def run(queue: Queue) -> ChannelItem | list[str]:
        configured = _configured()
        names = [item.name for item in await list_channels(queue, configured, time.time())]
        if name not in names:
            return names
        await work(queue)
        items = await list_channels(queue, [*configured, name], time.time())
        return next(item for item in items if item.name == name)

    result = _run_on_queue(run)
    if isinstance(result, list):
        hint = suggest(name, result) or f"known are {', '.join(result) or 'none'}"
        fail(f'unknown channel "{name}"; {hint}')
    return f"{name}: {_describe_holds(result)}"


def _run_on_queue(work: Callable[[Queue], Awaitable[T]]) -> T:
    return run_with_database(lambda database: work(SqlQueue(database)))


def _configured() -> list[str]:
    """Return the channels of the rules file, as far as it can be read."""
    environment, _ = read_environment(os.environ)  # warned of when the database was opened
    schemas = load_plugins(environment.plugins_dir).schemas
    ruleset = read_rules(environment.rules, schemas, sandbox=True).loaded.ruleset
    if ruleset is None:
        warn(f"{environment.rules} has errors: only channels that are in use are known")
        return []
    return list(ruleset.channels)


def _row(item: ChannelItem) -> tuple[str, ...]:
    counts = (str(item.due), str(item.waiting), str(item.sending))
    oldest = "" if item.oldest_due_at is None else clock_time(item.oldest_due_at)
    name = item.name if item.configured else f"{item.name} (not in the rules)"
    return (name, _describe_holds(item), *counts, oldest)


def _describe_holds(item: ChannelItem) -> str:
    return ", ".join(map(_describe_hold, item.holds)) or "not held"


def _describe_hold(hold: HoldItem) -> str:
    host = f" {hold.host}" if hold.host else ""
    until = "resumed" if hold.until is None else clock_time(hold.until)
    return f"{hold.cause}{host} until {until}"
