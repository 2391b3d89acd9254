"""What holds a secret does not show it."""

from pathlib import Path

import pytest

from router.registry import load_plugins
from router.settings import EnvironmentInvalid, read_environment
from tests.secrecy.harness import PLUGINS, Harness


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path, {})


def test_no_variable_shows_its_secret(harness: Harness) -> None:
    environment, warnings = read_environment(harness.settings)
    shown = f"{environment!r} {environment} {environment.api_keys} {warnings}"
    assert harness.canaries.find(shown.encode()) == set()


def test_a_variable_that_is_refused_does_not_show_its_secret(harness: Harness) -> None:
    secret = harness.canaries["a secret in the wrong place"]
    for wrong in (
        {"ROUTER_API_KEYS": f"{secret}:operator"},
        {"ROUTER_API_KEYS": f"ops:{secret}:operator"},
        {"ROUTER_WEBHOOK_PASSWORD_PREVIOUS": secret},
        {"ROUTER_WEBHOOK_PASSWORD_FILE": secret},
        {"ROUTER_WEBHOOK_PASSWORD": secret, "ROUTER_WEBHOOK_PASSWORD_FILE": "/x"},
        {"ROUTER_WEBHOOK_PASSWORT": secret},
    ):
        with pytest.raises(EnvironmentInvalid) as refused:
            read_environment(wrong)
        assert harness.canaries.find(f"{refused.value} {refused.value.problems}".encode()) == set()


def test_no_channel_shows_its_settings(harness: Harness) -> None:
    schemas = load_plugins(PLUGINS).schemas
    for plugin, settings in harness.channels.values():
        converted = schemas[plugin].convert(settings)
        assert harness.canaries.find(f"{converted!r} {converted}".encode()) == set()
