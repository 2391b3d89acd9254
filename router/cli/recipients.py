"""`router recipients`: many recipients at once, into the registry and out of it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import get_args

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from router.cli.csv_recipients import CsvHeaderInvalid, in_columns, read_table
from router.cli.environment import fail, load_environment, warn
from router.cli.format_option import format_option
from router.cli.storage import clock_time, run_with_database
from router.cli.tables import show_list
from router.core.model.facts import Recipient, Scalar
from router.registry import load_plugins
from router.rulebook.files import read_rules
from router.store.db.database import Database
from router.store.errors import AppAmbiguous, RequestFault
from router.store.recipients.repository import Recipients
from router.web.addresses import AddressNormalizer
from router.web.import_formats import ImportDefaults, ParsedLine
from router.web.imports import (
    LINE_PARSERS,
    TOO_LONG,
    ImportSummary,
    LineSplitter,
    RecipientImport,
    Shape,
    read_defaults,
)
from router.web.recipient_schemas import entry_of
from router.web.recipients import RecipientView, recipient_view

READ_BYTES = 64 * 1024
"""How many bytes are read of a file at once."""

FORMATS = {".csv": "csv", ".json": "jsonl", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""What the files of these extensions hold."""

PLACES: Mapping[str, Callable[[RequestFault], RequestFault]] = {
    "csv": in_columns,
    "jsonl": lambda fault: fault,
}
"""How the place of a fault is named in each kind of file."""


@click.group(name="recipients")
def command() -> None:
    """Import, export and show recipients and their devices."""


@command.command(name="import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    help="Format of the files; default: by their extensions, JSON lines for `-`.",
)
@click.option(
    "--shape",
    type=click.Choice(get_args(Shape)),
    default="router",
    show_default=True,
    help="Origin of the JSON: the router, or the REST API of CometChat.",
)
@click.option("--app", "app_id", help="App of lines that name none; default: the only known app.")
@click.option("--dry-run", is_flag=True, help="Print the changes, and make none.")
def import_(
    files: tuple[str, ...], form: str | None, shape: Shape, app_id: str | None, *, dry_run: bool
) -> None:
    """Import recipients and devices from FILES (`-` is standard input), one a line.

    An import can be repeated: what is already registered stays as it is. Every invalid line is
    printed with the reason, and the others are imported. Exit status 1 if a line is invalid.
    """
    forms = [form or _format_of(file) for file in files]
    if shape == "cometchat" and "csv" in forms:
        raise click.UsageError("--shape cometchat is for JSON lines")
    environment = load_environment()
    registry = load_plugins(environment.plugins_dir)
    for line in registry.problems:
        warn(line)
    read = read_rules(environment.rules, registry.schemas, sandbox=True)
    if read.loaded.ruleset is None and environment.rules.exists():
        warn(f"{environment.rules} has errors: no country and no channel of it counts")
    addresses = AddressNormalizer(schemas=registry.schemas.values(), ruleset=read.loaded.ruleset)

    async def run(database: Database) -> ImportSummary:
        recipients = Recipients(database)
        defaults = await read_defaults(recipients, app_id, addresses)
        total = ImportSummary()
        console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            for file, kind in zip(files, forms, strict=True):
                reject = partial(_reject, console, file, name_place=PLACES[kind])
                taking = RecipientImport(
                    recipients, defaults.addresses, reject, total, dry_run=dry_run
                )
                source = _ProgressReader(file, bar)
                if kind == "csv":
                    await _import_table(source, taking, defaults)
                else:
                    await _import_lines(source, taking, defaults, shape)
                await taking.flush()
        return total

    summary = run_with_database(run)
    would = "would change" if dry_run else "changed"
    click.echo(
        f"{summary.lines} lines: {summary.changed} {would}, {summary.unchanged} unchanged,"
        f" {summary.bad} invalid"
    )
    sys.exit(1 if summary.bad else 0)


