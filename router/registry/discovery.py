"""Where plugins come from: the router itself, other distributions, a directory."""

import pkgutil
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

from msgspec import Struct
from pluggy import PluginValidationError

import router.plugins
from router.registry.drop_ins import (
    find_drop_ins,
    find_relative_import,
    import_plugin,
    is_plugin_name,
    load_drop_in,
    package_name,
)

ENTRY_POINT_GROUP = "router.plugins"
"""The entry-point group of other distributions."""

_CODE_ERRORS = (ArithmeticError, AttributeError, ImportError, NameError, PluginValidationError)


class PluginCandidate(Struct, frozen=True, kw_only=True):
    """A plugin that was found and not yet loaded.

    `directory` is the absolute path of the drop-ins' directory, and None for other plugins.
    """

    name: str
    source: str
    load: Callable[[], object]
    version: str = ""
    directory: Path | None = None

    @property
    def is_drop_in(self) -> bool:
        """Return whether the plugin goes before an installed one that offers the same channel."""
        return self.directory is not None

    @property
    def title(self) -> str:
        """How it is called among others."""
        return f"{self.name} ({self.source})"

    def explain(self, error: BaseException) -> str:
        """Return what went wrong, and the last line outside of the machinery where it did.

        Only an error about code is quoted: the words of others may hold what the plugin read.
        """
        text = self._explain(error)
        return text.replace(f"{package_name(self.directory)}.", ".") if self.directory else text

    def _explain(self, error: BaseException) -> str:
        file, line = self._find_place(error)
        place = f"{file}:{line}: " if file else ""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}:{error.lineno}: {error.msg}"
        if type(error) in {LookupError, TypeError}:  # ours
            return f"{place}{error}"
        name = type(error).__name__
        if not isinstance(error, _CODE_ERRORS):
            return f"{place}{name}"
        return f"{place}{name}: {error}{self._find_remedy(error, file)}"

    def _find_place(self, error: BaseException) -> tuple[str, int | None]:
        """Return the file and line of the plugin's last frame: of a drop-in, in its directory."""
        frames = traceback.extract_tb(error.__traceback__)
        if self.directory:
            own = [f for f in frames if Path(f.filename).is_relative_to(self.directory)]
        else:
            own = [f for f in frames if _is_plugin_frame(f.filename)]
        return (own[-1].filename, own[-1].lineno) if own else ("", None)

    def _find_remedy(self, error: BaseException, file: str) -> str:
        """Return how to import a neighbour that a drop-in imports by its bare name."""
        if not isinstance(error, ModuleNotFoundError) or not error.name or not self.directory:
            return ""
        form = find_relative_import(error.name, Path(file), self.directory)
        return f"; import a neighbour relatively: `{form}`" if form else ""


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


def _find_built_in() -> Iterator[PluginCandidate]:
    package = router.plugins
    for module in pkgutil.iter_modules(package.__path__):
        if is_plugin_name(module.name):
            yield PluginCandidate(
                name=module.name,
                source="built in",
                version=version("notification-router"),
                load=partial(import_plugin, module.name, package.__name__),
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
        paths = list(find_drop_ins(directory))
    except OSError as error:
        yield PluginCandidate(
            name=directory.name,
            source=str(directory),
            load=_make_failing_loader(error),
            directory=directory.absolute(),
        )
        return
    for path in paths:
        yield PluginCandidate(
            name=path.name.removesuffix(".py"),
            source=str(path),
            load=partial(load_drop_in, path),
            directory=directory.absolute(),
        )


def _make_failing_loader(error: OSError) -> Callable[[], object]:
    def load() -> object:
        raise LookupError(f"the directory of drop-in plugins cannot be read: {error.strerror}")

    return load
