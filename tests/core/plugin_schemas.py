"""Plugins as a rules file sees them, without the plugins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from router.core.conditions.hours import Zones
from router.core.errors import SettingsError, SettingsFault, suggest
from router.core.loading import LoadResult, Unresolved, load
from router.core.model.address import Normalized
from router.core.model.local_access import LocalAccess
from router.core.model.notification import Notification
from router.core.model.payload import Json

Settings = Mapping[str, Json]
SECRET: dict[str, Json] = {"type": "string", "writeOnly": True}
RATE: dict[str, Json] = {"type": "string"}


@dataclass(frozen=True)
class FakeSchema:
    """A plugin whose settings are checked against a flat or nested JSON Schema."""

    name: str
    properties: dict[str, Json]
    required: tuple[str, ...] = ("url",)
    is_fixed: bool = False
    replaces: bool = False
    platforms: tuple[str, ...] = ()
    updates: bool = False
    retracts: bool = False
    placeholders: dict[str, str] = field(default_factory=dict)

    @property
    def address_kind(self) -> str:
        return self.name

    def convert(self, settings: Settings) -> dict[str, Json]:
        if faults := tuple(self._find_faults(settings, self.properties, ())):
            raise SettingsError(faults)
        return dict(settings)

    def needs_contact(self, settings: object) -> bool:
        return not self.is_fixed

    def wants(self, settings: object, told: Notification, platform: str, provider: str) -> bool:
        return True

    def normalize_address(
        self, settings: object, address: str, *, country: str, is_fixed: bool
    ) -> Normalized:
        if address.startswith("/"):
            return Normalized(fault="name an address")
        if address.startswith("local ") and not country:
            return Normalized(fault="of which country?")
        return Normalized(address.replace("local ", f"{country}-"))

    def find_device_fault(self, platform: str, address: str) -> str:
        return ""

    def find_local_access(self, settings: object) -> LocalAccess:
        """Take the words of a rate for paths, and `syslog` for a service of this machine."""
        words = str(settings.get("rate", "") if isinstance(settings, dict) else "").split()
        if "../" in words:
            raise SettingsError([SettingsFault(("rate",), "names a file by no absolute path")])
        files = tuple(word for word in words if word.startswith("/"))
        service = "syslog://" if "syslog" in words else ""
        return LocalAccess(setting="rate", files=files, service=service)

    def placeholder(self, path: str) -> str | None:
        return self.placeholders.get(path)

    def schema(self) -> dict[str, Json]:
        return {"$ref": "#/$defs/Settings", "$defs": {"Settings": {"properties": self.properties}}}

    def _find_faults(
        self, settings: Settings, known: dict[str, Json], path: tuple[str, ...]
    ) -> Iterator[SettingsFault]:
        for name in self.required if not path else ():
            if name not in settings:
                yield SettingsFault((name,), f'the setting "{name}" is missing')
        for key, value in settings.items():
            here, schema = (*path, key), known.get(key)
            if not isinstance(schema, dict):
                hint = suggest(key, known)
                yield SettingsFault(here, f'unknown setting "{key}"', hint, "key")
            elif isinstance(inner := schema.get("properties"), dict) and isinstance(value, dict):
                yield from self._find_faults(value, inner, here)
            elif schema.get("type") == "integer" and not isinstance(value, int):
                yield SettingsFault(here, "must be a whole number")
            elif schema.get("type") == "string" and not isinstance(value, str):
                yield SettingsFault(here, "must be a text")


PLUGINS = {
    schema.name: schema
    for schema in (
        FakeSchema(
            "push",
            {
                "fcm": {"properties": {"service_account": SECRET}},
                "topics": {"type": "array", "items": {"type": "string"}},
            },
            required=(),
            replaces=True,
        ),
        FakeSchema(
            "sms", {"url": SECRET, "rate": RATE}, placeholders={"url": "sms://sandbox/{to}"}
        ),
        FakeSchema("slack", {"url": SECRET, "rate": RATE}, is_fixed=True),
        FakeSchema(
            "email",
            {
                "url": {"anyOf": [SECRET, {"type": "null"}]},
                "sender": {"type": "string"},
                "port": {"type": "integer"},
                "verify": {"type": "boolean"},
            },
        ),
    )
}
FILES = {"/run/secrets/fcm.json": '{"type": "service_account"}\n'}

ZONES = ("UTC", "Europe/Berlin", "Asia/Tokyo")


def resolve(source: str, name: str, folder: str = "") -> str | Unresolved:
    """Know every variable that ends in URL, and one file."""
    if source == "file":
        missing = Unresolved(message=f"the file {name} cannot be read", hint="put it there")
        return FILES.get(name, missing)
    if name.endswith("URL"):
        return f"value-of-{name}"
    return Unresolved(message=f"the variable {name} is not set", hint="set it")


def load_text(text: str, *, sandbox: bool = False) -> LoadResult:
    """Load a text as `rules.yaml`."""
    return load(
        text,
        file="rules.yaml",
        plugins=PLUGINS,
        resolve=resolve,
        sandbox=sandbox,
        zones=Zones(ZONES, lambda name: ZoneInfo(name) if name in ZONES else None),
    )
