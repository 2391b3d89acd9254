"""Recipients' addresses in Apprise URLs: one address reaches one target, and nothing else.

An address is data, never part of a URL's syntax: it is checked and percent-encoded into its place,
and the Apprise plugin that is made from it must hold it as its one target.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

import msgspec
from apprise.plugins.base import NotifyBase
from apprise.utils.parse import parse_list

from router.channel import Secret, Settings
from router.core.errors import AddressError

MAX_ADDRESS_LENGTH = 2048

SAFE_ADDRESS = re.compile(r"[@#!$*^\-]?[\w+][\w@.:+'~*=\-]*")
"""Addresses that may stand in a URL: names, numbers and tokens without separators."""

LOCAL_SCHEMES = frozenset(
    {"blink1", "dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)
"""Schemes that reach this machine, not a person."""

NAMES_A_HOST = "the address names a host"

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SCHEME = re.compile(r"\s*([A-Za-z0-9+.\-]+)://")


_URL_ATTRIBUTES = frozenset({"fullpath", "host", "password", "port", "schema", "user"})
"""Attributes of every plugin that hold parts of its URL, used or not."""


class URLTemplateError(ValueError):
    """The URL cannot take a recipient's address."""


def check_template(url: str) -> None:
    """Raise `URLTemplateError` unless a URL names a service that can take an address."""
    match = _SCHEME.match(url)
    if match is None:
        raise URLTemplateError("url: must start with a scheme, as in json://")
    if "{to}" in url and match[1].lower() in LOCAL_SCHEMES:
        raise URLTemplateError(
            f"url: {match[1]}:// reaches this machine, not a recipient's address"
        )


def check_address(address: str) -> str:
    """Return the address; raises `AddressError` where Apprise could read it as anything else."""
    if not address:
        raise AddressError("the address is empty")
    if len(address) > MAX_ADDRESS_LENGTH:
        raise AddressError("the address is too long")
    if not SAFE_ADDRESS.fullmatch(_strip_marks(address)) or unquote(address) != address:
        raise AddressError("the address holds characters that no address has")
    if not any(map(str.isalnum, address)):
        raise AddressError("the address holds no letter or digit")
    return address


def _strip_marks(address: str) -> str:
    """Return a text without combining marks, such as the vowel signs of Hindi."""
    if address.isascii():
        return address
    return "".join(char for char in address if unicodedata.category(char) not in {"Mn", "Mc"})


