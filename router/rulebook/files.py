"""Rules files read from disk, and how it shows that they have changed."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from router.core.errors import Problem
from router.core.loading import (
    IncludeSource,
    LoadResult,
    Sources,
    Unresolved,
    fixed_folder,
    hash_texts,
    load,
)
from router.core.model.byte_order_mark import skip_byte_order_mark
from router.core.rules.ruleset import ChannelSchema
from router.redaction import is_credential
from router.regular_files import READ_TIMEOUT_S, UnreadableFileError, call_within, read_text
from router.store.log.stored_rules import StoredFile, StoredRules
from router.zones import read_zones

Stamp = tuple[int, int, int]
"""What a write to a file changes: its time, its size, or which file it is."""


MAX_RULES_BYTES = 8 * 2**20
"""The largest rules file that is read."""

MAX_REFERENCE_BYTES = 2**20
"""The largest file that `${file:PATH}` takes in."""


class RulesText(Struct, frozen=True, kw_only=True):
    """A rules file as read, and what became of it; `text` is empty when it cannot be read.

    `stamps` are those of every file read, and `patterns` what the included ones were found by.
    """

    text: str
    loaded: LoadResult
    stamps: Mapping[str, Stamp] = {}
    patterns: tuple[str, ...] = ()


def read_rules(
    path: Path,
    plugins: Mapping[str, ChannelSchema],
    *,
    sandbox: bool,
    kept: Mapping[str, str] | None = None,
    refused: Mapping[str, Problem] | None = None,
) -> RulesText:
    """Return the rules in a file with every problem of it; never raises for a bad file.

    `kept` are the last good texts of included files, which stand in for bad ones; `refused` are
    included files known to be bad, and why.
    """
    folder = _RulesFolder(path, refused or {})
    stamps = stat_files(path, ())
    main = _read(path, str(path), "ROUTER_RULES names the rules file")
    if main.fault is not None:
        loaded = LoadResult(ruleset=None, problems=(main.fault,))
        return RulesText(text="", loaded=loaded, stamps=stamps)
    loaded = _load(
        main.text, str(path), plugins, sandbox=sandbox, sources=folder.find, kept=kept or {}
    )
    stamps |= folder.stamps
    return RulesText(text=main.text, loaded=loaded, stamps=stamps, patterns=tuple(folder.patterns))


def load_stored(
    stored: StoredRules, mark: str, plugins: Mapping[str, ChannelSchema], *, sandbox: bool
) -> LoadResult:
    """Return what becomes of kept rules; the names of their files end in `mark`."""
    kept = [IncludeSource(file=file.file + mark, text=file.text) for file in stored.included]
    name = stored.file + mark
    return _load(stored.text, name, plugins, sandbox=sandbox, sources=lambda _: kept, kept={})


def _load(  # noqa: PLR0913 - as `load` in the core
    text: str,
    file: str,
    plugins: Mapping[str, ChannelSchema],
    *,
    sandbox: bool,
    sources: Sources,
    kept: Mapping[str, str],
) -> LoadResult:
    """Return what becomes of a text, with what it takes from the environment and files."""
    return load(
        text,
        file=file,
        plugins=plugins,
        resolve=_resolve,
        sandbox=sandbox,
        zones=read_zones(),
        sources=sources,
        kept=kept,
    )


def stat_files(path: Path, patterns: Sequence[str]) -> dict[str, Stamp]:
    """Return the stamps of a rules file and of what the patterns match beside it.

    A file that is not there, or cannot be asked about, has none.
    """
    stamps: dict[str, Stamp] = {}
    for pattern in patterns:
        stamps |= _look_for(path, pattern)
    stamp = call_within(READ_TIMEOUT_S, str(path), lambda: _stamp(str(path)))
    return stamps if stamp is None else {str(path): stamp, **stamps}


def to_stored(
    read: RulesText, version: str, file: str, now: float
) -> tuple[StoredRules, list[str]]:
    """Return good rules as they are kept, and which files of them hold secrets.

    A text with secrets in it is kept only less those, so nothing can be made of it again.
    """
    loaded, secretive = read.loaded, []
    text = read.text
    if any(map(is_credential, loaded.secrets)):
        text = loaded.text
        secretive.append(file)
    included = []
    for found in loaded.included:
        shown = found.text
        if any(map(is_credential, found.secrets)):
            shown = found.hidden
            secretive.append(found.file)
        if found.text:
            hash_ = hash_texts(found.text)
            included.append(StoredFile(file=found.file, text=shown, version=hash_))
    rules = StoredRules(
        version=version, text=text, file=file, included=tuple(included), loaded_at=now
    )
    return rules, secretive


class _RulesFolder:
    """The files beside a rules file, as they are asked for."""

    def __init__(self, path: Path, refused: Mapping[str, Problem]) -> None:
        self.patterns: list[str] = []
        self.stamps: dict[str, Stamp] = {}
        self._path = path
        self._refused = refused

    def find(self, pattern: str) -> list[IncludeSource]:
        self.patterns.append(pattern)
        folder = os.path.normpath(self._path.parent / fixed_folder(pattern))
        stamps = _look_for(self._path, pattern)  # before the texts: a later write shows
        self.stamps |= stamps
        return [self._read(name, folder) for name in sorted(stamps)]

    def _read(self, name: str, folder: str) -> IncludeSource:
        source = _read(Path(name), name, "let the router read it", folder)
        return structs.replace(source, fault=source.fault or self._refused.get(name))


def _look_for(path: Path, pattern: str) -> dict[str, Stamp]:
    """Return the stamps of the files that a pattern matches; none of a folder that hangs."""
    return call_within(READ_TIMEOUT_S, f"{path}: {pattern}", lambda: _match(path, pattern)) or {}


def _match(path: Path, pattern: str) -> dict[str, Stamp]:
    try:
        names = {os.path.normpath(match) for match in path.parent.glob(pattern)}
    except (OSError, ValueError):
        return {}
    stamps = {name: _stamp(name) for name in names - {os.path.normpath(path)}}
    return {name: stamp for name, stamp in stamps.items() if stamp is not None}


def _stamp(name: str) -> Stamp | None:
    """Return the stamp of a file; None for a folder, and where there is nothing to be found."""
    try:
        status = Path(name).stat()
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path, name: str, hint: str, folder: str = "") -> IncludeSource:
    try:
        return IncludeSource(
            file=name, text=read_text(path, max_bytes=MAX_RULES_BYTES, folder=folder)
        )
    except UnreadableFileError as error:
        message = f"cannot be read: {error}"
    fault = Problem(file=name, line=1, column=1, message=message, hint=hint)
    return IncludeSource(file=name, fault=fault)


def _resolve(source: Literal["env", "file"], name: str, folder: str) -> str | Unresolved:
    if source == "env":
        value = skip_byte_order_mark(os.environ.get(name, ""))
        return value or Unresolved(message=f"the variable {name} is not set", hint="set it")
    try:
        return read_text(Path(name), max_bytes=MAX_REFERENCE_BYTES, folder=folder)
    except UnreadableFileError as error:
        hint = "put a file there that the router may read"
        return Unresolved(message=f"the file {name} cannot be read: {error}", hint=hint)
