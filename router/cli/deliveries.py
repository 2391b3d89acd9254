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
from router.store.log.log import DeliveryFilter, DeliveryItem, DeliveryLog
from router.store.log.pagination import Page
from router.store.state.bulk_cancel import BulkCancel, BulkCancelResult, CancelFilter, OpenCount

_HEADINGS = ("id", "due", "rule", "channel", "address", "operation", "state", "tries", "reason")


@click.group(name="deliveries", invoke_without_command=True)
@click.option("--state", type=click.Choice(get_args(DeliveryState)))
@click.option("--channel", help="A channel of the rules file.")
@click.option("--rule", help="The name of a rule.")
@click.option("--notification", help="The id of a notification.")
@click.option("--uid", "recipient", help="The uid of a recipient.")
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
@click.option("--rule", help="The name of a rule.")
@click.option("--channel", help="A channel of the rules file.")
@click.option("--app", "app_id", help="The id of an app.")
@click.option("--recipient", help="The uid of a recipient.")
@click.option("--notification", help="The id of a notification.")
@click.option("--since", type=PastTime(), help="Accepted since when, or how long ago.")
@click.option("--until", type=PastTime(), help="Accepted until when, or how long ago.")
@click.option("--all", "everything", is_flag=True, help="Take all deliveries that are open.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
def cancel(*, everything: bool, dry_run: bool, yes: bool, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """Cancel deliveries that wait to be sent, for good; the running router sends them no more.

    They are counted first. A send in flight ends as it may, and is not tried again.
    """
    which = CancelFilter(**fields)
    if everything == (which != CancelFilter()):
        raise click.UsageError("filter by options, or say --all")
    counts = run_with_database(lambda database: BulkCancel(database).count(which))
    total = sum(count.waiting + count.sending for count in counts)
    if counts:
        show_list(("channel", "rule", "waiting", "sending"), map(_count_row, counts))
    click.echo(f"{total} to cancel")
    if dry_run or not total:
        return
    if not yes:
        if not is_interactive():
            raise click.UsageError("say --yes to cancel them, or --dry-run to count them")
        click.confirm("Cancel them?", abort=True)
    done = run_with_database(lambda database: _cancel(database, which, total))
    click.echo(f"{done.cancelled} cancelled")
    if done.in_flight:
        click.echo(f"{done.in_flight} were being sent, and are not tried again")


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
