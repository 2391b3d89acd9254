"""Recipients as a table: the rows of a CSV file, as the JSON that an import reads."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from router.core.errors import suggest
from router.core.model.payload import Json
from router.store.errors import RequestFault
from router.web.import_formats import ImportDefaults, ParsedLine, read_object
from router.web.imports import TOO_LONG
from router.web.recipient_schemas import DeviceEntry

PLAIN = ("uid", "appId", "timezone", "locale", "country", "optOuts")
GROUPS = ("contacts", "attributes", "muted")
DEVICE = tuple(
    f"device.{field.encode_name}"
    for field in msgspec.structs.fields(DeviceEntry)
    if field.encode_name != "subscription"
)
_KNOWN = (*PLAIN, *(f"{group}." for group in GROUPS), *DEVICE)
_NUMBERS = ("muted.", "device.seenAt")


class CsvHeaderInvalid(ValueError):  # noqa: N818 - it names what is wrong with the file
    """The first line names columns that cannot be; `faults` has each of them."""

    def __init__(self, faults: Sequence[RequestFault]) -> None:
        """Keep the faults."""
        super().__init__("; ".join(f"{fault.path}: {fault.reason}" for fault in faults))
        self.faults = tuple(faults)


class CsvRow(NamedTuple):
    """What was read of a row, and the line on which it ends."""

    line: int
    reading: ParsedLine


class _CountedLines:
    """The lines of a file as text, counted."""

    def __init__(self, lines: Iterable[bytes | None]) -> None:
        self.number = 0
        self.long: list[int] = []
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if line is None:
                self.long.append(self.number)
                yield "\n"
            else:
                yield line.decode("utf-8", "surrogateescape") + "\n"


def read_table(lines: Iterable[bytes | None], defaults: ImportDefaults) -> Iterator[CsvRow]:
    """Yield what the rows hold, and what is wrong with each; an empty cell says nothing.

    The first line names the columns: `uid`, `contacts.email`, `attributes.tier`, `device.token`
    and so on. `optOuts` are parted by `;`, and a column `attributes.NAME:json` holds numbers and
    booleans. Raises `CsvHeaderInvalid` when the first line cannot be.
    """
    source = _CountedLines(lines)
    rows = csv.reader(source, strict=True)
    columns: list[str] | None = None
    before = 0
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            reason = f"is not CSV: {error}; lines {before + 1} to {source.number} are left out"
            yield CsvRow(before + 1, ParsedLine(faults=[RequestFault("$", reason)]))
            before = source.number
            continue
        first, before = before + 1, source.number
        yield from (CsvRow(line, TOO_LONG) for line in source.long)
        source.long.clear()
        if cells is None:
            return
        if columns is None:
            columns = _read_header(cells)
        elif cells:
            yield CsvRow(first, _read_row(columns, cells, defaults))


def _read_header(cells: Sequence[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    faults = [
        RequestFault(column or "an empty name", f"unknown column; {_hint(column)}")
        for column in columns
        if not _is_known(column)
    ]
    faults += [
        RequestFault(column, "is named twice")
        for column in set(columns)
        if columns.count(column) > 1
    ]
    if "uid" not in columns:
        faults.append(
            RequestFault("uid", "the first line names the columns, and this one must be there")
        )
    if faults:
        raise CsvHeaderInvalid(faults)
    return columns


def _is_known(column: str) -> bool:
    group, _, name = column.partition(".")
    return column in PLAIN or column in DEVICE or (group in GROUPS and bool(name))


def _hint(column: str) -> str:
    return suggest(column, _KNOWN) or f"known are {', '.join(_KNOWN)}"


def _read_row(columns: Sequence[str], cells: Sequence[str], defaults: ImportDefaults) -> ParsedLine:
    if len(cells) != len(columns):
        reason = f"has {len(cells)} cells; the first line names {len(columns)}"
        return ParsedLine(faults=[RequestFault("$", reason)])
    entry: dict[str, Json] = {"uid": ""}
    device: dict[str, Json] = {}
    faults: list[RequestFault] = []
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        group, _, name = column.partition(".")
        try:
            value = _read_value(column, cell)
        except (msgspec.DecodeError, UnicodeEncodeError):
            faults.append(
                RequestFault(column, "is not JSON: write a number, true, false or a quoted text")
            )
            continue
        if group == "device":
            device[name] = value
        elif group in GROUPS:
            part = entry.setdefault(group, {})
            assert isinstance(part, dict)  # noqa: S101 - every group is one
            part[name.removesuffix(":json") if group == "attributes" else name] = value
        else:
            entry[column] = value
    if device:
        entry["devices"] = [device]
    if faults:
        return ParsedLine(faults=faults)
    read = read_object(entry, defaults)
    return read._replace(faults=[in_columns(fault) for fault in read.faults])


def _read_value(column: str, cell: str) -> Json:
    if column == "optOuts":
        return [word.strip() for word in cell.split(";")]
    if column.startswith("attributes.") and column.endswith(":json"):
        value: Json = msgspec.json.decode(cell)
        return value
    if column.startswith(_NUMBERS):
        return _read_number(cell)
    return cell


def _read_number(cell: str) -> Json:
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if math.isfinite(number) else cell


def in_columns(fault: RequestFault) -> RequestFault:
    """Return a fault with its place as a column is named."""
    path = fault.path.removeprefix("$.").replace("devices[0]", "device", 1)
    return RequestFault(path, fault.reason)
