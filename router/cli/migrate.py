"""`router migrate`: bring the database to this version."""

import asyncio

import click

from router.cli.environment import fail, load_environment
from router.store.db.database import migrate
from router.store.errors import DatabaseUnusable


@click.command(name="migrate")
def command() -> None:
    """Create the tables of ROUTER_DATABASE, or upgrade them to this version."""
    environment = load_environment()
    try:
        revision = asyncio.run(migrate(environment.database.reveal()))
    except DatabaseUnusable as error:
        fail(str(error))
    click.echo(f"the database is at revision {revision}")
