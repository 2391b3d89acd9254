"""`router dead`: the dead letters, to read, retry or drop."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_args

import click
from rich.console import Console
from rich.progress import Progress

from router.cli.storage import clock_time, run_with_database
from router.cli.tables import paged, show_page, with_options
from router.store.db.database import Database
from router.store.log.dead_letters import DeadLetter, DeadLetterFilter, DeadLetters, DeadState
from router.store.log.pagination import Page

_HEADINGS = ("id", "accepted", "rule", "channel", "address", "state", "tries", "reason")
filtered = with_options(
    click.option(
        "--state", type=click.Choice(get_args(DeadState)), help="State of the dead letter."
    ),
    click.option("--channel", help="Name of a channel."),
    click.option("--rule", help="Name of a rule."),
    click.option("--reason", help="Reason, as `router dead list` shows it."),
    click.option("--uid", "recipient", help="Uid of a recipient."),
)
"""Gives a command the options that dead letters are filtered by."""
picked = with_options(
    click.argument("ids", nargs=-1),
    click.option(
        "--all",
        "everything",
        is_flag=True,
        help="Select every dead letter that matches the other options.",
    ),
    filtered,
)
"""Gives a command the dead letters to work on: `ids`, or `everything` that the filter lets pass."""


@click.group(name="dead")
def command() -> None:
    """List, retry or drop dead letters: deliveries and notifications that were given up."""


@command.command(name="list")
@filtered
@paged
def list_(limit: int, cursor: str | None, form: str, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """List dead letters, newest first; addresses are masked."""

    async def read(database: Database) -> Page[DeadLetter]:
        return await DeadLetters(database).list(DeadLetterFilter(**fields), limit, cursor)

    show_page(run_with_database(read), form, _HEADINGS, _row)


@command.command(name="retry")
@picked
def retry(ids: tuple[str, ...], *, everything: bool, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """Send dead letters again: those with the IDS, or all that match the options."""
    count = _run_on_dead_letters(ids, everything, fields, "retrying", DeadLetters.retry)
    click.echo(f"{count} due again")


@command.command(name="drop")
@picked
def drop(ids: tuple[str, ...], *, everything: bool, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """Close dead letters for good: those with the IDS, or all that match the options."""
    count = _run_on_dead_letters(ids, everything, fields, "dropping", DeadLetters.drop)
    click.echo(f"{count} dropped")


_Work = Callable[
    [DeadLetters, Sequence[str] | DeadLetterFilter, Callable[[int], None]], Awaitable[int]
]


def _run_on_dead_letters(
    ids: tuple[str, ...],
    everything: bool,  # noqa: FBT001 - passed on from an option
    fields: dict[str, Any],
    title: str,
    work: _Work,
) -> int:
    which = DeadLetterFilter(**fields)
    if bool(ids) == (everything or which != DeadLetterFilter()):
        raise click.UsageError("give IDS, filter options or --all")

    async def run(database: Database) -> int:
        letters = DeadLetters(database)
        total = len(ids) or await letters.count(which)
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(title, total=total)
            return await work(letters, ids or which, lambda done: bar.update(task, completed=done))

    return run_with_database(run)


def _row(item: DeadLetter) -> tuple[str, ...]:
    time = clock_time(item.accepted_at)
    tries = str(item.attempts)
    return (item.id, time, item.rule, item.channel, item.address, item.state, tries, item.reason)
