"""Lists on the command line: a table for people, tab-separated lines for other commands."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from router.cli.format_option import format_option
from router.store.log.pagination import MAX_PAGE_ITEMS, Page

Item = TypeVar("Item")

_PAGING = (
    click.option(
        "--limit",
        type=click.IntRange(1, MAX_PAGE_ITEMS),
        default=20,
        show_default=True,
        help="Number of entries at most.",
    ),
    click.option("--cursor", help="Cursor of the next page, as the previous page printed it."),
    format_option,
)


def with_options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a decorator that gives a command these options, in this order."""

    def decorate(verb: Any) -> Any:  # noqa: ANN401 - click's decorators take functions and commands
        for option in reversed(options):
            verb = option(verb)
        return verb

    return decorate


paged = with_options(*_PAGING)
"""Gives a command `limit`, `cursor` and `form`."""


def show_page(
    page: Page[Item], form: str, headings: Sequence[str], row: Callable[[Item], Sequence[str]]
) -> None:
    """Print a page as JSON or as a list, with how to get the next one."""
    if form == "json":
        click.echo(msgspec.json.encode(page).decode())
        return
    show_list(headings, map(row, page.items))
    if page.next:
        click.echo(f"more: --cursor {page.next}")


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
