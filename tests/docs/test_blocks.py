"""What the documentation shows is run, or read by what it is written for."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from router.cli import VERBS, LazyGroup, main
from router.registry import load_plugins
from router.rulebook.files import read_rules
from tests import ROOT
from tests.acceptance.router_process import PATIENCE, RouterProcess, run, running
from tests.docs.blocks import CHECKED, FOREIGN, SHOWN, UNCHECKED, Block, blocks
from tests.docs.parts import PARTS, names_in
from tests.postgres import Databases

BIN = Path(sys.executable).parent
ADDRESS = "http://127.0.0.1:8000"
POSTGRES = "postgresql+asyncpg://router:a-password@db.example.com/router"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    """A router as `make run` leaves it: up, with every sample fed to it."""
    with running(tmp_path_factory.mktemp("sandbox"), {}, "--sandbox", "--feed-samples") as router:
        deadline = time.monotonic() + PATIENCE
        while "listening on " not in router.log.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, router.log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield router


@pytest.fixture
def empty_postgres_url(postgres: Databases) -> Iterator[str]:
    url = postgres.make_database(migrated=False)
    yield url
    postgres.drop_database(url)


def test_every_block_says_what_it_is() -> None:
    languages = {str(block): block.language for block in blocks()}
    assert {
        p: lang
        for p, lang in languages.items()
        if lang not in {*CHECKED, *SHOWN, *UNCHECKED, *FOREIGN}
    } == {}


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_shell_blocks_run(
    block: Block, sandbox: RouterProcess, request: pytest.FixtureRequest
) -> None:
    if block.text.startswith("make "):
        check_target(block)
        return
    script = block.text.replace(ADDRESS, sandbox.url).replace(". .venv/bin/activate\n", "")
    if POSTGRES in script:
        script = script.replace(POSTGRES, request.getfixturevalue("empty_postgres_url"))
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = run(["bash", "-euo", "pipefail", "-c", script], environ)
    assert done.returncode == 0, done.stdout + done.stderr


def check_target(block: Block) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in block.text.splitlines():
        target = shlex.split(line)[1]
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{block}: no target {target}"


def acts_alone(command: click.Group, words: list[str]) -> bool:
    """Return whether a group is called without one of its verbs, where it takes that."""
    return command.invoke_without_command and (len(words) == 2 or words[2].startswith("-"))


@pytest.mark.parametrize("block", blocks("sh-example"), ids=str)
def test_shell_examples_parse_and_name_verbs_and_options_that_exist(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("router "):
            words = shlex.split(line)
            assert words[1] in VERBS, f"{block}: no verb {words[1]}"
            context = click.Context(main)
            command = LazyGroup().get_command(context, words[1])
            if isinstance(command, click.Group) and not acts_alone(command, words):
                command = command.get_command(context, words[2])
            assert command is not None, f"{block}: no verb {' '.join(words[1:3])}"
            known = {name for option in command.params for name in option.opts}
            assert {word for word in words if word.startswith("--")} <= known


RULES = [block for block in blocks("yaml") if not block.text.startswith(("tests:", "owner:"))]
"""The others are tests of rules, which are run beside those, and files that rules include."""
INCLUDED = [block for block in blocks("yaml") if block.text.startswith("owner:")]


@pytest.mark.parametrize("block", RULES, ids=str)
def test_rules_in_the_docs_are_good_rules(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(block.text, encoding="utf-8")
    loaded = read_rules(file, load_plugins().schemas, sandbox=True).loaded
    assert [str(problem) for problem in loaded.problems if problem.severity == "error"] == []


@pytest.mark.parametrize("block", INCLUDED, ids=str)
def test_included_files_in_the_docs_go_with_the_rules_above_them(
    block: Block, tmp_path: Path
) -> None:
    page = [b for b in RULES if b.page == block.page and b.line < block.line]
    above = [b for b in page if "include:" in b.text]
    file = tmp_path / "rules.yaml"
    file.write_text(above[-1].text, encoding="utf-8")
    (tmp_path / "teams").mkdir()
    owner = block.text.splitlines()[0].removeprefix("owner: ")
    (tmp_path / "teams" / f"{owner}.yaml").write_text(block.text, encoding="utf-8")
    loaded = read_rules(file, load_plugins().schemas, sandbox=True).loaded
    errors = [str(problem) for problem in loaded.problems if problem.severity == "error"]
    assert (loaded.is_whole, errors) == (True, [])
    assert len(loaded.included) == 1


PROOFS = [block for block in blocks("python") if "ChannelContract" in block.text]
PLUGINS = [block for block in blocks("python") if block not in PROOFS]


@pytest.mark.parametrize("block", PLUGINS, ids=str)
def test_plugins_in_the_docs_load_as_they_stand(block: Block, tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(block.text, encoding="utf-8")
    registry = load_plugins(tmp_path)
    assert registry.problems == ()
    assert [plugin.name for plugin in registry.plugins if "shown.py" in plugin.source] == ["shown"]


@pytest.mark.parametrize("proof", PROOFS, ids=str)
def test_plugins_in_the_docs_keep_the_contract_by_the_proof_shown(
    proof: Block, tmp_path: Path
) -> None:
    [(name, channel)] = re.findall(r"^from (\w+) import (\w+)$", proof.text, re.MULTILINE)[-1:]
    [plugin] = [b for b in PLUGINS if b.page == proof.page and f"class {channel}(" in b.text]
    (tmp_path / f"{name}.py").write_text(plugin.text, encoding="utf-8")
    (tmp_path / f"test_{name}.py").write_text(proof.text, encoding="utf-8")
    pytest_here = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = run([*pytest_here, f"test_{name}.py"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {found.name for found in load_plugins(tmp_path).plugins} >= {name}


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_in_the_docs_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks(*SHOWN), ids=str)
def test_files_are_shown_as_parts(block: Block) -> None:
    page = (ROOT / block.page).read_text(encoding="utf-8")
    assert any(PARTS[name]().strip().endswith(f"{block.text}```") for name in names_in(page))
