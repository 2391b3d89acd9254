"""The JSON Schema of the rule language takes what the loader takes, and knows its keys."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from router.core.loading.yaml_document import read_document
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode
from router.core.model.payload import Json
from router.core.schema import file as described
from router.core.schema import write_schema
from router.registry import load_plugins
from tests import ROOT
from tests.core.loading.test_load import BAD, GOOD
from tests.core.plugin_schemas import PLUGINS, load_text

SCHEMA: Any = write_schema(PLUGINS)
validate = fastjsonschema.compile(SCHEMA, use_default=False)

STRUCTURAL = re.compile(
    r"error: (unknown (key|field|operator|version)|unknown value|unknown plugin"
    r'|".*" (must be|does not fit|is empty)|a (rule|step) (must be|needs)|null equals nothing)'
)
"""What a schema can see; it knows no names of the file's own, and reads no templates."""

ONLY_THE_LOADER_SEES = {
    "hours_too_early": "hours is a field, but not yet of classify",
    "list_of_wrong_type": "what a list of the file holds is far from where it is used",
    "unknown_vars": "the names in vars are the file's own",
}


def plain(node: Node) -> Json:
    """Return what a node holds, as an editor's YAML reader gives it."""
    match node:
        case ScalarNode():
            return node.value
        case MappingNode(entries=entries):
            return {name: plain(entry.value) for name, entry in entries.items()}
        case _:
            return [plain(item) for item in node.items]


def read(path: Path) -> Json:
    node, problems = read_document(path.read_text("utf-8"), "rules.yaml")
    assert node is not None
    assert not problems
    return plain(node)


def is_valid(value: Json) -> bool:
    try:
        validate(value)
    except fastjsonschema.JsonSchemaException:
        return False
    return True


def is_structural(path: Path) -> bool:
    text = path.read_text("utf-8")
    if read_document(text, "rules.yaml")[1]:
        return False
    return any(STRUCTURAL.search(str(problem)) for problem in load_text(text).problems)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_schema_takes_every_good_file(path: Path) -> None:
    validate(read(path))


@pytest.mark.parametrize("path", [*filter(is_structural, BAD)], ids=lambda path: path.stem)
def test_the_schema_refuses_every_file_that_is_wrong_in_structure(path: Path) -> None:
    assert is_valid(read(path)) is (path.stem in ONLY_THE_LOADER_SEES)


def objects(schema: Json, path: str = "#") -> Iterator[tuple[str, dict[str, Json]]]:
    if isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from objects(part, f"{path}/{number}")
    if isinstance(schema, dict):
        yield path, schema
        for key, part in schema.items():
            yield from objects(part, f"{path}/{key}")


def test_every_reference_leads_somewhere() -> None:
    whole = write_schema(load_plugins().schemas)
    names = whole["definitions"]
    assert isinstance(names, dict)
    used = {part["$ref"] for _, part in objects(whole) if "$ref" in part}
    assert used <= {f"#/definitions/{name}" for name in names}
    assert not [path for path, part in objects(whole) if "$defs" in part]


@pytest.mark.parametrize("part", sorted(described.SHAPES))
def test_every_key_the_loader_knows_is_described_and_no_other(part: str) -> None:
    known, shapes = set(described.PARTS[part]), set(described.SHAPES[part])
    assert known == shapes


@cache
def compile_whole() -> Any:  # noqa: ANN401 - the validator has no types
    """Return what validates with the settings of every built-in plugin."""
    return fastjsonschema.compile(write_schema(load_plugins().schemas), use_default=False)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("{plugin: sms, url: 'a://b'}", True),
        ("{plugin: sms, url: '${env:URL}', rate: 10/s, concurrency: 4, timeout: 2.5}", True),
        ("{plugin: sms, url: '${env:URL}', concurrency: '${env:MANY}'}", True),
        ("{plugin: sms, url: '${env:URL}', concurrency: many}", False),
        ("{plugin: sms, url: '${env:URL}', rat: 10/s}", False),
        ("{plugin: smss, url: 'a://b'}", False),
        ("{url: 'a://b'}", False),
        ("{plugin: push, fcm: {service_account: '${file:/f}'}}", True),
        ("{plugin: push, fcm: {service_acount: '${file:/f}'}}", False),
        ("{plugin: push, sms: {}}", False),
    ],
)
def test_the_settings_of_every_plugin_are_in_the_schema(text: str, valid: bool) -> None:
    node, _ = read_document(f"version: 1\nchannels: {{a: {text}}}\nrules: []\n", "f")
    assert node is not None
    try:
        compile_whole()(plain(node))
    except fastjsonschema.JsonSchemaException:
        assert not valid
    else:
        assert valid


def test_a_file_names_its_version_or_if_it_is_included_its_owner() -> None:
    assert is_valid({"version": 1, "rules": []})
    assert is_valid({"owner": "sales", "when": {"appId": "a"}, "rules": []})
    assert not is_valid({"rules": []})


def test_the_rules_of_the_project_itself_are_valid() -> None:
    path = ROOT / "rules.yaml"
    compile_whole()(read(path))
