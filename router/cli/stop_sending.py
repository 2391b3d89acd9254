"""`router stop-sending`: hold all channels at once."""

import click

from router.cli.storage import run_with_database
from router.queue.channels import stop_sending
from router.queue.engine import SqlQueue


@click.command(name="stop-sending")
def command() -> None:
    """Hold all channels until `router start-sending`; the webhook continues to accept.

    The hold includes calls and channels that are added later, and outlasts restarts. Sends in
    flight end. Every router on the database follows within a second.
    """
    run_with_database(lambda database: stop_sending(SqlQueue(database)))
    click.echo("sending is stopped; start it again with: router start-sending")
