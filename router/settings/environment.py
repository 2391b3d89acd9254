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

    rules: Annotated[Path, "Path of the rules file."] = Path("rules.yaml")
    database: Annotated[Secret, "URL of the database, as SQLAlchemy writes it."] = Secret(
        "sqlite+aiosqlite:///router.db"
    )
    host: Annotated[str, "Address to listen on."] = "127.0.0.1"
    port: Annotated[int, "Port to listen on; 0 takes a free port."] = 8000
    webhook_user: Annotated[str, "User name that CometChat sends to the webhook (Basic Auth)."] = ""
    webhook_password: Annotated[
        Secret | None, "Password that CometChat sends to the webhook (Basic Auth)."
    ] = None
    webhook_password_previous: Annotated[
        Secret | None, "Previous password, accepted during a change of the password."
    ] = None
    webhook_secret: Annotated[
        Secret | None, "Key of the signature of webhook bodies (HMAC-SHA256)."
    ] = None
    webhook_signature_header: Annotated[
        HeaderName, "Name of the header with the signature, in hex or base64."
    ] = HeaderName("x-cometchat-signature")
    api_keys: Annotated[
        tuple[ApiKey, ...], "Keys of the API; the scope `operator` includes `recipients`."
    ] = ()
    private_targets: Annotated[
        tuple[AllowedTarget, ...],
        "Hosts and networks that are not public and that URLs of recipients may address.",
    ] = ()
    only_recipients: Annotated[
        tuple[UidPattern, ...],
        "Recipients that messages are sent to, for staging; nothing is sent to others. `*` in "
        "a uid stands for any characters; `@` and a path read the uids from a file, one a line.",
    ] = ()
    plugins_dir: Annotated[
        Path | None, "Folder of your own plugins: a file or a package for each."
    ] = None
    log_level: Annotated[LogLevel, "Lowest level that is logged."] = "info"
    log_format: Annotated[LogFormat, "Format of log lines."] = "text"
    sandbox: Annotated[
        bool, "Deliver nothing, and record the requests that would have been sent."
    ] = False
    proxies: Proxies = Proxies()
