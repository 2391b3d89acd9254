"""`router start-sending`: hold all channels no longer."""

import click

from router.cli.storage import run_with_database
from router.queue.channels import start_sending
from router.queue.engine import SqlQueue


@click.command(name="start-sending")
def command() -> None:
    """End the hold of `router stop-sending`; other holds of channels stay."""
    run_with_database(lambda database: start_sending(SqlQueue(database)))
    click.echo("sending is started")
