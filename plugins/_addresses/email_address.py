"""Normalize e-mail addresses to the form that every mail server takes: the domain in ASCII.

Parts of an address and their lengths: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1,
https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1; letters beyond ASCII before the @:
https://www.rfc-editor.org/rfc/rfc6531, composed as https://www.rfc-editor.org/rfc/rfc6532#section-3.1
asks; domains: https://www.unicode.org/reports/tr46/.
"""

import re
import unicodedata

import idna

from router import AddressError

MAX_ADDRESS_OCTETS = 254
MAX_LOCAL_PART_OCTETS = 64
MAX_DOMAIN_OCTETS = 253
MAX_LABEL_OCTETS = 63
"""Limits of RFC 5321, 4.5.3.1, and RFC 1035, 2.3.4."""

_LOCAL_PART_MARKS = frozenset("!#$%&'*+-/=?^_`{|}~.")
"""Characters of an unquoted local part beside letters and digits (RFC 5322, 3.2.3)."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

WRITE_BARE_ADDRESS = "write one bare address, as bob@example.com"


STAND_IN_ADDRESS = "recipient@router.invalid"
"""Replaces an address while Apprise reads a URL: Apprise splits o'brien@example.com into two
addresses, and drops what it does not understand. Nobody owns the domain (RFC 2606)."""


class Utf8Mailbox(str):
    """An address with letters beyond ASCII before the @, which Apprise can put into a header.

    `email.utils.formataddr` encodes an address as ASCII only to refuse others; this class encodes
    as UTF-8 and does not raise.
    """

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - str's signature
        """Return the address as UTF-8, and ignore the requested encoding."""
        return super().encode("utf-8", errors)


def normalize_mailbox(text: str) -> str:
    """Return an address with its domain in ASCII, in lower case; raises `AddressError`.

    The local part keeps its case, since only its server knows whether case matters, and is
    composed (NFC).
    """
    text = text.strip()
    if "<" in text or ">" in text:
        raise AddressError(f"holds a name beside the address; {WRITE_BARE_ADDRESS}")
    if text.lower().startswith("mailto:"):
        raise AddressError(f"is a link; {WRITE_BARE_ADDRESS}")
    if text.count("@") > 1:
        raise AddressError(f"holds more than one @; {WRITE_BARE_ADDRESS}")
    local, at, domain = text.partition("@")
    if not at:
        raise AddressError(f"has no @; {WRITE_BARE_ADDRESS}")
    local = unicodedata.normalize("NFC", local)
    _check_local(local)
    address = f"{local}@{_normalize_domain(domain)}"
    if len(address.encode()) > MAX_ADDRESS_OCTETS:
        raise AddressError(f"is longer than {MAX_ADDRESS_OCTETS} octets")
    return address


def is_ascii_local(address: str) -> bool:
    """Return whether a mailer without SMTPUTF8 can send to an address."""
    return address.partition("@")[0].isascii()


def _check_local(local: str) -> None:
    if not local:
        raise AddressError(f"has nothing before the @; {WRITE_BARE_ADDRESS}")
    if any(char.isspace() or unicodedata.category(char).startswith("C") for char in local):
        raise AddressError(f"holds a space or a control character; {WRITE_BARE_ADDRESS}")
    if not all(
        char in _LOCAL_PART_MARKS or unicodedata.category(char)[0] in "LMN" for char in local
    ):
        raise AddressError("holds before the @ a character that no mail is sent to")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressError("has a dot at an end of what stands before the @, or two in a row")
    if not any(map(str.isalnum, local)):
        raise AddressError("holds no letter or digit before the @")
    if len(local.encode()) > MAX_LOCAL_PART_OCTETS:
        raise AddressError(f"has more than {MAX_LOCAL_PART_OCTETS} octets before the @")


def _normalize_domain(domain: str) -> str:
    if not domain:
        raise AddressError(f"has nothing after the @; {WRITE_BARE_ADDRESS}")
    if any(char.isspace() for char in domain):
        raise AddressError(f"holds a space; {WRITE_BARE_ADDRESS}")
    if domain.startswith("[") or domain.rpartition(".")[2].isdigit():
        raise AddressError("names a number and no domain after the @")
    name = domain.lower() if domain.isascii() else _encode_domain(domain)
    labels = name.split(".")
    if "" in labels:
        raise AddressError("has a dot at an end of the domain, or two in a row")
    if max(map(len, labels)) > MAX_LABEL_OCTETS or len(name) > MAX_DOMAIN_OCTETS:
        raise AddressError("has a domain that is too long")
    if not all(_is_label(label) for label in labels):
        raise AddressError("has a domain with a character that no domain has")
    return name


def _encode_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise AddressError("has a domain that cannot be; see its spelling") from None


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    if not label.startswith("xn--"):
        return True
    try:
        return idna.alabel(idna.ulabel(label)).decode() == label
    except (idna.IDNAError, UnicodeError):
        return False
