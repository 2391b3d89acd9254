"""What holds a secret does not show it."""

from pathlib import Path

import pytest

from router.registry import load_plugins
from router.settings import EnvironmentInvalid, read_environment
from tests.secrecy.stage import PLUGINS, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, {}, {})


def test_no_variable_shows_its_secret(stage: Stage) -> None:
    environment, warnings = read_environment(stage.settings)
    shown = f"{environment!r} {environment} {environment.api_keys} {warnings}"
    assert stage.canaries.find(shown.encode()) == set()


def test_a_variable_that_is_refused_does_not_show_its_secret(stage: Stage) -> None:
    secret = stage.canaries["a secret in the wrong place"]
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
        assert stage.canaries.find(f"{refused.value} {refused.value.problems}".encode()) == set()


def test_no_channel_shows_its_settings(stage: Stage) -> None:
    schemas = load_plugins(PLUGINS).schemas
    for plugin, settings in stage.channels.values():
        converted = schemas[plugin].convert(settings)
        assert stage.canaries.find(f"{converted!r} {converted}".encode()) == set()
