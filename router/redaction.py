"""Keep secrets out of what people see."""

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import msgspec
from msgspec.structs import replace

from router.channel import Request, Secret
from router.core.model.outcome import Delivered, Outcome

MASK = "…"

MIN_SECRET_LENGTH = 4
"""Characters below which a secret is too common a text to be masked."""
MIN_SECRET_PART_LENGTH = 6
"""The same for a part of one."""

_SECRET_HEADERS = re.compile(r"auth|cookie|key|secret|signature|token", re.IGNORECASE)
_SECRET_PARAMETERS = re.compile(
    r"(?i)((?:^|[?&;])(?:[\w-]*(?:assertion|auth|key|pass|secret|sign|token)[\w-]*)=)[^&;#\s\"]+"
)
_SECRET_KEYS = re.compile(r"(?:auth|endpoint|key|p256dh|password|secret|token)$", re.IGNORECASE)
_ORIGIN = re.compile(r"[\w+.-]+://[^/?#]*")
_USER = re.compile(r"(?<=://)[^/@\s\"]+(?=@)")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?")
_NUMBER = re.compile(r"\+?[0-9]{0,15}")


def collect_secrets(settings: object) -> tuple[str, ...]:
    """Return every secret text in a channel's settings, however deep."""
    return tuple(text for text in _find_secrets(settings) if text)


def _find_secrets(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _find_secrets(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _find_secrets(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _find_secrets(item)


class Redactor:
    """Masks the given secrets, and what looks like one, in texts and requests."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secrets apart: a URL shows its password even where it is not shown whole."""
        self._known = {form for secret in secrets for form in _write_forms(secret)}

    def mask_text(self, text: str) -> str:
        """Return a text with the secrets masked."""
        return _mask(text, self._known)

    def mask_outcome(self, outcome: Outcome, address: str) -> Outcome:
        """Return an outcome with neither a secret nor the address in its words.

        Providers quote in their answers what they were sent.
        """
        if isinstance(outcome, Delivered):
            return (
                replace(outcome, handle=self.mask_text(outcome.handle))
                if outcome.handle
                else outcome
            )
        words = self.mask_text(outcome.reason)
        return replace(outcome, reason=Redactor((address,)).mask_text(words)) if words else outcome

    def mask_url(self, url: str) -> str:
        """Return a URL with secrets, user and telling parameters masked; the host stays."""
        match = _ORIGIN.match(url)
        origin = match.group() if match else ""
        if origin and url in self._known:
            return f"{_USER.sub(MASK, origin)}/{MASK}"
        rest = _SECRET_PARAMETERS.sub(rf"\1{MASK}", url[len(origin) :])
        return _USER.sub(MASK, origin) + self.mask_text(rest)

    def mask_request(self, request: Request) -> Request:
        """Return a request as a person may see it."""
        headers = {
            name: MASK if _SECRET_HEADERS.search(name) else self.mask_text(value)
            for name, value in request.headers.items()
        }
        return replace(
            request,
            url=self.mask_url(request.url),
            headers=headers,
            body=self.mask_body(request.body),
            plain=self.mask_body(request.plain),
        )

    def mask_body(self, body: bytes) -> bytes:
        """Return a body with secrets and telling form fields masked; what is no text stays."""
        text = _SECRET_PARAMETERS.sub(rf"\1{MASK}", body.decode(errors="surrogateescape"))
        return self.mask_text(text).encode(errors="surrogateescape")


def is_credential(secret: str) -> bool:
    """Return whether a secret lets someone in by itself: a URL may be an address like any other."""
    return "://" not in secret or any(part != secret for part in _credential_parts(secret))


def _mask(text: str, forms: Iterable[str]) -> str:
    """Return a text with these masked, the longest first.

    A pattern of them is no faster, and takes 0.1 ms for each to compile.
    """
    for form in sorted((form for form in forms if form in text), key=_by_length, reverse=True):
        text = text.replace(form, MASK)
    return text


def _by_length(form: str) -> tuple[int, str]:
    return len(form), form


def _write_forms(secret: str) -> Iterator[str]:
    """Yield every text that shows a secret, or a part of it that lets someone in."""
    return (form for part in _credential_parts(secret) for form in _encoded_forms(part))


def _credential_parts(secret: str) -> Iterator[str]:
    """Yield a secret and, of a URL, each part that lets someone in."""
    yield secret
    if secret.startswith("{"):
        yield from (
            part for part in _json_credentials(secret) if len(part) >= MIN_SECRET_PART_LENGTH
        )
        return
    if "://" not in secret:
        if ":" in secret:
            yield from (
                p
                for p in secret.split(":")
                if len(p) >= MIN_SECRET_PART_LENGTH and not _is_plain(p)
            )
        return
    try:
        url = urlsplit(secret)
        user, password = url.username or "", url.password or ""
    except ValueError:
        return
    named = [password, *(value for _, value in parse_qsl(url.query))]
    loose = [user, url.netloc.rpartition("@")[2], *url.path.split("/")]
    for part in map(unquote, [*named, *loose]):
        if len(part) >= MIN_SECRET_PART_LENGTH and "{" not in part and not _is_plain(part):
            yield part


def _json_credentials(secret: str) -> Iterator[str]:
    """Yield the texts in a JSON object that let someone in: a key, a subscription's endpoint."""
    try:
        whole = msgspec.json.decode(secret, type=dict[str, object])
    except (msgspec.DecodeError, ValueError):
        return
    parts = [whole, *(part for part in whole.values() if isinstance(part, dict))]
    for key, value in (item for part in parts for item in part.items()):
        if isinstance(value, str) and _SECRET_KEYS.search(str(key)):
            yield value


def _is_plain(part: str) -> bool:
    """Return whether a part of a URL is a host, a word, an address or a number."""
    return (
        _NUMBER.fullmatch(part) is not None
        or _HOST.fullmatch(part) is not None
        or "@" in part
        or (part.isalpha() and part.islower())
    )


def _encoded_forms(part: str) -> Iterator[str]:
    """Yield the ways a text is written in URLs, JSON and headers."""
    if len(part) < MIN_SECRET_LENGTH:
        return
    yield part
    yield quote(part, safe="")
    yield quote(part)
    yield quote_plus(part)
    yield msgspec.json.encode(part).decode()[1:-1]
    yield base64.b64encode(part.encode(errors="replace")).decode()


class SecretRegistry:
    """Masks every secret it was ever told of; none is forgotten, for a line may come late.

    One more costs the same however many there are: each reload of the rules may bring some. Any
    thread may ask for a text while the event loop adds a secret.
    """

    def __init__(self) -> None:
        """Know of none."""
        self._secrets: set[str] = set()
        self._forms: defaultdict[str, set[str]] = defaultdict(set)
        """What secrets are written as, by their last `SHORTEST` characters: URLs begin alike."""

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on."""
        for secret in set(secrets) - self._secrets:
            self._secrets.add(secret)
            for form in _write_forms(secret):
                self._forms[form[-MIN_SECRET_LENGTH:]].add(form)

    def mask_text(self, text: str) -> str:
        """Return a text with the secrets masked."""
        ends = {
            text[place : place + MIN_SECRET_LENGTH]
            for place in range(len(text) - MIN_SECRET_LENGTH + 1)
        }
        forms = [tuple(self._forms[end]) for end in ends if end in self._forms]
        return _mask(text, chain.from_iterable(forms)) if forms else text
