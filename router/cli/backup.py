"""`router backup`: a copy of the database, made while the router runs."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import URL

from router.cli.environment import fail, load_environment
from router.store.db.backup import BackupFailed, back_up
from router.store.db.url import is_sqlite, parse
from router.store.errors import DatabaseUnusable


@click.command(name="backup")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(file: Path | None) -> None:
    """Copy the database to a new FILE; the router may run meanwhile.

    The default is a file in this folder, named after the time. The copy is checked before it
    appears. For PostgreSQL, the command names the tool to use.
    """
    try:
        url = parse(load_environment().database.reveal())
    except DatabaseUnusable as error:
        fail(str(error))
    target = file or Path(f"router-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
    if not is_sqlite(url):
        fail(f"PostgreSQL is copied by its own tool; run: {_dump(url, target)}")
    database = Path(url.database or "")
    if not database.exists():
        fail(f"the database {database} does not exist; correct ROUTER_DATABASE")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("copying")
        try:
            size = back_up(
                database, target, lambda done, pages: bar.update(task, completed=done, total=pages)
            )
        except BackupFailed as error:
            fail(str(error))
    click.echo(f"{target}: {size} bytes, verified")


def _dump(url: URL, target: Path) -> str:
    """Return the command that copies a database of PostgreSQL; it asks for the password."""
    plain = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database
    ).render_as_string()
    return f"pg_dump --format=custom --file={shlex.quote(str(target))} {shlex.quote(plain)}"
