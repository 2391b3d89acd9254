"""`router stop-sending`: hold all channels at once."""

import click

from router.cli.storage import run_with_database
from router.queue.channels import stop_sending
from router.queue.engine import SqlQueue


@click.command(name="stop-sending")
def command() -> None:
    """Send nothing over any channel until `router start-sending`; the webhook goes on accepting.

    Calls and channels configured later are held too, over restarts. Sends in flight end. A
    running router follows within a second, and so does every other one on the database.
    """
    run_with_database(lambda database: stop_sending(SqlQueue(database)))
    click.echo("sending is stopped; start it again with: router start-sending")
