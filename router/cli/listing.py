"""Lists on the command line: a table for people, tab-separated lines for other commands."""

from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table


def show_list(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their headings; the first column is never cut or wrapped."""
    console = Console()
    if not console.is_terminal:
        for row in (headings, *rows):
            click.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
    console.print(table)
