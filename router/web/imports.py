"""An import: lines of any length of file, read as they come, applied in batches, each durable."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct
from msgspec.structs import replace

from router.core.model.byte_order_mark import skip_byte_order_mark
from router.store.errors import AppAmbiguous, RequestFault
from router.store.recipients.repository import RecipientRecord, Recipients
from router.web.addresses import AddressNormalizer
from router.web.import_formats import ImportDefaults, ParsedLine, read_line, read_tokens

RECIPIENTS_PER_TRANSACTION = 200
"""How many recipients one transaction takes."""

MAX_LINE_BYTES = 1024 * 1024
"""How many bytes a line may have."""

TOO_LONG = ParsedLine(faults=[RequestFault("$", f"is longer than {MAX_LINE_BYTES} bytes")])
"""What is read of a line that is too long."""

Shape = Literal["router", "cometchat"]
"""Whose JSON the lines are: the router's own, or what CometChat's REST API answers."""

LINE_PARSERS: Mapping[Shape, Callable[[bytes, ImportDefaults], ParsedLine]] = {
    "router": read_line,
    "cometchat": read_tokens,
}
"""What reads a line of each shape."""


class ImportSummary(Struct, kw_only=True):
    """What became of the lines of an import."""

    lines: Annotated[int, Meta(description="Lines that held something.")] = 0
    changed: Annotated[int, Meta(description="Entries that changed something.")] = 0
    unchanged: Annotated[int, Meta(description="Entries that were so already.")] = 0
    bad: Annotated[int, Meta(description="Lines with something wrong.")] = 0


class LineSplitter:
    """Cuts bytes that come in pieces into lines, holding no more than one of them."""

    def __init__(self) -> None:
        """Begin before the first line."""
        self.number = 0
        """Of the last line that was cut; the first is 1."""
        self._rest = bytearray()
        self._is_long = False

    def cut(self, piece: bytes) -> Iterator[bytes | None]:
        """Yield the lines that a piece ends, without their ends; None for one that is too long."""
        *ended, rest = piece.split(b"\n")
        for line in ended:
            self._add(line)
            yield self._take()
        self._add(rest)

    def end(self) -> Iterator[bytes | None]:
        """Yield the last line if nothing ended it."""
        if self._rest or self._is_long:
            yield self._take()

    def _add(self, part: bytes) -> None:
        if self._is_long or len(self._rest) + len(part) > MAX_LINE_BYTES:
            self._is_long = True
            self._rest.clear()
        else:
            self._rest += part

    def _take(self) -> bytes | None:
        line = None if self._is_long else bytes(self._rest).removesuffix(b"\r")
        self.number += 1
        if line is not None and self.number == 1:
            line = skip_byte_order_mark(line)
        self._rest.clear()
        self._is_long = False
        return line


class RecipientImport:
    """Takes what was read of lines, applies it batch by batch, and counts."""

    def __init__(
        self,
        recipients: Recipients,
        addresses: AddressNormalizer,
        reject: Callable[[int, RequestFault], None],
        summary: ImportSummary,
        *,
        dry_run: bool = False,
    ) -> None:
        """Tell `reject` each line's number and fault, and count into `summary`.

        `addresses` brings what the lines say into the form that is sent to.

        With `dry_run` what is there is compared and nothing is written.
        """
        self._apply = recipients.compare if dry_run else recipients.enrol
        self._countries = recipients.countries
        self._addresses = addresses
        self._reject = reject
        self._waiting: list[tuple[int, RecipientRecord]] = []
        self.summary = summary

    async def take(self, line: int, reading: ParsedLine) -> None:
        """Take what was read of a line."""
        self.summary.lines += 1
        self.summary.bad += bool(reading.faults)
        for fault in reading.faults:
            self._reject(line, fault)
        for entry in reading.entries:
            self._waiting.append((line, entry))
            if len(self._waiting) == RECIPIENTS_PER_TRANSACTION:
                await self.flush()

    async def flush(self) -> None:
        """Apply what waits."""
        waiting, self._waiting = self._waiting, []
        entries = await self._normalize(waiting)
        if entries:
            changed = sum(await self._apply(entries))
            self.summary.changed += changed
            self.summary.unchanged += len(entries) - changed

    async def _normalize(
        self, waiting: Sequence[tuple[int, RecipientRecord]]
    ) -> list[RecipientRecord]:
        """Return the entries with their addresses in the form that is sent to; reject others."""
        countries = await self._find_countries(waiting)
        entries: list[RecipientRecord] = []
        for line, entry in waiting:
            owner, change = (entry.app_id, entry.uid), entry.change
            if change.country is not UNSET:
                countries[owner] = change.country or ""
            country = countries.get(owner, "")
            change, faults = self._addresses.normalize(change, entry.app_id, country)
            self.summary.bad += bool(faults)
            for fault in faults:
                self._reject(line, fault)
            if not faults:
                entries.append(replace(entry, change=change))
        return entries

    async def _find_countries(
        self, waiting: Sequence[tuple[int, RecipientRecord]]
    ) -> dict[tuple[str, str], str]:
        """Return the countries of those, by app and uid, whose addresses cannot do without."""
        owners = [
            (entry.app_id, entry.uid)
            for _, entry in waiting
            if self._addresses.needs_country(entry.change)
        ]
        return await self._countries(owners) if owners else {}


async def read_defaults(
    recipients: Recipients, app_id: str | None, addresses: AddressNormalizer
) -> ImportDefaults:
    """Return what lines leave to the import: with no `app_id`, the one app that is known."""
    try:
        return ImportDefaults(app_id=app_id or await recipients.only_app(), addresses=addresses)
    except AppAmbiguous as unclear:
        return ImportDefaults(unclear=str(unclear), addresses=addresses)
