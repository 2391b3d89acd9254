"""Where the router may listen, and with which credentials."""

import pytest
from msgspec.structs import replace

from router.settings import (
    WEBHOOK_CREDENTIALS,
    Environment,
    check_exposure,
    is_loopback,
    read_environment,
)

KEY = "0123456789abcdef"
PASSWORD = {"ROUTER_WEBHOOK_USER": "cometchat", "ROUTER_WEBHOOK_PASSWORD": "orange"}
SECRET = {"ROUTER_WEBHOOK_SECRET": KEY}


def test_live_mode_without_credentials_refuses_every_address() -> None:
    for host in ("127.0.0.1", "::1", "10.1.2.3"):
        (problem,) = check_exposure(Environment(host=host))
        assert "ROUTER_WEBHOOK_USER, ROUTER_WEBHOOK_PASSWORD" in problem
        for guard in (PASSWORD, SECRET):
            assert check_exposure(read_environment({**guard, "ROUTER_HOST": host})[0]) == ()


def test_sandbox_mode_leaves_loopback_only_with_credentials_and_keys() -> None:
    bare = Environment(sandbox=True)
    assert check_exposure(bare) == ()
    assert check_exposure(replace(bare, host="localhost")) == ()
    away = replace(bare, host="10.1.2.3")
    assert [problem.partition(";")[2] for problem in check_exposure(away)] == [
        f" set {WEBHOOK_CREDENTIALS}, or ROUTER_HOST=127.0.0.1",
        " set ROUTER_API_KEYS, or ROUTER_HOST=127.0.0.1",
    ]
    for guard in (PASSWORD, SECRET):
        guarded = {**guard, "ROUTER_SANDBOX": "1", "ROUTER_HOST": "10.1.2.3"}
        assert len(check_exposure(read_environment(guarded)[0])) == 1
        keyed = {**guarded, "ROUTER_API_KEYS": f"ops:operator:{KEY}"}
        assert check_exposure(read_environment(keyed)[0]) == ()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - what must not pass
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.test", False),
        ("127.0.0.1.evil.test", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
