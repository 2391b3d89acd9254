"""Where plugins come from: the router itself, other distributions, a directory."""

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

from msgspec import Struct
from pluggy import PluginValidationError

import router.plugins

ENTRY_POINT_GROUP = "router.plugins"
"""The entry-point group of other distributions."""

_CODE_ERRORS = (ArithmeticError, AttributeError, ImportError, NameError, PluginValidationError)


class PluginCandidate(Struct, frozen=True, kw_only=True):
    """A plugin that was found and not yet loaded; `file` is where its faults are looked for."""

    name: str
    source: str
    load: Callable[[], object]
    version: str = ""
    is_drop_in: bool = False

    @property
    def title(self) -> str:
        """How it is called among others."""
        return f"{self.name} ({self.source})"

    def explain(self, error: BaseException) -> str:
        """Return what went wrong, and the last line outside of the machinery where it did.

        Only an error about code is quoted: the words of others may hold what the plugin read.
        """
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if _is_plugin_frame(f.filename)
        ]
        place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}:{error.lineno}: {error.msg}"
        if type(error) in {LookupError, TypeError}:  # ours
            return f"{place}{error}"
        name = type(error).__name__
        return f"{place}{name}: {error}" if isinstance(error, _CODE_ERRORS) else f"{place}{name}"


def _is_plugin_frame(filename: str) -> bool:
    """Return whether a frame is a plugin's own: neither loading nor a library's."""
    package_path = str(Path(__file__).parent)
    library = "importlib" in filename or "site-packages" in filename or "pluggy" in filename
    return not library and not filename.startswith(package_path)


def find_plugins(directory: Path | None) -> Iterator[PluginCandidate]:
    """Yield every plugin there is, in a fixed order."""
    yield from _find_built_in()
    yield from _find_installed()
    if directory is not None:
        yield from _find_dropped_in(directory)


def _is_plugin(name: str) -> bool:
    return not name.startswith(("_", "test_"))


def _find_built_in() -> Iterator[PluginCandidate]:
    package = router.plugins
    for module in pkgutil.iter_modules(package.__path__):
        if _is_plugin(module.name):
            name = f"{package.__name__}.{module.name}"
            yield PluginCandidate(
                name=module.name,
                source="built in",
                version=version("notification-router"),
                load=partial(importlib.import_module, name),
            )


def _find_installed() -> Iterator[PluginCandidate]:
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        yield PluginCandidate(
            name=entry.name,
            source=_distribution_name(entry),
            version=entry.dist.version if entry.dist else "",
            load=entry.load,
        )


def _distribution_name(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _find_dropped_in(directory: Path) -> Iterator[PluginCandidate]:
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix == ".py")
    except OSError as error:
        yield PluginCandidate(
            name=directory.name,
            source=str(directory),
            load=_make_failing_loader(error),
            is_drop_in=True,
        )
        return
    for path in files:
        if _is_plugin(path.stem):
            yield PluginCandidate(
                name=path.stem,
                source=str(path),
                load=partial(_load_file, path),
                is_drop_in=True,
            )


def _make_failing_loader(error: OSError) -> Callable[[], object]:
    def load() -> object:
        raise LookupError(f"the directory of drop-in plugins cannot be read: {error.strerror}")

    return load


def _load_file(path: Path) -> object:
    """Return the module of a file, under a name that no import can meet.

    A file `email.py` would hide the standard library's; msgspec looks annotations up in
    `sys.modules`.
    """
    tag = blake2b(str(path.resolve()).encode(), digest_size=6).hexdigest()
    name = f"_router_dropin_{tag}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LookupError("cannot be read as a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
