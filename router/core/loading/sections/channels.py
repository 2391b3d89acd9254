"""`channels`, read into checked settings of their plugins."""

import re
from collections.abc import Iterator, Mapping

from router.core.errors import SettingsError, SettingsFault, suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.references import References, has_reference
from router.core.loading.section import Section, name_known
from router.core.loading.yaml_nodes import MappingEntry, MappingNode, Node, ScalarNode, SequenceNode
from router.core.model.local_access import LocalAccess
from router.core.model.payload import Json
from router.core.rules.ruleset import ChannelSchema, ChannelSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
Schema = dict[str, Json]


def read_channels(
    section: Section, plugins: Mapping[str, ChannelSchema], references: References
) -> dict[str, ChannelSpec | None]:
    """Return the channels by name; None for one with errors, so that its name is known."""
    report = references.report
    channels: dict[str, ChannelSpec | None] = {}
    for name, entry in section.entries("channels").items():
        if not _NAME.fullmatch(name):
            hint = "use at most 64 letters, digits, _ . or -"
            report.error(entry.key, f'"{name}" cannot be the name of a channel', hint)
        channels[name] = _read_channel(entry, plugins, references)
    return channels


def _read_channel(
    entry: MappingEntry, plugins: Mapping[str, ChannelSchema], references: References
) -> ChannelSpec | None:
    report, name, node = references.report, entry.key.text, entry.value
    if not isinstance(node, MappingNode):
        report.error(entry.key, f"channel {name} must be a mapping", "write {plugin: …}")
        return None
    schema = _find_plugin(entry.key, node, plugins, report)
    if schema is None:
        report.secrets += _find_scalars(node)  # for want of a schema, any of them may be one
        return None
    before = len(report.problems)
    settings = _SettingsReader(schema, references).read(node)
    if any(problem.severity == "error" for problem in report.problems[before:]):
        return None
    try:
        converted = schema.convert(settings)
        address_kind = schema.address_kind if schema.needs_contact(converted) else ""
        access = schema.find_local_access(converted)
    except SettingsError as error:
        for fault in error.faults:
            _report_fault(fault, entry, report)
        return None
    local_files = _read_local_files(access, entry, references)
    if local_files is None:
        return None
    return ChannelSpec(
        name=name,
        plugin=schema.name,
        settings=converted,
        address_kind=address_kind,
        place=entry.key.place,
        replaces=schema.replaces,
        wants=schema.wants,
        normalize_address=schema.normalize_address,
        updates=schema.updates,
        retracts=schema.retracts,
        local_files=local_files,
    )


def _read_local_files(
    access: LocalAccess, entry: MappingEntry, references: References
) -> dict[str, str] | None:
    """Return the texts of the files that settings name, by path; None where one is refused.

    Those that sandbox mode does not find are left out.
    """
    place: Node = entry.key
    if isinstance(entry.value, MappingNode) and access.setting in entry.value.entries:
        place = entry.value.entries[access.setting].value
    report = references.report
    if access.service and references.grant is not None:
        message = f"{access.service} reaches this machine, which an included file may not"
        report.error(place, message, "define the channel in the main file")
        return None
    before = len(report.problems)
    read = {path: references.read_file(place, path) for path in access.files}
    if any(problem.severity == "error" for problem in report.problems[before:]):
        return None
    return {path: text for path, text in read.items() if text is not None}


def _find_plugin(
    key: ScalarNode, node: MappingNode, plugins: Mapping[str, ChannelSchema], report: Diagnostics
) -> ChannelSchema | None:
    entry = node.entries.get("plugin")
    if entry is None:
        report.error(key, f"channel {key.text} names no plugin", name_known(plugins))
        return None
    name = entry.value.text if isinstance(entry.value, ScalarNode) else "…"
    if name not in plugins:
        hint = suggest(name, plugins) or name_known(plugins)
        report.error(entry.value, f'unknown plugin "{name}"', hint)
    return plugins.get(name)


