"""Drop-in plugins of several files: packages, and files that share a part."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from router.registry import Plugin, PluginRegistry, load_plugins

PAGER = '''"""A channel."""
from router import Channel, Delivered, Message, Outcome, Register, Settings, hookimpl
{imports}


class PagerSettings(Settings, frozen=True):
    """Settings."""


class Pager(Channel[PagerSettings]):
    """Says yes."""

    name = {name}
    Settings = PagerSettings

    async def send(self, message: Message) -> Outcome:
        return Delivered()


@hookimpl
def register_channels(register: Register) -> None:
    register(Pager)
'''


def pager(imports: str = "", name: str = '"pager"') -> str:
    """Return the text of a sound plugin that imports something."""
    return PAGER.format(imports=imports, name=name)


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def load_drop_ins(directory: Path) -> dict[str, Plugin]:
    """Return the drop-ins of a directory, by the name of their file or folder."""
    return drop_ins(load_plugins(directory))


def drop_ins(registry: PluginRegistry) -> dict[str, Plugin]:
    return {Path(p.source).name: p for p in registry.plugins if "/" in p.source}


def private_modules() -> set[str]:
    return {name for name in sys.modules if name.startswith("_router_drop_ins_")}


def module_of(registry: PluginRegistry, channel: str) -> ModuleType:
    """Return the module that defines a channel."""
    return sys.modules[registry.schemas[channel].channel.__module__]


def test_a_folder_with_an_init_file_is_a_plugin(tmp_path: Path) -> None:
    write(tmp_path, {"pager/__init__.py": pager()})
    expected = Plugin(name="pager", source=str(tmp_path / "pager"), channels=("pager",))
    assert load_drop_ins(tmp_path) == {"pager": expected}


def test_a_package_imports_its_parts_relatively(tmp_path: Path) -> None:
    files = {
        "pager/__init__.py": pager("from . import parts\nfrom .deep.names import NAME", "NAME"),
        "pager/parts.py": "import json\n",
        "pager/deep/__init__.py": "",
        "pager/deep/names.py": "from ..parts import json\nNAME = json.loads('\"pager\"')\n",
    }
    registry = load_plugins(write(tmp_path, files))
    assert registry.problems == ()
    module = module_of(registry, "pager")
    assert sys.modules[f"{module.__name__}.deep.names"].__file__ == str(
        tmp_path / "pager/deep/names.py"
    )


def test_files_import_a_shared_part_relatively_and_share_it(tmp_path: Path) -> None:
    files = {
        "_shared.py": "THINGS = []\n",
        "pager.py": pager("from ._shared import THINGS"),
        "bell.py": pager("from . import _shared\nTHINGS = _shared.THINGS", '"bell"'),
    }
    registry = load_plugins(write(tmp_path, files))
    assert registry.problems == ()
    first, second = module_of(registry, "pager"), module_of(registry, "bell")
    assert vars(first)["THINGS"] is vars(second)["THINGS"]


def test_a_bare_import_of_a_neighbour_is_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    files = {
        "_shared.py": "THINGS = []\n",
        "pager.py": "\nimport _shared\n",
        "bell/__init__.py": "from .rings import ring\n",
        "bell/rings.py": "from chimes import chime\n",
        "bell/chimes.py": "chime = 1\n",
        "horn/__init__.py": "from _shared import THINGS\n",
    }
    plugins = load_drop_ins(write(tmp_path, files))
    assert plugins["pager.py"].error == (
        f"{tmp_path}/pager.py:2: ModuleNotFoundError: No module named '_shared'; "
        "import a neighbour relatively: `from ._shared import …`"
    )
    assert plugins["bell"].error == (
        f"{tmp_path}/bell/rings.py:1: ModuleNotFoundError: No module named 'chimes'; "
        "import a neighbour relatively: `from .chimes import …`"
    )
    assert plugins["horn"].error.endswith("`from .._shared import …`")


def test_a_neighbour_hides_no_module_of_the_standard_library(tmp_path: Path) -> None:
    files = {
        "json.py": "raise ValueError\n",
        "pager/__init__.py": pager("import json\nloads = json.loads"),
        "pager/json.py": "raise ValueError\n",
    }
    registry = load_plugins(write(tmp_path, files))
    assert drop_ins(registry)["json.py"].error
    module = module_of(registry, "pager")
    assert vars(module)["loads"] is json.loads


def test_only_files_and_packages_with_a_public_name_are_plugins(tmp_path: Path) -> None:
    files = {
        "pager/__init__.py": pager(),
        "_parts/__init__.py": "raise ValueError\n",
        "test_pager/__init__.py": "raise ValueError\n",
        "__init__.py": "raise ValueError\n",
        "__pycache__/__init__.py": "raise ValueError\n",
        "__pycache__/pager.cpython-311.pyc": "",
        ".hidden/__init__.py": "raise ValueError\n",
        "._pager.py": "raise ValueError\n",
        "no_package/pager.py": "raise ValueError\n",
        "folder.py/readme.txt": "",
        "readme.md": "",
    }
    assert set(load_drop_ins(write(tmp_path, files))) == {"pager"}


def test_a_name_with_a_dot_is_an_error_that_names_another(tmp_path: Path) -> None:
    plugins = load_drop_ins(write(tmp_path, {"pager.old.py": pager()}))
    assert plugins["pager.old.py"].error == ("a module name has no dot: rename it to pager_old")


def test_a_file_and_a_package_of_one_name_are_both_errors(tmp_path: Path) -> None:
    registry = load_plugins(write(tmp_path, {"pager.py": pager(), "pager/__init__.py": pager()}))
    plugins = drop_ins(registry)
    assert "pager" not in registry.schemas
    assert f"so does pager ({tmp_path / 'pager.py'})" in plugins["pager"].error
    assert f"so does pager ({tmp_path / 'pager'})" in plugins["pager.py"].error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\n\n1 / 0\n", "parts.py:3: ZeroDivisionError: division by zero"),
        ("x = 1\ndef broken(:\n", "parts.py:2: invalid syntax"),
        ("import json\njson.loads('{')\n", "parts.py:2: JSONDecodeError"),
        ("from .nothing import x\n", "parts.py:1: ModuleNotFoundError: No module named '.pager."),
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
    ],
)
def test_a_fault_of_a_part_is_named_with_its_file_and_line(
    tmp_path: Path, text: str, error: str
) -> None:
    files = {"pager/__init__.py": pager("from .parts import x"), "pager/parts.py": text}
    problem = load_drop_ins(write(tmp_path, files))["pager"].error
    assert f"{tmp_path}/pager/parts.py" in problem
    assert error in problem
    assert "_router_drop_ins_" not in problem
    assert "relatively" not in problem


def test_a_package_that_cannot_be_loaded_leaves_no_part_behind(tmp_path: Path) -> None:
    files = {
        "_shared.py": "x = 1\n",
        "pager/__init__.py": "from .. import _shared\nfrom .deep import parts\n1 / 0\n",
        "pager/deep/__init__.py": "",
        "pager/deep/parts.py": "",
    }
    before = private_modules()
    load_plugins(write(tmp_path, files))
    [directory] = private_modules() - before
    assert not hasattr(sys.modules[directory], "_shared")


def test_a_package_that_was_mended_loads(tmp_path: Path) -> None:
    files = {"pager/__init__.py": pager("from .parts import x"), "pager/parts.py": "1 / 0\n"}
    assert load_drop_ins(write(tmp_path, files))["pager"].error
    write(tmp_path, {"pager/parts.py": "x = 'mended'\n"})
    assert load_drop_ins(tmp_path)["pager"].channels == ("pager",)


def test_a_failing_plugin_takes_no_part_from_a_sound_one(tmp_path: Path) -> None:
    files = {
        "_shared.py": "THINGS = []\n",
        "bell.py": pager("from ._shared import THINGS", '"bell"'),
        "pager.py": "from ._shared import THINGS\n1 / 0\n",
    }
    registry = load_plugins(write(tmp_path, files))
    module = module_of(registry, "bell")
    package = module.__name__.rpartition(".")[0]
    assert vars(module)["THINGS"] is vars(sys.modules[f"{package}._shared"])["THINGS"]


def test_a_folder_that_cannot_be_read_is_no_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"pager/__init__.py": pager(), "lost+found/__init__.py": pager()})
    is_file = Path.is_file

    def refuse(path: Path) -> bool:  # root may read every folder
        if "lost+found" in path.parts:
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert set(load_drop_ins(tmp_path)) == {"pager"}
