"""`router deliveries`: what was sent, to whom, and how it went; and cancelling what waits."""

import sys
from typing import Any, get_args

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import Progress

from router.cli.storage import clock_time, run_with_database
from router.cli.tables import paged, show_list, show_page
from router.cli.time_option import PastTime
from router.core.model.delivery import DeliveryState
from router.store.db.database import Database
from router.store.log.filters import CancelFilter
from router.store.log.log import DeliveryFilter, DeliveryItem, DeliveryLog
from router.store.log.pagination import Page
from router.store.state.bulk_cancel import BulkCancel, BulkCancelResult, OpenCount

_HEADINGS = ("id", "due", "rule", "channel", "address", "operation", "state", "tries", "reason")


@click.group(name="deliveries", invoke_without_command=True)
@click.option("--state", type=click.Choice(get_args(DeliveryState)), help="State of the delivery.")
@click.option("--channel", help="Name of a channel.")
@click.option("--rule", help="Name of a rule.")
@click.option("--notification", help="Id of a notification.")
@click.option("--uid", "recipient", help="Uid of a recipient.")
@paged
@click.pass_context
def command(
    ctx: click.Context,
    /,
    limit: int,
    cursor: str | None,
    form: str,
    **fields: Any,  # noqa: ANN401 - the filter's fields
) -> None:
    """List deliveries, newest first; addresses are masked."""
    if ctx.invoked_subcommand is not None:
        if ParameterSource.COMMANDLINE in map(ctx.get_parameter_source, ctx.params):
            raise click.UsageError(f"write the options after {ctx.invoked_subcommand}")
        return

    async def read(database: Database) -> Page[DeliveryItem]:
        return await DeliveryLog(database).deliveries(DeliveryFilter(**fields), limit, cursor)

    show_page(run_with_database(read), form, _HEADINGS, _row)


@command.command(name="cancel")
@click.option("--rule", help="Name of a rule.")
@click.option("--channel", help="Name of a channel.")
@click.option("--app", "app_id", help="Id of a CometChat app.")
@click.option("--recipient", help="Uid of a recipient.")
@click.option("--notification", help="Id of a notification.")
@click.option(
    "--since", type=PastTime(), help="Accepted at or after a time, or a duration before now."
)
@click.option("--until", type=PastTime(), help="Accepted before a time, or a duration before now.")
@click.option("--all", "everything", is_flag=True, help="Select all open deliveries.")
@click.option("--dry-run", is_flag=True, help="Count the deliveries, and cancel none.")
@click.option(
    "--yes", is_flag=True, help="Do not ask for confirmation; required without a terminal."
)
def cancel(*, everything: bool, dry_run: bool, yes: bool, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """Cancel waiting deliveries for good.

    The command counts them and asks first. A running router obeys within a second; a send in
    flight ends, and is not repeated.
    """
    which = CancelFilter(**fields)
    if everything == (which != CancelFilter()):
        raise click.UsageError("give filter options or --all")
    counts = run_with_database(lambda database: BulkCancel(database).count(which))
    total = sum(count.waiting + count.sending for count in counts)
    if counts:
        show_list(("channel", "rule", "waiting", "sending"), map(_count_row, counts))
    click.echo(f"{total} deliveries to cancel")
    if dry_run or not total:
        return
    if not yes:
        if not is_interactive():
            raise click.UsageError("add --yes to cancel them, or --dry-run to count them")
        click.confirm("Cancel them?", abort=True)
    done = run_with_database(lambda database: _cancel(database, which, total))
    click.echo(f"{done.cancelled} cancelled")
    if done.in_flight:
        click.echo(f"{done.in_flight} already in flight; they are not repeated")


def is_interactive() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty()


async def _cancel(database: Database, which: CancelFilter, total: int) -> BulkCancelResult:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("cancelling", total=total)
        return await BulkCancel(database).cancel(
            which, progress=lambda done: bar.update(task, completed=done)
        )


def _count_row(count: OpenCount) -> tuple[str, ...]:
    return (count.channel, count.rule, str(count.waiting), str(count.sending))


def _row(item: DeliveryItem) -> tuple[str, ...]:
    time = clock_time(item.due_at)
    tries = str(item.attempts)
    where = (item.rule, item.channel, item.address)
    return (item.id, time, *where, item.operation, item.state, tries, item.reason)
