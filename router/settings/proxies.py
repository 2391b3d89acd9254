"""`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`: through which proxy a request goes.

No standard says how they are read; this is what curl does, where it is not said otherwise:
https://curl.se/docs/manpage.html#ENVIRONMENT, https://everything.curl.dev/usingcurl/proxies/env.html
"""

import base64
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from router.channel import Secret


class Proxy(Struct, frozen=True, kw_only=True):
    """An HTTP proxy, and how it is asked."""

    host: str
    port: int
    user: str = ""
    password: Secret = Secret("")

    @property
    def url(self) -> str:
        """The URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def authorization(self) -> str:
        """The value of `Proxy-Authorization`, empty where the proxy asks for none."""
        if not self.user and not self.password.reveal():
            return ""
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class ProxyExemption(Struct, frozen=True, kw_only=True):
    """An entry of `NO_PROXY`: a domain with its subdomains or a network, and a port, 0 for any."""

    target: str | IPv4Network | IPv6Network
    port: int = 0

    def covers(self, host: str, port: int) -> bool:
        """Return whether a host, in lower case, is reached directly."""
        if self.port not in {0, port}:
            return False
        if isinstance(self.target, str):
            return self.target in {"*", host} or host.endswith(f".{self.target}")
        try:
            return ip_address(host) in self.target
        except ValueError:
            return False


class Proxies(Struct, frozen=True, kw_only=True):
    """The proxy of each scheme, and what goes past them."""

    http: Proxy | None = None
    https: Proxy | None = None
    exempt: tuple[ProxyExemption, ...] = ()
    problems: tuple[str, ...] = ()
    """Why a variable cannot be honoured, with the remedy."""

    def find(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy that a request goes through, None for none."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None:
            return None
        host = host.lower().rstrip(".").strip("[]")
        return None if any(entry.covers(host, port) for entry in self.exempt) else proxy


def read_proxies(environ: Mapping[str, str]) -> Proxies:
    """Return the proxies of an environment; a name in lower case goes before one in capitals."""
    problems: list[str] = []
    proxies: dict[str, Proxy] = {}
    for scheme in ("http", "https"):
        name, text = (
            _look_up(environ, f"{scheme}_proxy") or _look_up(environ, "all_proxy") or ("", "")
        )
        if not text:
            continue
        try:
            proxies[scheme] = _read_proxy(text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    _, listed = _look_up(environ, "no_proxy") or ("", "")
    return Proxies(
        http=proxies.get("http"),
        https=proxies.get("https"),
        exempt=tuple(_read_exemptions(listed)),
        problems=tuple(dict.fromkeys(problems)),
    )


def _look_up(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """Return a variable with its name as it is written; an empty one counts as absent."""
    for spelled in (name, name.upper()):
        if text := environ.get(spelled, "").strip():
            return spelled, text
    return None


def _read_proxy(text: str) -> Proxy:
    """Return a proxy; errors never show the text, which may hold a password."""
    remedy = "write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, or unset it"
    if "://" not in text:
        text = f"http://{text}"
    scheme = re.match(r"([A-Za-z0-9+.-]{1,20})://", text)
    if scheme is not None and scheme[1].lower() != "http":
        raise ValueError(f"{scheme[1].lower()}:// proxies are not supported; {remedy}")
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port or _HTTP_PORT
    except ValueError:
        raise ValueError(f"is not a valid proxy URL; {remedy}") from None
    if (
        url.scheme != "http"
        or not host
        or url.path not in {"", "/"}
        or url.query
        or re.search(r"[\s\x00-\x20]", host)
    ):
        raise ValueError(f"is not a valid proxy URL; {remedy}")
    return Proxy(
        host=host,
        port=port,
        user=unquote(url.username or ""),
        password=Secret(unquote(url.password or "")),
    )


def _read_exemptions(text: str) -> Iterator[ProxyExemption]:
    """Yield the entries of `NO_PROXY`, separated by commas or spaces."""
    for entry in re.split(r"[,\s]+", text.lower()):
        if not entry:
            continue
        try:
            yield ProxyExemption(target=ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            name, _, port = entry.rpartition(":")
            if not name or not port.isdecimal():
                name, port = entry, "0"
            yield ProxyExemption(target=_read_target(name), port=int(port))


def _read_target(name: str) -> str | IPv4Network | IPv6Network:
    try:
        return ip_network(name.strip("[]"), strict=False)
    except ValueError:
        return name if name == "*" else name.removeprefix("*").strip(".")


_HTTP_PORT = 80