@command.command(name="export")
@click.option("--app", "app_id", help="App of the recipients; default: all apps.")
@click.option(
    "--with-tokens", is_flag=True, help="Include devices: push tokens unmasked, sessions as hashes."
)
def export(app_id: str | None, *, with_tokens: bool) -> None:
    """Print every recipient as a line of JSON, for `router recipients import`.

    Addresses are not masked. Devices are included only by --with-tokens: whoever has a push token
    and the credentials of the app can send to the device.
    """

    async def run(database: Database) -> None:
        recipients = Recipients(database)
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("export", total=await recipients.count(app_id))
            after = ("", "")
            while listings := await recipients.roster(app_id, after):
                for listing in listings:
                    entry = entry_of(listing, with_devices=with_tokens)
                    click.echo(msgspec.json.encode(entry))
                after = (listings[-1].app_id, listings[-1].uid)
                bar.advance(task, len(listings))

    run_with_database(run)


@command.command(name="show")
@click.argument("uid")
@click.option("--app", "app_id", help="App of the recipient; default: the only known app.")
@format_option
def show(uid: str, app_id: str | None, form: str) -> None:
    """Show a recipient with contacts and devices; addresses and tokens are masked."""

    async def read(database: Database) -> Recipient | None:
        return await Recipients(database).get(uid, app_id)

    try:
        recipient = run_with_database(read)
    except AppAmbiguous as error:
        fail(str(error))
    if recipient is None:
        fail(f"recipient {uid} is not registered")
    shown = recipient_view(recipient)
    if form == "json":
        click.echo(msgspec.json.encode(shown))
    else:
        show_list(("field", "value"), _fields(shown))


def _fields(shown: RecipientView) -> Iterator[tuple[str, str]]:
    """Yield what there is, under the names that the columns of a table have."""
    yield "uid", shown.uid
    yield "appId", shown.app_id
    yield from ((f"contacts.{kind}", text) for kind, text in sorted(shown.contacts.items()))
    yield from ((f"attributes.{n}", _write(value)) for n, value in sorted(shown.attributes.items()))
    opt_outs = ";".join(shown.opt_outs)
    plain = {
        "timezone": shown.timezone,
        "locale": shown.locale,
        "country": shown.country,
        "optOuts": opt_outs,
    }
    yield from ((name, text) for name, text in plain.items() if text)
    yield from (
        (f"muted.{name}", f"until {clock_time(until)}" if until else "for good")
        for name, until in sorted(shown.muted.items())
    )
    for kind, registered in sorted(shown.registered.items()):
        read_in = f", read in {registered.country}" if registered.country else ""
        yield f"registered.{kind}", f"{registered.raw}{read_in}"
    for device in shown.devices:
        columns = (
            device.platform,
            device.token,
            device.provider_id,
            device.locale,
            device.timezone,
        )
        yield "device", " ".join(text for text in columns if text)


def _write(value: Scalar) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class _ProgressReader:
    """A file, or standard input, read in pieces before a progress bar."""

    def __init__(self, file: str, bar: Progress) -> None:
        self._file = file
        self._bar = bar

    def cut(self, lines: LineSplitter) -> Iterator[bytes | None]:
        """Yield its lines."""
        size = None if self._file == "-" else Path(self._file).stat().st_size
        task = self._bar.add_task(self._file, total=size)
        with click.open_file(self._file, "rb") as stream:
            while piece := stream.read(READ_BYTES):
                yield from lines.cut(piece)
                self._bar.advance(task, len(piece))
        yield from lines.end()


async def _import_lines(
    source: _ProgressReader, taking: RecipientImport, defaults: ImportDefaults, shape: Shape
) -> None:
    lines = LineSplitter()
    for line in source.cut(lines):
        if line is None or line.strip():
            read = TOO_LONG if line is None else LINE_PARSERS[shape](line, defaults)
            await taking.take(lines.number, read)


async def _import_table(
    source: _ProgressReader, taking: RecipientImport, defaults: ImportDefaults
) -> None:
    try:
        for row in read_table(source.cut(LineSplitter()), defaults):
            await taking.take(row.line, row.reading)
    except CsvHeaderInvalid as invalid:
        await taking.take(1, ParsedLine(faults=invalid.faults))


def _format_of(file: str) -> str:
    if file == "-":
        return "jsonl"
    try:
        return FORMATS[Path(file).suffix.lower()]
    except KeyError:
        raise click.UsageError(
            f"{file}: unknown file extension; add --format jsonl or --format csv"
        ) from None


def _reject(
    console: Console,
    file: str,
    line: int,
    fault: RequestFault,
    *,
    name_place: Callable[[RequestFault], RequestFault],
) -> None:
    place = name_place(fault)
    console.print(f"{file}:{line}: {place.path}: {place.reason}")
