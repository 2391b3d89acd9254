"""What can be set, as types."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, NewType, TypeAlias

from msgspec import Struct

from router.channel import Secret
from router.settings.proxies import Proxies

PREFIX = "ROUTER_"

Scope = Literal["recipients", "operator"]
"""What an API key opens: the recipients alone, or everything."""

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]
HeaderName = NewType("HeaderName", str)
"""The name of an HTTP header, in lower case."""

UidPattern = NewType("UidPattern", str)
"""A uid; a `*` in it stands for any characters."""

AllowedTarget: TypeAlias = str | IPv4Network | IPv6Network
"""A host, by its name in lower case, or a network."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key of the API, written `name:scope:key`; the name is what logs show of it."""

    name: str
    scope: Scope
    key: Secret


class Environment(Struct, frozen=True, kw_only=True):
    """Every setting of the process: the field `port` is the variable `ROUTER_PORT`.

    `proxies` come from variables that other programs read too, as `HTTPS_PROXY`.
    """

    rules: Annotated[Path, "The rules file."] = Path("rules.yaml")
    database: Annotated[Secret, "SQLAlchemy URL of the database."] = Secret(
        "sqlite+aiosqlite:///router.db"
    )
    host: Annotated[str, "The address to listen on."] = "127.0.0.1"
    port: Annotated[int, "The port to listen on; 0 takes a free one."] = 8000
    webhook_user: Annotated[str, "User name CometChat sends to the webhook (Basic Auth)."] = ""
    webhook_password: Annotated[Secret | None, "Password CometChat sends to the webhook."] = None
    webhook_password_previous: Annotated[
        Secret | None, "Password still taken while a new one is being rolled out."
    ] = None
    webhook_secret: Annotated[
        Secret | None, "Key with which bodies posted to the webhook are signed (HMAC-SHA256)."
    ] = None
    webhook_signature_header: Annotated[
        HeaderName, "Header that carries the signature, in hex or base64."
    ] = HeaderName("x-cometchat-signature")
    api_keys: Annotated[
        tuple[ApiKey, ...], "Keys of the API; the scope `operator` includes `recipients`."
    ] = ()
    private_targets: Annotated[
        tuple[AllowedTarget, ...],
        "Hosts and networks that recipients' own URLs may lead to though they are not public.",
    ] = ()
    only_recipients: Annotated[
        tuple[UidPattern, ...],
        "The only recipients that anything is sent to, for staging: uids, with `*` for any "
        "characters, or `@` and the path of a file of them, one a line.",
    ] = ()
    plugins_dir: Annotated[
        Path | None, "A folder of your own plugins: a file or a package for each."
    ] = None
    log_level: Annotated[LogLevel, "The least urgent lines to log."] = "info"
    log_format: Annotated[LogFormat, "How log lines are written."] = "text"
    sandbox: Annotated[bool, "Deliver nothing; record what would have gone out."] = False
    proxies: Proxies = Proxies()
