from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from router.core.errors import SettingsError, SettingsFault
from router.core.loading import LoadResult, load
from router.core.model.address import Normalized
from router.core.model.local_access import LocalAccess
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.plugin_schemas import resolve

TEXT = """version: 1
channels:
  mail:
    plugin: fussy
    url: ${env:URL}
    nested: {deep: [a, {key: b}]}
rules:
  - {name: all, send: [mail]}
"""


@dataclass(frozen=True)
class Fussy:
    """A plugin that finds the faults it is told to find."""

    faults: tuple[SettingsFault, ...] = ()
    definition: Mapping[str, Json] | None = None
    name: str = "fussy"
    replaces = False
    platforms = ()
    updates = False
    retracts = False
    address_kind: str = "mail"

    def convert(self, settings: Mapping[str, Json]) -> object:
        if self.faults:
            raise SettingsError(self.faults)
        return settings

    def needs_contact(self, settings: object) -> bool:
        return True

    def wants(self, settings: object, told: Notification, platform: str, provider: str) -> bool:
        return True

    def normalize_address(
        self, settings: object, address: str, *, country: str, is_fixed: bool
    ) -> Normalized:
        return Normalized(address)

    def find_device_fault(self, platform: str, address: str) -> str:
        return ""

    def find_local_access(self, settings: object) -> LocalAccess:
        return LocalAccess()

    def placeholder(self, path: str) -> str | None:
        return None

    def schema(self) -> dict[str, Json]:
        return dict(self.definition or {})


def load_with(plugin: Fussy, text: str = TEXT) -> LoadResult:
    return load(text, file="rules.yaml", plugins={"fussy": plugin}, resolve=resolve)


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (SettingsFault(("url",), "wrong"), "5:10"),
        (SettingsFault(("url",), "wrong", "", "key"), "5:5"),
        (SettingsFault(("nested", "deep"), "wrong"), "6:20"),
        (SettingsFault(("nested", "deep", "0"), "wrong"), "6:21"),
        (SettingsFault(("nested", "deep", "1", "key"), "wrong"), "6:30"),
        (SettingsFault(("nested", "deep", "1", "key"), "wrong", "", "key"), "6:25"),
        (SettingsFault(("nested", "deep", "2"), "wrong"), "6:14"),
        (SettingsFault(("nested", "deep", "x"), "wrong"), "6:14"),
        (SettingsFault(("nested", "missing"), "wrong"), "6:5"),
        (SettingsFault(("url", "below", "a", "text"), "wrong"), "5:5"),
        (SettingsFault(("missing",), "wrong"), "3:3"),
        (SettingsFault((), "wrong"), "3:3"),
    ],
)
def test_a_fault_of_the_settings_stands_where_its_path_leads(
    fault: SettingsFault, place: str
) -> None:
    loaded = load_with(Fussy((fault,)))
    assert [str(problem) for problem in loaded.problems] == [f"rules.yaml:{place}: error: wrong"]


def test_every_fault_of_the_settings_is_reported() -> None:
    faults = (SettingsFault(("missing",), "one", "mend it"), SettingsFault(("url",), "two"))
    problems = load_with(Fussy(faults)).problems
    assert [str(problem) for problem in problems] == [
        "rules.yaml:3:3: error: one; mend it",
        "rules.yaml:5:10: error: two",
    ]
    assert str(SettingsError(faults)) == "missing: one; url: two"


SCHEMA: dict[str, Json] = {
    "$ref": "#/$defs/Fussy",
    "$defs": {
        "Fussy": {
            "properties": {
                "token": {"oneOf": [{"type": "string", "writeOnly": True}, {"type": "null"}, 7]},
                "code": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "name": {"type": "string"},
                "odd": True,
                "lost": {"$ref": "#/$defs/Nowhere"},
                "list": {"items": {"type": "string"}},
                "bare": {"items": True},
            }
        }
    },
}
SETTINGS = """version: 1
channels:
  mail:
    plugin: fussy
    token: 5551234
    code: 5551234
    name: 5551234
    odd: 5551234
    lost: 5551234
    list: [5551234, true]
    bare: [5551234, 1.5]
    unknown: {deep: 5551234}
rules:
  - {name: all, send: [mail]}
"""


def test_a_number_is_a_text_where_the_settings_want_one() -> None:
    loaded = load_with(Fussy(definition=SCHEMA), SETTINGS)
    assert loaded.ruleset is not None
    assert loaded.ruleset.channels["mail"].settings == {
        "token": "5551234",
        "code": 5551234,
        "name": "5551234",
        "odd": 5551234,
        "lost": 5551234,
        "list": ["5551234", "true"],
        "bare": [5551234, 1.5],
        "unknown": {"deep": 5551234},
    }
    (warning,) = loaded.problems
    assert str(warning.message) == '"token" is a secret'
    assert "token: ·······" in loaded.text
    assert "code: 5551234" in loaded.text


def test_references_are_replaced_wherever_they_stand() -> None:
    text = TEXT.replace("[a,", '["x ${env:A_URL} y ${file:/run/secrets/fcm.json}",')
    loaded = load_with(Fussy(), text)
    assert loaded.ruleset is not None
    assert loaded.ruleset.channels["mail"].settings == {
        "url": "value-of-URL",
        "nested": {"deep": ['x value-of-A_URL y {"type": "service_account"}', {"key": "b"}]},
    }


@pytest.mark.parametrize("reference", ["${URL}", "${env:}", "${env:URL", "${}", "${vault:x}", "${"])
def test_what_looks_like_a_reference_must_be_one(reference: str) -> None:
    loaded = load_with(Fussy(), TEXT.replace("${env:URL}", f"'{reference}'"))
    (problem,) = loaded.problems
    assert problem.message == f'"{reference}" is not a reference'
    assert problem.hint == "write ${env:NAME} or ${file:PATH}"
    assert (problem.line, problem.column, problem.length) == (5, 11, len(reference))


def test_what_a_free_mapping_holds_is_no_secret_unless_it_says_so() -> None:
    free: Json = {"additionalProperties": {"type": "string"}}
    text = TEXT.replace("url: ${env:URL}", "headers: {x: 007}")
    loaded = load_with(Fussy(definition={"properties": {"headers": free}}), text)
    assert "headers: {x: 007}" in loaded.text
    assert "deep: [·, {key: ·}]" in loaded.text
