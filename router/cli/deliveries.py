"""`router deliveries`: what was sent, to whom, and how it went."""

from typing import Any, get_args

import click
import msgspec

from router.cli.listing import show_list
from router.cli.storage import clock_time, with_database
from router.core.delivery import DeliveryState
from router.store.database import Database
from router.store.log import DeliveryFilter, DeliveryItem, Log
from router.store.page import MOST, Page

_HEADINGS = ("id", "due", "rule", "channel", "address", "state", "tries", "reason")


@click.command(name="deliveries")
@click.option("--state", type=click.Choice(get_args(DeliveryState)))
@click.option("--channel", help="A channel of the rules file.")
@click.option("--rule", help="The name of a rule.")
@click.option("--notification", help="The id of a notification.")
@click.option("--uid", "recipient", help="The uid of a recipient.")
@click.option("--limit", type=click.IntRange(1, MOST), default=20, show_default=True)
@click.option("--cursor", help="Where the page before ended.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(limit: int, cursor: str | None, form: str, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """List deliveries, newest first; addresses are masked."""

    async def read(database: Database) -> Page[DeliveryItem]:
        return await Log(database).deliveries(DeliveryFilter(**fields), limit, cursor)

    page = with_database(read)
    if form == "json":
        click.echo(msgspec.json.encode(page).decode())
        return
    show_list(_HEADINGS, map(_row, page.items))
    if page.next:
        click.echo(f"more: --cursor {page.next}")


def _row(item: DeliveryItem) -> tuple[str, ...]:
    time = clock_time(item.due_at)
    tries = str(item.attempts)
    return (item.id, time, item.rule, item.channel, item.address, item.state, tries, item.reason)
