"""Every setting of every plugin that may hold a secret, found in the schemas."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from router.plugins.push.es256_jwt import make_placeholder_key
from router.plugins.push.fcm_access_token import make_placeholder_account
from router.registry import PluginSchema
from tests.secrecy.canaries import LENGTH, Canaries

TEMPLATES: Mapping[str, str] = {
    "apprise.url": "json://ann:{0}@service.test/in/{0}?+x-key={0}",
    "email.url": "mailto://mailer:{0}@mail.test/{{to}}",
    "slack.bot_token": "xoxb-1234567890-1234567890123-{0}",
    "slack.url": "https://hooks.slack.com/services/T0000000A/B0000000A/{0}",
    "sms.url": "twilio://AC{1}:{0}@+15005550006/{{to}}",
    "webhook.basic": 'router:{0}/+"é',
    "webhook.url": "http://ops.test/in/{0}?key={0}",
}
"""What a setting must look like to be taken; one that is not here takes any text."""

MORE: Mapping[str, Mapping[str, str]] = {
    "email": {"url": "sendgrid://{0}:router@example.com/{{to}}"},
    "apprise": {"url": "tgram://123456789:{0}xyzxyzxyzxyzxyz/{{to}}"},
}
"""Further channels, for URLs that lead elsewhere."""

BESIDE: Mapping[str, Mapping[str, str]] = {
    "push.apns.key": {"key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "topic": "com.example"},
    "push.webpush.private_key": {"subject": "mailto:ops@example.com"},
}
"""What must stand beside a setting, though it is no secret."""

Settings = dict[str, Any]


def make_channels(
    schemas: Mapping[str, PluginSchema], canaries: Canaries
) -> dict[str, tuple[str, Settings]]:
    """Return channels by name, one for each setting that is secret, with its plugin."""
    channels: dict[str, tuple[str, Settings]] = {}
    for plugin, schema in schemas.items():
        required = {path for path, needed in find_secrets(schema.schema()) if needed}
        for path, _ in find_secrets(schema.schema()):
            name = "-".join((plugin, *path))
            settings: Settings = {"timeout": 1}
            for each in sorted(required | {path}):
                plant(settings, each, make_value(plugin, each, name, canaries))
                for key, value in BESIDE.get(".".join((plugin, *each)), {}).items():
                    plant(settings, (*each[:-1], key), value)
            schema.convert(settings)  # raises where TEMPLATES does not say what it must look like
            channels[name] = (plugin, settings)
    for plugin, values in MORE.items():
        name = f"{plugin}-more"
        filled = {key: value.format(canaries[name]) for key, value in values.items()}
        channels[name] = (plugin, {"timeout": 1, **filled})
    return channels


def find_secrets(schema: Mapping[str, Any]) -> list[tuple[tuple[str, ...], bool]]:
    """Return the paths of secret settings, and whether each must be given."""
    definitions = schema.get("$defs", {})

    def walk(part: Mapping[str, Any], path: tuple[str, ...], *, needed: bool) -> Iterator[Any]:
        if part.get("writeOnly"):
            yield path, needed
        if "$ref" in part:
            yield from walk(definitions[part["$ref"].rpartition("/")[2]], path, needed=needed)
        for choice in (*part.get("anyOf", ()), *part.get("allOf", ())):
            yield from walk(choice, path, needed=needed)
        for key, inner in part.get("properties", {}).items():
            yield from walk(inner, (*path, key), needed=needed and key in part.get("required", ()))

    return list(walk(schema, (), needed=True))


def plant(settings: Settings, path: tuple[str, ...], value: str) -> None:
    """Put a value at a path."""
    for key in path[:-1]:
        settings = settings.setdefault(key, {})
    settings[path[-1]] = value


def make_value(plugin: str, path: tuple[str, ...], channel: str, canaries: Canaries) -> str:
    """Return a value that the plugin takes, a canary in it."""
    name = ".".join((plugin, *path))
    canary = canaries[f"{name} of {channel}"]
    if name == "webhook.secret":
        return f"whsec_{base64.b64encode(canary.encode()).decode()}"
    if name == "push.fcm.service_account":
        account = json.loads(make_placeholder_account())
        canaries.adopt(find_canary(account["private_key"]), f"{name} of {channel}")
        return json.dumps(account)
    if name in {"push.apns.key", "push.webpush.private_key"}:
        key = make_placeholder_key()
        canaries.adopt(find_canary(key), f"{name} of {channel}")
        return key
    digits = canary.encode().hex()[:32]
    return TEMPLATES.get(name, "{0}").format(canary, digits)


def find_canary(pem: str) -> str:
    """Return a part of a key that occurs nowhere else; a key on P-256 begins as all of them do."""
    found = re.findall(f"[A-Za-z0-9]{{{LENGTH}}}", pem.partition("\n")[2])
    assert found
    return str(found[-1])
