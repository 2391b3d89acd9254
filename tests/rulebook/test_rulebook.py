"""A channel that its plugin cannot open: what is refused with it, and what stays open."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from router.channel import Channel, Request, Response, Settings, TransportError
from router.core.rules.ruleset import ChannelSpec
from router.registry.schema import PluginSchema
from router.rulebook import rulebook
from router.rulebook.channels import open_channels
from router.rulebook.rulebook import ActiveRules
from router.store.db.database import Database
from router.store.log.rulesets import Rulesets
from router.telemetry import Metrics

MAIN = """version: 1
channels: {ours: {plugin: doors, behind: nothing}}
include: [teams/*.yaml]
rules: [{name: all, send: [ours]}]
"""
TEAM = """owner: NAME
channels: {NAME: {plugin: doors, behind: nothing}}
rules: [{name: one, send: [NAME]}]
"""


class DoorSettings(Settings, frozen=True):
    """Settings of a channel that stays shut when a wall is behind it."""

    behind: str


class Door(Channel[DoorSettings]):
    """A channel that is counted while it is open."""

    name = "doors"
    Settings = DoorSettings

    @classmethod
    def needs_contact(cls, settings: DoorSettings) -> bool:  # noqa: ARG003 - the contract's signature
        return False

    def __init__(self, settings: DoorSettings, *, count: list[str]) -> None:
        super().__init__(settings, Nowhere())
        if settings.behind == "a wall":
            raise OSError(settings.behind)
        self._count = count
        count.append(settings.behind)

    async def aclose(self) -> None:
        self._count.remove(self.settings.behind)


class Nowhere:
    """A way out that leads nowhere."""

    is_live = False

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        raise TransportError("nothing is sent", sent=False)


class House:
    """Rules of two teams, and what is open of their channels."""

    def __init__(self, folder: Path, rulebook: ActiveRules, count: list[str]) -> None:
        self.rulebook, self.open = rulebook, count
        self._folder = folder

    def write(self, team: str, behind: str) -> None:
        self.write_bytes(team, TEAM.replace("NAME", team).replace("nothing", behind).encode())

    def write_bytes(self, team: str, text: bytes) -> None:
        (self._folder / "teams" / f"{team}.yaml").write_bytes(text)

    def write_main(self, behind: str) -> None:
        (self._folder / "rules.yaml").write_text(MAIN.replace("nothing", behind))

    def grant(self, secrets: Path) -> None:
        item = f"{{files: teams/*.yaml, secret_files: [{secrets}/*]}}"
        text = MAIN.replace("teams/*.yaml", item)
        (self._folder / "rules.yaml").write_text(text)

    def link(self, team: str, target: Path) -> None:
        (self._folder / "teams" / f"{team}.yaml").unlink()
        (self._folder / "teams" / f"{team}.yaml").symlink_to(target)

    @property
    def standing(self) -> dict[str, str]:
        return {Path(file.file).stem: file.standing for file in self.rulebook.included}

    @property
    def rules(self) -> list[str]:
        assert self.rulebook.ruleset is not None
        return [rule.name for rule in self.rulebook.ruleset.rules]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/router.db", migrate=True)
    kept, count = Rulesets(database), list[str]()
    rulebook = ActiveRules(tmp_path / "rules.yaml", kept=kept, metrics=Metrics(), sandbox=False)
    house = House(tmp_path, rulebook, count)
    (tmp_path / "teams").mkdir()
    house.write_main("nothing")
    house.write("billing", "nothing")
    house.write("support", "nothing")

    def open_channel(spec: ChannelSpec) -> Channel[Any]:
        return Door(spec.settings, count=count)

    await rulebook.start({"doors": PluginSchema(Door)}, open_channel)
    try:
        yield house
    finally:
        await rulebook.aclose()
        assert count == []
        await database.close()


async def test_a_channel_that_cannot_be_opened_refuses_its_own_file_alone(house: House) -> None:
    house.write("support", "a wall")
    house.write("billing", "a garden")
    problems = await house.rulebook.reload()
    (problem,) = problems
    assert str(problem).endswith(
        'teams/support.yaml:2:12: error: channel "support" cannot be opened: OSError; '
        "see the settings of plugin doors"
    )
    assert house.standing == {"billing": "current", "support": "last good"}
    assert house.rules == ["all", "billing/one", "support/one"]
    assert not house.rulebook.current
    assert sorted(house.open) == ["a garden", *["nothing"] * 3], "the one replaced has its time"

    house.write("support", "a street")
    assert await house.rulebook.reload() == ()
    assert house.standing == {"billing": "current", "support": "current"}


async def test_one_of_the_main_file_changes_nothing_and_leaves_nothing_open(house: House) -> None:
    before = house.rulebook.ruleset
    house.write("billing", "a garden")
    house.write_main("a wall")
    (problem,) = await house.rulebook.reload()
    assert "rules.yaml:2:12" in str(problem)
    assert house.rulebook.ruleset is before
    assert house.open == ["nothing"] * 3


async def test_a_file_that_is_no_text_is_refused_alone(house: House) -> None:
    house.write_bytes("support", b"owner: \xff")
    (problem,) = await house.rulebook.reload()
    assert str(problem).endswith(
        "support.yaml:1:1: error: cannot be read: not UTF-8 text: invalid start byte; "
        "let the router read it"
    )
    assert house.standing == {"billing": "current", "support": "last good"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("SECRETS/pipe", "it is not a regular file"),
        ("SECRETS/zero", "a symbolic link leads out of SECRETS"),
        ("SECRETS/environ", "a symbolic link leads out of SECRETS"),
        ("SECRETS/folder", "Is a directory"),
        ("SECRETS/none", "No such file or directory"),
    ],
)
async def test_a_reference_to_no_regular_file_refuses_its_own_file_alone(
    house: House, tmp_path: Path, path: str, reason: str
) -> None:
    secrets = tmp_path / "secrets"
    (secrets / "folder").mkdir(parents=True)
    os.mkfifo(secrets / "pipe")
    (secrets / "zero").symlink_to("/dev/zero")
    (secrets / "environ").symlink_to("/proc/self/environ")
    house.grant(secrets)
    house.write("support", '"${file:' + path.replace("SECRETS", str(secrets)) + '}"')
    house.write("billing", "a garden")
    async with asyncio.timeout(60):
        (problem,) = await house.rulebook.reload()
    assert f"cannot be read: {reason.replace('SECRETS', str(secrets))}; " in str(problem)
    assert house.standing == {"billing": "current", "support": "last good"}


async def test_a_granted_file_is_taken_in(house: House, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "door").write_text("a garden\n")
    house.grant(tmp_path / "secrets")
    house.write("support", '"${file:' + f"{tmp_path}/secrets/door" + '}"')
    assert await house.rulebook.reload() == ()
    assert house.open.count("a garden") == 1


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/environ", "pipe", "elsewhere.yaml"])
async def test_an_included_file_that_leads_elsewhere_is_refused_alone(
    house: House, tmp_path: Path, target: str
) -> None:
    (tmp_path / "elsewhere.yaml").write_text(TEAM.replace("NAME", "support"))
    os.mkfifo(tmp_path / "teams" / "pipe")
    house.link("support", Path(target) if target == "pipe" else tmp_path / target)
    house.write("billing", "a garden")
    async with asyncio.timeout(60):
        (problem,) = await house.rulebook.reload()
    assert "support.yaml:1:1: error: cannot be read: " in str(problem)
    assert "regular file" in str(problem) or "leads out of" in str(problem)
    assert house.standing == {"billing": "current", "support": "last good"}


class Turns:
    """The turns that the event loop has taken since something happened, for each time it did."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._count = 0

    def note(self, *_: object, **__: object) -> None:
        """Note that something happens in this turn."""
        self.seen.append(self._count)
        asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        self._count += 1


async def test_the_event_loop_takes_a_turn_between_two_channels(house: House) -> None:
    assert house.rulebook.ruleset is not None
    turns = Turns()

    def open_channel(spec: ChannelSpec) -> Channel[Any]:
        turns.note()
        return Door(spec.settings, count=[])

    specs = house.rulebook.ruleset.channels.values()
    opened = await open_channels(specs, {}, open_channel, lambda _, __: None)
    assert isinstance(opened, dict)
    assert list(opened) == [spec.name for spec in specs]
    assert turns.seen == [0, 1, 2]


async def test_a_reload_called_off_between_two_channels_closes_what_it_has_opened(
    house: House,
) -> None:
    assert house.rulebook.ruleset is not None
    specs = tuple(house.rulebook.ruleset.channels.values())
    closed: list[str] = []

    def open_channel(spec: ChannelSpec) -> Channel[Any]:
        opening.cancel()
        return Door(spec.settings, count=[])

    opening = asyncio.create_task(
        open_channels(specs, {}, open_channel, lambda name, _: closed.append(name))
    )
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert closed == [specs[0].name]


async def test_the_event_loop_takes_a_turn_between_two_problems_that_are_logged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns()
    monkeypatch.setattr(
        rulebook, "_log", SimpleNamespace(error=turns.note, warning=turns.note, info=turns.note)
    )
    house.write_bytes("support", b"rules: [{name: 1}, {name: 2}, {name: 3}]")
    problems = await house.rulebook.reload()
    assert len(problems) > 2
    assert turns.seen[: len(problems)] == [*range(len(problems))]