def is_host(address: str, url: str) -> bool:
    """Return whether an address has become the host of a request."""
    return bool(address) and _strip_text(urlsplit(url).hostname or "") == _strip_text(address)


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Return a template with each value percent-encoded in its place."""
    return PLACEHOLDER.sub(
        lambda match: quote(values[match[1]], safe="") if match[1] in values else match[0],
        template,
    )


def replace_address(plugin: NotifyBase, written: str, address: str) -> None:
    """Replace the address that a plugin was built with, in each attribute that holds it.

    A plugin may hold a phone number in another form: without the +, or with 00. Raises
    `AddressError` where the plugin still holds `written` afterwards.
    """
    if written == address:
        return
    forms = {written: address}
    if written.startswith("+") and address.startswith("+"):
        forms |= {start + written[1:]: start + address[1:] for start in ("", "00")}
    attributes, changed_names = vars(plugin), set[str]()
    for name, value in attributes.items():
        new_value = _replace(value, forms)
        if new_value != value:
            attributes[name] = new_value
            changed_names.add(name)
    elements = repr([list(_elements(value)) for value in attributes.values()]).casefold()
    if changed_names <= _URL_ATTRIBUTES or (_strip_text(written) in elements):
        raise AddressError("the address is not valid for this provider")


def _replace(value: object, forms: Mapping[str, str]) -> object:
    match value:
        case str():
            return forms.get(value, value)
        case dict():
            pairs = {k: _replace(v, forms) for k, v in value.items()}
            return {_replace(k, forms): v for k, v in pairs.items()}
        case list():
            return [_replace(item, forms) for item in value]
        case tuple():
            return tuple(_replace(item, forms) for item in value)
        case set():
            return {_replace(item, forms) for item in value}
        case _:
            return value


def check_targets(
    plugin: NotifyBase, address: str, constants: Iterable[str] = (), *, is_listed: bool = False
) -> None:
    """Raise `AddressError` unless an Apprise plugin holds the address as its one target.

    `constants` are the operator's own texts, which the plugin may have split into lists, too. An
    address that `is_listed` among the targets of the URL must be among those of the plugin:
    another attribute may hold a text of the operator's that reads the same.
    """
    targets: set[str] = set()
    for name, texts in _find_matches(plugin, address):
        if texts and "invalid" in name:
            raise AddressError("the address is not valid for this provider")
        targets |= texts
    targets -= {_strip_text(word) for text in constants for word in parse_list(text)} - {
        _strip_text(address)
    }
    if len(targets) > 1:
        raise AddressError("the address reads as more than one")
    if targets and not any(
        _equals(target, address) or _has_whole_words(address, target) for target in targets
    ):
        raise AddressError("the address reads as something else")
    if not targets and (is_listed or not _is_plain_attribute(plugin, address)):
        raise AddressError("the address is not valid for this provider")


def count_targets(plugin: NotifyBase, text: str) -> int:
    """Return the number of targets that an Apprise plugin has made of one text."""
    return len({target for _, texts in _find_matches(plugin, text) for target in texts})


def _find_matches(plugin: NotifyBase, text: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the name of each attribute of a plugin, and its elements that come from a text."""
    for name, value in vars(plugin).items():
        yield (
            name,
            {match for element in _elements(value) for match in _matching_texts(element, text)},
        )


def comes_from(text: str, address: str) -> bool:
    """Return whether the text of a target in a URL comes from an address."""
    return _has_whole_words(address, text) or _has_whole_words(text, address)


def _is_plain_attribute(plugin: NotifyBase, address: str) -> bool:
    """Return whether a text attribute of the plugin, other than a URL's part, holds the address."""
    texts = (v for k, v in vars(plugin).items() if isinstance(v, str) and k not in _URL_ATTRIBUTES)
    return any(_has_whole_words(address, text) for text in texts)


def _elements(value: object) -> Iterator[object]:
    """Yield the members of a collection, and of collections in a mapping."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _elements(item) if isinstance(item, list | set | frozenset) else (item,)
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value


def _matching_texts(element: object, address: str) -> Iterator[str]:
    """Yield the texts of an element that come from the address."""
    if isinstance(element, str):
        if _has_whole_words(element, address) or _has_whole_words(address, element):
            yield _strip_text(element)
    elif isinstance(element, int):
        sign = "-" if address.strip().startswith("-") else ""  # of Telegram's groups
        if str(element) == sign + _strip_text(address):
            yield str(element)
    elif isinstance(element, list | tuple | set | frozenset | dict):
        for item in element.values() if isinstance(element, dict) else element:
            yield from _matching_texts(item, address)


def _equals(left: str, right: str) -> bool:
    """Return whether two texts have the same letters and digits."""
    return [*filter(str.isalnum, left.casefold())] == [*filter(str.isalnum, right.casefold())]


def _has_whole_words(part: str, text: str) -> bool:
    """Return whether a text holds another as whole words."""
    part, text = _strip_text(part), text.casefold()
    start = text.find(part) if part else -1
    while start >= 0:
        end = start + len(part)
        if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            return True
        start = text.find(part, start + 1)
    return False


def _strip_text(text: str) -> str:
    """Return a text for comparison: in lower case, from its first letter or digit to its last."""
    text = text.casefold()
    start, end = 0, len(text)
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return text[start:end]


def write_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that can stand in a URL, as texts."""
    values = msgspec.structs.asdict(settings)
    return {
        name: value.reveal() if isinstance(value, Secret) else str(value)
        for name, value in values.items()
        if isinstance(value, Secret | str | int | float)
    }