def _report_fault(fault: SettingsFault, entry: MappingEntry, report: Diagnostics) -> None:
    """Report a fault at the key or value its path leads to, or as near as it leads."""
    key, node = entry.key, entry.value
    for step in fault.path:
        match node:
            case MappingNode(entries=entries) if step in entries:
                key, node = entries[step].key, entries[step].value
            case SequenceNode(items=items) if step.isdecimal() and int(step) < len(items):
                node = items[int(step)]
            case _:
                report.error(key, fault.message, fault.hint)
                return
    at_key = fault.at == "key" or not fault.path
    report.error(key if at_key else node, fault.message, fault.hint)


def _find_scalars(node: Node) -> Iterator[ScalarNode]:
    """Yield the values in a channel, its plugin's name left out."""
    match node:
        case ScalarNode():
            yield node
        case MappingNode(entries=entries):
            for key, entry in entries.items():
                yield from () if key == "plugin" else _find_scalars(entry.value)
        case _:
            for item in node.items:
                yield from _find_scalars(item)


class _SettingsReader:
    """Turns the settings of one channel into plain values, with references replaced."""

    def __init__(self, schema: ChannelSchema, references: References) -> None:
        self._schema = schema
        self._references = references
        self._report = references.report
        self._root = schema.schema()

    def read(self, node: MappingNode) -> dict[str, Json]:
        """Return the settings, less the name of the plugin."""
        settings = {key: entry for key, entry in node.entries.items() if key != "plugin"}
        return self._read_entries(settings, (), self._root)

    def _read_entries(
        self, entries: Mapping[str, MappingEntry], path: tuple[str, ...], schema: Schema
    ) -> dict[str, Json]:
        read: dict[str, Json] = {}
        for key, entry in entries.items():
            if isinstance(entry.value, ScalarNode) and entry.value.value is None:
                hint = "give it a value or leave it out"
                self._report.error(entry.key, f'"{key}" is empty', hint)
            else:
                read[key] = self._read(entry.value, (*path, key), self._property(schema, key))
        return read

    def _read(self, node: Node, path: tuple[str, ...], schema: Schema) -> Json:
        match node:
            case MappingNode(entries=entries):
                return self._read_entries(entries, path, schema)
            case SequenceNode(items=items):
                return [
                    self._read(item, (*path, str(index)), self._items(schema))
                    for index, item in enumerate(items)
                ]
            case _:
                return self._read_scalar(node, path, schema)

    def _read_scalar(self, node: ScalarNode, path: tuple[str, ...], schema: Schema) -> Json:
        if has_reference(node.text):
            return self._references.expand(node, lambda: self._schema.placeholder(".".join(path)))
        variants = list(self._variants(schema))
        if not schema:
            self._report.secrets.append(node)  # a misspelt key's value may be one
        if any(variant.get("writeOnly") is True for variant in variants):
            self._report.secrets.append(node)
            hint = "write ${env:NAME} or ${file:PATH}, and keep it out of the file"
            self._report.warn(node, f'"{path[-1]}" is a secret', hint)
        types = {variant.get("type") for variant in variants}
        wants_text = "string" in types and not types & {"integer", "number", "boolean"}
        return node.text if wants_text else node.value

    def _property(self, schema: Schema, key: str) -> Schema:
        for part in self._variants(schema):
            properties = part.get("properties")
            if isinstance(properties, dict) and isinstance(found := properties.get(key), dict):
                return found
            if isinstance(found := part.get("additionalProperties"), dict):
                return found
        return {}

    def _items(self, schema: Schema) -> Schema:
        for part in self._variants(schema):
            if isinstance(found := part.get("items"), dict):
                return found
        return {}

    def _variants(self, schema: Schema) -> Iterator[Schema]:
        """Give the schema and what it refers to or chooses from."""
        yield schema
        reference = schema.get("$ref")
        if isinstance(reference, str):
            definitions = self._root.get("$defs")
            name = reference.rpartition("/")[2]
            if isinstance(definitions, dict) and isinstance(found := definitions.get(name), dict):
                yield from self._variants(found)
        for keyword in ("anyOf", "oneOf", "allOf"):
            choices = schema.get(keyword)
            for choice in choices if isinstance(choices, list) else ():
                if isinstance(choice, dict):
                    yield from self._variants(choice)
