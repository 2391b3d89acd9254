"""Settings are checked whole, and described."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from router import Channel, Secret, Settings
from router.core.errors import SettingsError
from router.core.loading import Unresolved, load
from router.core.model.address import Normalized
from router.core.model.notification import Notification
from router.core.model.payload import Json
from router.registry import PluginSchema
from tests.core.notifications import push


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server."""

    host: Annotated[str, Meta(description="Its name.")]
    port: Annotated[int, Meta(description="Its port.", ge=1, le=65535)] = 25

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.host == "nowhere":
            raise ValueError("host: nowhere is no place")


class PagerSettings(Settings, frozen=True):
    """Settings."""

    token: Annotated[Secret, Meta(description="The token.")]
    mode: Annotated[Literal["loud", "quiet"], Meta(description="How.")] = "loud"
    server: Annotated[Server | None, Meta(description="Where.")] = None
    tags: Annotated[tuple[str, ...], Meta(description="Which.")] = ()

    def __post_init__(self) -> None:
        """Refuse what goes not together."""
        if self.mode == "quiet" and self.tags:
            raise ValueError("needs no tags to be quiet")


class Pager(Channel[PagerSettings]):
    """Pages."""

    name = "pager"
    Settings = PagerSettings
    placeholders: ClassVar[Mapping[str, str | Callable[[], str]]] = {
        "token": lambda: "made",
        "server.host": "mail.example",
    }


SCHEMA = PluginSchema(Pager)


def faults(settings: Mapping[str, Json]) -> list[tuple[str, str, str, str]]:
    """Return every fault of some settings: path, message, hint, and which part is wrong."""
    with pytest.raises(SettingsError) as caught:
        SCHEMA.convert(settings)
    return [(".".join(f.path), f.message, f.hint, f.at) for f in caught.value.faults]


def test_sound_settings_become_the_plugins_own() -> None:
    given: dict[str, Json] = {
        "token": "x",
        "server": {"host": "a", "port": "26"},
        "tags": ["a"],
        "timeout": 3,
        "concurrency": "4",
    }
    assert SCHEMA.convert(given) == PagerSettings(
        token=Secret("x"),
        server=Server(host="a", port=26),
        tags=("a",),
        timeout=3.0,
        concurrency=4,
    )


def test_every_fault_is_told_at_once() -> None:
    given: dict[str, Json] = {
        "mode": "laud",
        "sever": {},
        "server": {"prt": 1, "port": 70000},
        "tags": ["a", 3],
        "rate": "often",
        "timeout": None,
    }
    assert faults(given) == [
        ("sever", "`sever` is not a setting", 'did you mean "server"?', "key"),
        ("token", "`token` is missing", "The token.", "value"),
        ("mode", "none of the choices", 'did you mean "loud"?', "value"),
        ("server.prt", "`prt` is not a setting", 'did you mean "port"?', "key"),
        ("server.host", "`host` is missing", "Its name.", "value"),
        ("server.port", "expected a whole number <= 65535", "Its port.", "value"),
        ("tags.1", "expected a text, got a whole number", "Which.", "value"),
        (
            "rate",
            "expected a text matching regex '^[1-9][0-9]*/[smh]$'",
            "At most so many sends per time, as `10/s`, `100/m` or `1000/h`.",
            "value",
        ),
        (
            "timeout",
            "expected a number, got nothing",
            "Seconds after which a send is given up.",
            "value",
        ),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"token": 3},
            ("token", "expected a text; put it in quotes", "The token.", "value"),
        ),
        (
            {"token": "x", "server": {"host": "nowhere"}},
            ("server.host", "nowhere is no place", "", "value"),
        ),
        (
            {"token": "x", "mode": "quiet", "tags": ["a"]},
            ("", "needs no tags to be quiet", "", "value"),
        ),
        (
            {"token": "x", "server": [1]},
            ("server", "expected settings or nothing, got a list", "Where.", "value"),
        ),
    ],
)
def test_a_fault_has_its_place(given: dict[str, Json], expected: tuple[str, str, str, str]) -> None:
    assert faults(given) == [expected]


def test_no_fault_quotes_a_value_of_a_secret() -> None:
    assert "hunter2" not in str(faults({"token": ["hunter2"]}))


def test_a_schema_describes_the_settings() -> None:
    schema = SCHEMA.schema()
    text = msgspec.json.encode(schema)
    assert b'"writeOnly":true' in text
    assert b'"The token."' in text
    assert (SCHEMA.name, SCHEMA.address_kind) == ("pager", "pager")
    assert SCHEMA.needs_contact(PagerSettings(token=Secret("x")))


def test_what_stands_in_for_a_setting_is_known_by_its_path() -> None:
    assert SCHEMA.placeholder("token") == "made"
    assert SCHEMA.placeholder("server.host") == "mail.example"
    assert SCHEMA.placeholder("mode") is None


class RudeSettings(Settings, frozen=True):
    """Settings of a channel that cannot answer."""


class Rude(Channel[RudeSettings]):
    """A channel whose every answer is an error, with a secret in its words."""

    name = "rude"
    Settings = RudeSettings

    @classmethod
    def needs_contact(cls, settings: RudeSettings) -> bool:
        raise LookupError("hunter2", settings)

    @classmethod
    def normalize_address(
        cls,
        address: str,
        *,
        settings: RudeSettings | None,
        country: str = "",
        is_fixed: bool = False,
    ) -> str:
        raise LookupError("hunter2", settings, address, country, is_fixed)

    @classmethod
    def find_device_fault(cls, platform: str, address: str) -> str:
        raise LookupError("hunter2", platform, address)

    @classmethod
    def wants(
        cls, settings: RudeSettings, notification: Notification, platform: str, provider_id: str
    ) -> bool:
        raise LookupError("hunter2", settings, notification, platform, provider_id)


def test_a_plugin_that_raises_where_it_is_asked_takes_nobody_down() -> None:
    rude = PluginSchema(Rude)
    assert rude.normalize_address(RudeSettings(), "x", country="", is_fixed=False) == Normalized(
        fault="its plugin raised LookupError"
    )
    assert rude.find_device_fault("p", "x") == ""
    assert rude.wants(RudeSettings(), push(), "p", "") is True
    text = "version: 1\nchannels:\n  r: {plugin: rude}\nrules:\n  - {name: a, send: [r]}\n"
    loaded = load(
        text,
        file="f",
        plugins={"rude": rude},
        resolve=lambda *_: Unresolved(message="none", hint="none"),
    )
    assert str(loaded.problems[0]) == (
        "f:3:3: error: the plugin cannot say whether it needs a contact: LookupError"
    )
