"""What the environment says: the `ROUTER_*` variables, read once and typed."""

from router.settings.environment import (
    AllowedTarget,
    ApiKey,
    Environment,
    LogFormat,
    LogLevel,
    Scope,
    UidPattern,
)
from router.settings.exposure import (
    WEBHOOK_CREDENTIALS,
    check_exposure,
    check_proxies,
    is_loopback,
)
from router.settings.proxies import Proxies, Proxy, read_proxies
from router.settings.reading import EnvironmentInvalid, read_environment
from router.settings.variable import EnvironmentVariable, variables

__all__ = [
    "WEBHOOK_CREDENTIALS",
    "AllowedTarget",
    "ApiKey",
    "Environment",
    "EnvironmentInvalid",
    "EnvironmentVariable",
    "LogFormat",
    "LogLevel",
    "Proxies",
    "Proxy",
    "Scope",
    "UidPattern",
    "check_exposure",
    "check_proxies",
    "is_loopback",
    "read_environment",
    "read_proxies",
    "variables",
]
