"""The settings are described, checked, and the channel closes cleanly."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from router.channel import Channel
from router.core.errors import SettingsError
from router.registry import PluginSchema
from router.registry.inspection import inspect_channel
from router.testing.contract.stage import ContractHarness
from router.testing.script import ScriptedTransport


class SchemaTests(ContractHarness):
    """A rules file can tell its reader all about the channel."""

    def test_the_channel_is_one_the_router_takes(self) -> None:
        inspect_channel(self.channel)

    def test_every_setting_is_described(self) -> None:
        schema = PluginSchema(self.channel).schema()
        undescribed = [name for name, field in _fields(schema) if not field.get("description")]
        assert not undescribed

    def test_the_channel_and_its_settings_say_what_they_are_for(self) -> None:
        assert self.channel.__doc__
        assert self.channel.Settings.__doc__

    def test_a_setting_nobody_knows_is_named(self) -> None:
        with pytest.raises(SettingsError) as caught:
            PluginSchema(self.channel).convert({**self.settings, "concurency": 3})
        assert [fault.path for fault in caught.value.faults] == [("concurency",)]

    def test_it_needs_a_contact_if_and_only_if_it_has_an_address(self) -> None:
        settings = PluginSchema(self.channel).convert(self.settings)
        assert self.channel.needs_contact(settings) is bool(self.address)

    def test_what_stands_in_for_a_setting_is_sound(self) -> None:
        schema = PluginSchema(self.channel)
        names = {name for name, _ in _fields(schema.schema())}
        for path in self.channel.placeholders:
            assert path.rpartition(".")[2] in names
            assert schema.placeholder(path)

    def test_it_closes_cleanly_and_may_be_closed_twice(self) -> None:
        async def scene(channel: Channel[Any], _: ScriptedTransport) -> None:
            await channel.send(self.message())
            await channel.aclose()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others

        before = threading.active_count()
        self.run(self.ok.to_response(), scene)
        assert threading.active_count() <= before

    def test_it_closes_cleanly_without_having_sent(self) -> None:
        async def scene(_: Channel[Any], transport: ScriptedTransport) -> None:
            assert not transport.carried

        self.run(self.ok.to_response(), scene)


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for definition in schema["$defs"].values():
        yield from definition.get("properties", {}).items()
