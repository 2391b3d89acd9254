"""What the environment says: the `ROUTER_*` variables, read once and typed."""

from router.settings.environment import (
    ApiKey,
    Environment,
    LogFormat,
    LogLevel,
    Scope,
    Target,
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
from router.settings.variable import Variable, variables

__all__ = [
    "WEBHOOK_CREDENTIALS",
    "ApiKey",
    "Environment",
    "EnvironmentInvalid",
    "LogFormat",
    "LogLevel",
    "Proxies",
    "Proxy",
    "Scope",
    "Target",
    "UidPattern",
    "Variable",
    "check_exposure",
    "check_proxies",
    "is_loopback",
    "read_environment",
    "read_proxies",
    "variables",
]
