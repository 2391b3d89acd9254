"""What a channel class must be before anyone uses it."""

import re

import msgspec

from router.channel import Channel, Settings
from router.registry.schema import custom_type_schema

CHANNEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def inspect_channel(channel: object) -> None:
    """Raise `TypeError` naming the class and what it lacks."""
    if not isinstance(channel, type) or not issubclass(channel, Channel):
        raise TypeError(f"registers {channel!r}, which is not a subclass of router.Channel")
    title = channel.__name__
    name = getattr(channel, "name", None)
    if not isinstance(name, str) or not CHANNEL_NAME.fullmatch(name):
        raise TypeError(
            f"{title}.name must say what `plugin:` is to say: a lower-case word, not {name!r}"
        )
    if channel.send is Channel.send:
        raise TypeError(f"{title} has no `send`")
    _inspect_settings(title, getattr(channel, "Settings", None))


def _inspect_settings(title: str, settings: object) -> None:
    if not isinstance(settings, type) or not issubclass(settings, Settings):
        raise TypeError(f"{title}.Settings must be a subclass of router.Settings")
    if not settings.__struct_config__.forbid_unknown_fields:
        raise TypeError(f"{title}.Settings must keep `forbid_unknown_fields`")
    try:
        msgspec.json.schema(settings, schema_hook=custom_type_schema)
    except (TypeError, NameError, NotImplementedError) as error:
        raise TypeError(f"{title}.Settings: {error}") from None
