"""Plugins are found, and broken ones named."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from router import Channel
from router.core.errors import Place
from router.core.rules.ruleset import ChannelSpec
from router.registry import Plugin, PluginRegistry, discovery, load_plugins
from router.testing import ScriptedTransport

GOOD = '''"""A channel."""
from router import Channel, Delivered, Message, Outcome, Register, Settings, hookimpl


class {Name}Settings(Settings, frozen=True):
    """Settings."""


class {Name}(Channel[{Name}Settings]):
    """Says yes."""

    name = "{name}"
    Settings = {Name}Settings

    async def send(self, message: Message) -> Outcome:
        return Delivered()


@hookimpl
def register_channels(register: Register) -> None:
    register({Name})
'''

BUILT_IN = ("apprise", "email", "push", "slack", "sms", "webhook")


def write(directory: Path, **files: str) -> Path:
    """Write drop-in files; `name="pager"` stands for a sound plugin of that name."""
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        source = text if "\n" in text else GOOD.format(name=text, Name=text.title())
        (directory / f"{name}.py").write_text(source)
    return directory


def found(registry: PluginRegistry, name: str) -> Plugin:
    """Return the drop-in of a name."""
    return next(p for p in registry.plugins if p.name == name and p.source.endswith(".py"))


def test_the_shipped_plugins_are_there() -> None:
    registry = load_plugins()
    assert registry.problems == ()
    assert tuple(registry.schemas) == BUILT_IN
    assert registry.kinds == BUILT_IN
    assert all(p.source == "built in" and p.version and p.channels for p in registry.plugins)


def test_a_drop_in_is_found_and_hides_no_module(tmp_path: Path) -> None:
    import email  # noqa: PLC0415 - the module that must stay what it is

    registry = load_plugins(write(tmp_path / "plugins", email="pager"))
    assert found(registry, "email").channels == ("pager",)
    assert found(registry, "email").source == str(tmp_path / "plugins" / "email.py")
    assert sys.modules["email"] is email
    assert "pager" in registry.schemas


def test_private_files_and_tests_are_no_plugins(tmp_path: Path) -> None:
    registry = load_plugins(write(tmp_path, _fcm="a", test_pager="b", pager="pager"))
    assert {p.name for p in registry.plugins if p.source != "built in"} == {"pager"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("def broken(:\n", "broken.py:1: invalid syntax"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("raise GeneratorExit\n", "GeneratorExit"),
        ("1 / 0\n", "broken.py:1: ZeroDivisionError: division by zero"),
        ("x = 1\n", "implements no hook"),
        (
            "from router import hookimpl\n@hookimpl\ndef register_channels(register): pass\n",
            "registers no channel",
        ),
        (
            "from router import hookimpl\n@hookimpl\ndef register_chanels(register): pass\n",
            "register_chanels",
        ),
        (
            "from router import hookimpl\n@hookimpl\ndef register_channels(offer): pass\n",
            "offer",
        ),
        (
            "from router import hookimpl as h\n@h\ndef register_channels(register): register(3)\n",
            "registers 3, which is not a subclass of router.Channel",
        ),
        (GOOD.format(name="", Name="Pager"), "Pager.name must say"),
        (GOOD.format(name="Big Name", Name="Pager"), "Pager.name must say"),
        (
            GOOD.format(name="pager", Name="Pager").replace('    name = "pager"\n', ""),
            "Pager.name must say",
        ),
        (
            GOOD.format(name="pager", Name="Pager").replace("async def send", "async def sned"),
            "Pager has no `send`",
        ),
        (
            GOOD.format(name="pager", Name="Pager").replace(
                "    Settings = PagerSettings\n", "    Settings = int\n"
            ),
            "Pager.Settings must be a subclass of router.Settings",
        ),
        (
            GOOD.format(name="pager", Name="Pager").replace(
                '    """Settings."""\n', '    """Settings."""\n\n    bad: complex = 1j\n', 1
            ),
            "Pager.Settings",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_takes_nobody_down(
    tmp_path: Path, text: str, error: str
) -> None:
    registry = load_plugins(write(tmp_path, broken=text, pager="pager"))
    broken = found(registry, "broken")
    assert error in broken.error
    assert broken.channels == ()
    assert len(registry.problems) == 1
    assert str(tmp_path / "broken.py") in registry.problems[0]
    assert set(registry.schemas) == {*BUILT_IN, "pager"}


def test_a_drop_in_that_cannot_be_loaded_leaves_nothing_behind(tmp_path: Path) -> None:
    load_plugins(write(tmp_path, halfway="x = 1\nraise ValueError(x)\n"))
    assert not any(name.endswith("halfway") for name in sys.modules)


def test_a_drop_in_beats_what_is_installed(tmp_path: Path) -> None:
    registry = load_plugins(write(tmp_path, mine="slack"))
    assert registry.problems == ()
    assert found(registry, "mine").channels == ("slack",)
    loser = next(p for p in registry.plugins if p.name == "slack" and p.source == "built in")
    assert (loser.channels, loser.replaced) == ((), ("slack",))
    assert registry.schemas["slack"].channel.__doc__ == "Says yes."


def test_two_drop_ins_of_one_name_are_both_errors(tmp_path: Path) -> None:
    registry = load_plugins(write(tmp_path, one="pager", two="pager"))
    assert "pager" not in registry.schemas
    first, second = found(registry, "one").error, found(registry, "two").error
    assert f"two ({tmp_path / 'two.py'})" in first
    assert f"one ({tmp_path / 'one.py'})" in second


def test_two_installed_ones_of_one_name_are_both_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, router_other_slack="slack")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("slack", "router_other_slack", discovery.ENTRY_POINT_GROUP)
    monkeypatch.setattr(discovery, "entry_points", lambda **_: [entry])
    registry = load_plugins()
    assert "slack" not in registry.schemas
    assert [p.error for p in registry.plugins if p.error] == [
        "offers the channel `slack`, and so does slack (router_other_slack): remove one of them",
        "offers the channel `slack`, and so does slack (built in): remove one of them",
    ]


def test_a_plugin_of_another_distribution_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, router_other_pager="pager")
    package = tmp_path / "router_other-1.2.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: router-other\nVersion: 1.2\n")
    (package / "entry_points.txt").write_text("[router.plugins]\npager = router_other_pager\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = load_plugins()
    pager = next(p for p in registry.plugins if p.name == "pager")
    assert pager == Plugin(name="pager", source="router-other", channels=("pager",), version="1.2")


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    registry = load_plugins(tmp_path / "nowhere")
    assert tuple(registry.schemas) == BUILT_IN
    assert "cannot be read: No such file or directory" in registry.problems[0]


def test_the_channel_of_a_rules_file_is_opened(tmp_path: Path) -> None:
    registry = load_plugins(write(tmp_path, pager="pager"))
    schema = registry.schemas["pager"]
    settings = schema.convert({"rate": "5/s"})
    spec = ChannelSpec(
        name="on-call",
        plugin="pager",
        settings=settings,
        address_kind="pager",
        place=Place("rules.yaml", 1, 1),
        wants=schema.wants,
        normalize_address=schema.normalize_address,
    )
    channel = registry.open_channel(spec, ScriptedTransport(None))
    assert isinstance(channel, Channel)
    assert channel.settings.rate == "5/s"
