"""Files that channels' settings name, from the rules on the disk to the open channel."""

import os
from pathlib import Path
from typing import Any

import pytest

from router.channel import Channel
from router.core.rules.ruleset import ChannelSpec
from router.registry import load_plugins
from router.rulebook.channels import Opened, open_channels
from router.rulebook.files import read_rules
from router.testing import ScriptedTransport

REGISTRY = load_plugins()
DISCORD = "discord://123456789012345678/" + "a" * 68
MAIN = """version: 1
channels: {main: {plugin: apprise, url: "json://host.example"}}
include: {files: team.yaml, owner: team, secret_files: FOLDER/granted/*}
rules: [{name: all, send: [main]}]
"""
TEAM = """owner: team
channels:
  room: {plugin: PLUGIN, url: "URL"}
rules: [{name: one, send: [room]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "t.json").write_text('{"content": "ours"}')
    (tmp_path / "granted" / "large").write_bytes(b"x" * (2**20 + 1))
    (tmp_path / "granted" / "zero").symlink_to("/dev/zero")
    (tmp_path / "granted" / "out").symlink_to(tmp_path / "other.json")
    os.mkfifo(tmp_path / "granted" / "pipe")
    (tmp_path / "other.json").write_text('{"content": "another team\'s"}')
    return tmp_path


def read(folder: Path, url: str, plugin: str = "apprise", *, sandbox: bool = False) -> list[str]:
    """Return the errors of rules whose included file has a channel with this URL."""
    (folder / "rules.yaml").write_text(MAIN.replace("FOLDER", str(folder)))
    team = TEAM.replace("URL", url.replace("FOLDER", str(folder))).replace("PLUGIN", plugin)
    (folder / "team.yaml").write_text(team)
    read = read_rules(folder / "rules.yaml", REGISTRY.schemas, sandbox=sandbox)
    return [
        str(problem).replace(f"{folder}/", "")
        for problem in read.loaded.problems
        if problem.severity == "error"
    ]


@pytest.mark.parametrize(
    ("plugin", "url"),
    [
        ("apprise", f"{DISCORD}?template=PATH"),
        ("slack", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=PATH"),
        ("apprise", "tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/{to}?template=PATH"),
        ("apprise", "workflow://host.example/WORKFLOWID/signature/?template=PATH"),
        ("apprise", "fcm://project/token?mode=oauth2&keyfile=PATH"),
        ("apprise", "vapid://a@example.com/{to}?keyfile=PATH"),
        ("apprise", "vapid://a@example.com/{to}?subfile=PATH"),
        ("email", "mailto://u:p@example.com/{to}?pgppub=PATH"),
        ("email", "mailto://u:p@example.com/{to}?pgpprv=PATH"),
    ],
)
def test_a_team_s_url_names_only_granted_files(folder: Path, plugin: str, url: str) -> None:
    assert read(folder, url.replace("PATH", "FOLDER/granted/t.json"), plugin) == []
    for path in ("/proc/self/environ", "/run/secrets/other-team.json"):
        refused = url.replace("PATH", path)
        column = TEAM.replace("PLUGIN", plugin).splitlines()[2].index("URL") + 1
        (error,) = read(folder, refused, plugin)
        assert error == (
            f"team.yaml:3:{column + refused.index(path)}: error: the file {path} is not granted "
            "to this file; add it to secret_files: of this file's item under include: "
            "in the main file"
        )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe", "it is not a regular file"),
        ("zero", "a symbolic link leads out of FOLDER/granted"),
        ("out", "a symbolic link leads out of FOLDER/granted"),
        ("large", "it is larger than 1048576 bytes"),
        ("none", "No such file or directory"),
    ],
)
def test_a_granted_path_leads_to_a_regular_file(folder: Path, name: str, reason: str) -> None:
    (error,) = read(folder, f"{DISCORD}?template=FOLDER/granted/{name}")
    assert f"granted/{name} cannot be read: {reason.replace('FOLDER/', '')}; put a" in error


@pytest.mark.parametrize("scheme", ["syslog", "SYSLOG"])
def test_a_team_s_url_reaches_no_service_of_this_machine(folder: Path, scheme: str) -> None:
    (error,) = read(folder, f"{scheme}://")
    assert error == (
        "team.yaml:3:32: error: syslog:// reaches this machine, which an included file may not; "
        "define the channel in the main file"
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/dev/zero", "it is not a regular file"), ("/run/none", "No such file or directory")],
)
def test_a_url_of_the_main_file_names_any_regular_file(
    folder: Path, path: str, reason: str
) -> None:
    main = MAIN.replace("json://host.example", f"{DISCORD}?template={path}")
    (folder / "rules.yaml").write_text(main.replace("FOLDER", str(folder)))
    loaded = read_rules(folder / "rules.yaml", REGISTRY.schemas, sandbox=False).loaded
    (error,) = [problem for problem in loaded.problems if problem.severity == "error"]
    assert error.message == f"the file {path} cannot be read: {reason}"


def test_a_url_of_the_main_file_reaches_a_service_of_this_machine(folder: Path) -> None:
    (folder / "rules.yaml").write_text(
        MAIN.replace("json://host.example", "syslog://").replace("FOLDER", str(folder))
    )
    loaded = read_rules(folder / "rules.yaml", REGISTRY.schemas, sandbox=False).loaded
    assert loaded.ruleset is not None


def test_a_sandbox_does_without_a_file_that_is_not_there(folder: Path) -> None:
    assert read(folder, f"{DISCORD}?template=FOLDER/granted/none", sandbox=True) == []


async def test_a_channel_is_opened_again_where_its_file_has_changed(folder: Path) -> None:
    def open_channel(spec: ChannelSpec) -> Channel[Any]:
        return REGISTRY.open_channel(spec, ScriptedTransport(None))

    url, path = f"{DISCORD}?template=FOLDER/granted/t.json", folder / "granted" / "t.json"
    opened: Opened = {}
    for step, text in (("a", "one"), ("b", "one"), ("c", "two")):
        path.write_text(text)
        assert read(folder, url) == []
        loaded = read_rules(folder / "rules.yaml", REGISTRY.schemas, sandbox=False).loaded
        assert loaded.ruleset is not None
        before = opened
        specs = loaded.ruleset.channels.values()
        found = await open_channels(specs, before, open_channel, lambda _, __: None)
        assert isinstance(found, dict)
        opened = found
        assert opened["room"][1].local_files == {str(path): text}
        kept = [name for name, (_, channel) in before.items() if opened[name][1] is channel]
        assert kept == {"a": [], "b": ["main", "room"], "c": ["main"]}[step]
