"""`router deliveries`: what was sent, to whom, and how it went."""

from typing import Any, get_args

import click

from router.cli.listing import paged, show_page
from router.cli.storage import clock_time, with_database
from router.core.delivery import DeliveryState
from router.store.database import Database
from router.store.log import DeliveryFilter, DeliveryItem, Log
from router.store.page import Page

_HEADINGS = ("id", "due", "rule", "channel", "address", "operation", "state", "tries", "reason")


@click.command(name="deliveries")
@click.option("--state", type=click.Choice(get_args(DeliveryState)))
@click.option("--channel", help="A channel of the rules file.")
@click.option("--rule", help="The name of a rule.")
@click.option("--notification", help="The id of a notification.")
@click.option("--uid", "recipient", help="The uid of a recipient.")
@paged
def command(limit: int, cursor: str | None, form: str, **fields: Any) -> None:  # noqa: ANN401 - the filter's fields
    """List deliveries, newest first; addresses are masked."""

    async def read(database: Database) -> Page[DeliveryItem]:
        return await Log(database).deliveries(DeliveryFilter(**fields), limit, cursor)

    show_page(with_database(read), form, _HEADINGS, _row)


def _row(item: DeliveryItem) -> tuple[str, ...]:
    time = clock_time(item.due_at)
    tries = str(item.attempts)
    where = (item.rule, item.channel, item.address)
    return (item.id, time, *where, item.operation, item.state, tries, item.reason)
