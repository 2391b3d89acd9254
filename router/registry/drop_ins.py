"""Drop-in plugins: the files and packages of one directory, loaded under private names.

The directory becomes a package with a name of its own, and each plugin a module of it. So
`from ._helper import …` works in files and in packages, and a drop-in `email.py` hides no module
of the standard library, as an entry in `sys.path` would make it do.
"""

import importlib
import sys
from collections.abc import Iterator
from hashlib import blake2b
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType


def is_plugin_name(name: str) -> bool:
    """Return whether a name may be a plugin's, and is no part's, no test's and not hidden."""
    return not name.startswith(("_", ".", "test_"))


def find_drop_ins(directory: Path) -> Iterator[Path]:
    """Yield the plugins of a directory by name: `*.py` files, and folders with an `__init__.py`.

    Raises `OSError` when the directory cannot be read.
    """
    for path in sorted(directory.iterdir()):
        if is_plugin_name(path.name) and (_is_package(path) or _is_file(path)):
            yield path


def _is_package(path: Path) -> bool:
    try:
        return (path / "__init__.py").is_file()
    except OSError:  # a folder of somebody else's, as `lost+found` is
        return False


def _is_file(path: Path) -> bool:
    return path.suffix == ".py" and not path.is_dir()


def load_drop_in(path: Path) -> ModuleType:
    """Return the module of a drop-in.

    Raises what its code raises, and `LookupError` for a name that no module can have.
    """
    name = path.name.removesuffix(".py")
    if "." in name:
        raise LookupError(f"a module name has no dot: rename it to {name.replace('.', '_')}")
    importlib.invalidate_caches()  # a file may be younger than the finder's list of the directory
    return import_plugin(name, _open_directory(path.parent))


def _open_directory(directory: Path) -> str:
    """Return the name of the package that stands for a directory of drop-ins."""
    name = package_name(directory)
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(directory.absolute())]
        sys.modules[name] = module_from_spec(spec)
    return name


def package_name(directory: Path) -> str:
    """Return the private name under which the drop-ins of a directory are modules."""
    tag = blake2b(str(directory.absolute()).encode(), digest_size=6).hexdigest()
    return f"_router_drop_ins_{tag}"


def import_plugin(name: str, package: str) -> ModuleType:
    """Return the module of a package that is a plugin.

    When it fails, no module of the package that was imported on its behalf stays in
    `sys.modules`: Python itself removes the module that raised and keeps its submodules.
    """
    before = set(sys.modules)
    try:
        return importlib.import_module(f"{package}.{name}")
    except BaseException:
        for module in sys.modules.keys() - before:
            if module.startswith(f"{package}."):
                _forget_module(module)
        raise


def _forget_module(name: str) -> None:
    del sys.modules[name]
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(child, None)


def find_relative_import(name: str, file: Path, directory: Path) -> str:
    """Return how a file of a drop-in imports the neighbour `name`, empty where there is none."""
    top = name.partition(".")[0]
    for depth, folder in enumerate(file.parents, start=1):
        if not folder.is_relative_to(directory):
            break
        if _is_package(folder / top) or (folder / f"{top}.py").is_file():
            return f"from {'.' * depth}{top} import …"
    return ""
