import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import router.plugins
from tests import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[a-z0-9.]+)( ; (?P<marker>[^:/@\\]+))? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?P<more> \\)?")


class Artefacts(NamedTuple):
    """What `python -m build` makes of the tree: the wheel is built from the sdist."""

    wheel: Path
    sdist: Path


def files_of_the_tree() -> set[str]:
    """Every file a wheel must hold, by the path it must have there."""
    folders = {"router": ROOT / "router", "router/plugins": ROOT / "plugins"}
    return {
        str(PurePosixPath(name, path.relative_to(folder)))
        for name, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    without_caches = shutil.ignore_patterns("__pycache__")
    for folder in ("router", "plugins"):
        shutil.copytree(ROOT / folder, tree / folder, symlinks=True, ignore=without_caches)
    for file in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / file, tree)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel], [sdist] = out.glob("*.whl"), out.glob("*.tar.gz")
    return Artefacts(wheel, sdist)


def test_the_wheel_holds_the_tree_and_nothing_else(artefacts: Artefacts) -> None:
    with ZipFile(artefacts.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files_of_the_tree()
    assert "router/plugins/__init__.py" in held
    assert "router/py.typed" in held
    assert [name for name in held if re.fullmatch(r"router/samples/push_\w+\.json", name)]


def test_the_source_distribution_holds_the_plugins_as_files(artefacts: Artefacts) -> None:
    with tarfile.open(artefacts.sdist) as sdist:
        members = {member.name.split("/", 1)[-1]: member for member in sdist.getmembers()}
    assert files_of_the_tree() <= members.keys()
    assert [name for name, member in members.items() if member.issym()] == []


def test_the_wheel_says_what_it_is(artefacts: Artefacts) -> None:
    with ZipFile(artefacts.wheel) as wheel:
        [info] = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        entry_points = wheel.read(f"{info}/entry_points.txt").decode().split("\n")
    assert metadata["Name"] == "notification-router"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("Provides-Extra") == ["postgres", "otel", "testing"]
    assert [line for line in entry_points if line] == [
        "[console_scripts]",
        "router = router.cli:main",
    ]


def test_the_wheel_serves_the_plugins_as_part_of_the_router(artefacts: Artefacts) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import router.plugins; "
        "print(router.plugins.__file__)"
    )
    command = [sys.executable, "-I", "-c", program, str(artefacts.wheel)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert found == str(artefacts.wheel / "router/plugins/__init__.py")


def test_the_plugins_of_the_checkout_are_part_of_the_router() -> None:
    assert (ROOT / "router/plugins").readlink() == Path("../plugins")
    assert Path(router.plugins.__path__[0]).resolve() == (ROOT / "plugins").resolve()


def pins(lock: str) -> Iterator[re.Match[str]]:
    """Every pinned version of a lock file."""
    return filter(None, map(PIN.fullmatch, (ROOT / lock).read_text().splitlines()))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_versions_with_their_hashes_and_so_no_host_url_or_path(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entry = rf"{PIN.pattern}\n({HASH.pattern}\n)+"
    unnamed = re.sub(r"\?P<\w+>", "", entry)
    assert text.endswith("\n")
    assert re.sub(rf"(?m)^{unnamed}", "", text) == ""


@pytest.mark.parametrize("lock", LOCKS)
def test_every_artefact_of_a_release_follows_its_version(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert bool(HASH.fullmatch(following)) == line.endswith("\\"), line


@pytest.mark.parametrize(
    ("lock", "groups"),
    [("requirements.lock", ("build",)), ("requirements-dev.lock", ("build", "dev"))],
)
def test_a_lock_pins_all_that_the_project_asks_for(lock: str, groups: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        Requirement(text)
        for text in [
            *project["build-system"]["requires"],
            *project["project"]["dependencies"],
            *(text for group in groups for text in project["dependency-groups"][group]),
        ]
        if isinstance(text, str)
    ]
    pinned = {pin["name"]: pin["version"] for pin in pins(lock)}
    assert len(asked) > 20
    assert [str(one) for one in asked if not one.specifier.contains(pinned.get(one.name, ""))] == []


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    runtime, development = ({pin["name"]: pin["version"] for pin in pins(lock)} for lock in LOCKS)
    assert runtime.items() <= development.items()
