"""The disk as Apprise's plugins see it: the files that the rules name, and nothing else.

The loader of the rules reads the files; a send holds their texts. Apprise's code opens no other
file, writes none, and fetches none from the network, so a send never waits for a disk, and no URL
reaches a file that the operator has not granted.
"""

import gzip
import os
import tempfile
from collections.abc import Collection, Mapping, MutableMapping
from errno import EACCES
from io import BytesIO, StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from apprise.attachment.base import AttachBase
from apprise.attachment.file import AttachFile
from apprise.attachment.memory import AttachMemory

from router.bridge.module_shim import copy_public_names
from router.bridge.send_context import SEND_CONTEXT

_WRITE_MODES = frozenset("wax+")


def find_file_text(path: str) -> str | None:
    """Return the text of a file that the current send may read; None for any other."""
    send_context = SEND_CONTEXT.get()
    return None if send_context is None else send_context.local_files.get(path)


def open_text(
    file: str | os.PathLike[str], mode: str = "r", *_: object, **__: object
) -> BytesIO | StringIO:
    """Open a file of the current send, as `open` does; raises `PermissionError` for any other."""
    path = os.fspath(file)
    text = None if _WRITE_MODES & set(mode) else find_file_text(path)
    if text is None:
        raise PermissionError(EACCES, "the rules name no such file", path)
    return BytesIO(text.encode()) if "b" in mode else StringIO(text)


def _deny_access(*_: object, **__: object) -> NoReturn:
    raise PermissionError(EACCES, "Apprise may not use the disk")


class RestrictedModule(ModuleType):
    """A stand-in for a module: `names` of the bridge, `harmless` ones of its own, no others."""

    def __init__(
        self, module: ModuleType, names: Mapping[str, object], *, harmless: Collection[str] = ()
    ) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(names)
        self._module = module
        self._harmless = harmless

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any member of the module
        """Return a harmless member of the module; any other is a function that raises."""
        if name.startswith("_"):
            raise AttributeError(name)
        member = getattr(self._module, name)
        return member if name in self._harmless else _deny_access


def _is_readable(path: str | os.PathLike[str]) -> bool:
    return find_file_text(os.fspath(path)) is not None


def _file_size(path: str | os.PathLike[str]) -> int:
    return len(open_text(path, "rb").getvalue())


def _can_access(path: str | os.PathLike[str], mode: int) -> bool:
    """Return whether a program can be run, or whether the send holds a file to read."""
    if mode == os.X_OK:
        return os.access(path, mode)
    return mode in {os.R_OK, os.F_OK} and _is_readable(path)


_PATH = RestrictedModule(
    os.path,
    copy_public_names(
        os.path, without={"getatime", "getctime", "getmtime", "islink", "ismount", "lexists"}
    )
    | {"exists": _is_readable, "isfile": _is_readable, "getsize": _file_size},
)

_HARMLESS_NAMES = frozenset(
    {"F_OK", "R_OK", "W_OK", "X_OK"}
    | {"environ", "fsdecode", "fspath", "getpid", "linesep", "name", "sep", "urandom"}
)
_OS = RestrictedModule(os, {"path": _PATH, "access": _can_access}, harmless=_HARMLESS_NAMES)

_TEMPFILE = RestrictedModule(tempfile, {})

_GZIP = RestrictedModule(gzip, {"compress": gzip.compress, "decompress": gzip.decompress})

_SHIMS: Mapping[int, object] = {
    id(os): _OS,
    id(tempfile): _TEMPFILE,
    id(tempfile.NamedTemporaryFile): _deny_access,
    id(gzip): _GZIP,
}

UNRESTRICTED_MODULES = (
    "apprise.asset",
    "apprise.cli",
    "apprise.locale",
    "apprise.logger",
    "apprise.manager",
)
"""Prefixes of the modules that read nothing but Apprise's own package."""


def block_disk_access(module: ModuleType) -> None:
    """Rebind the names by which a module of Apprise reaches the disk."""
    if module.__name__.startswith(UNRESTRICTED_MODULES):
        return
    names = vars(module)
    names.update({n: _SHIMS[id(v)] for n, v in names.items() if id(v) in _SHIMS})
    names["open"] = open_text


class LocalFile(AttachFile):
    """A file that a URL names; it exists in a send whose rules name it."""

    def __init__(self, path: str, **options: Any) -> None:  # noqa: ANN401 - Apprise's options
        super().__init__(path, **options)
        self.dirty_path = path  # as written: neither `~` nor a variable is expanded

    def exists(self, retrieve_if_missing: bool = True) -> bool:  # noqa: FBT001, FBT002 - Apprise's signature
        """Return whether the file can be read."""
        if self.download_path and find_file_text(self.download_path) is not None:
            return True
        return retrieve_if_missing and self.download()

    def download(self, **_: object) -> bool:
        """Return whether the current send holds the file and its size is within the limit."""
        self.invalidate()
        text = find_file_text(self.dirty_path)
        if text is None or 0 < self.max_file_size < len(text.encode()):
            return False
        self.download_path = self.dirty_path
        self.detected_name = Path(self.dirty_path).name
        return True


ATTACHMENT_TYPES: MutableMapping[str, type[AttachBase]] = {
    "file": LocalFile,
    "memory": AttachMemory,
}
"""The sources of files by scheme; none of them uses the network."""
