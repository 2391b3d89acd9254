"""Texts that occur nowhere else, and where they turn up, however they are written."""

import base64
import re
from collections.abc import Iterator
from hashlib import blake2b

LENGTH = 24


class Canaries:
    """Hands out canaries: 24 letters and digits, which no escaping or quoting changes."""

    def __init__(self) -> None:
        self._forms: dict[str, tuple[bytes, ...]] = {}
        self._names: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """Return the canary of a name, the same each time."""
        digest = blake2b(name.encode(), digest_size=16, key=b"canary").hexdigest()
        canary = f"q7{digest}"[:LENGTH]
        self.adopt(canary, name)
        return canary

    def adopt(self, canary: str, name: str) -> None:
        """Know a part of a secret that had to be made otherwise."""
        if canary not in self._names:
            self._names[canary] = name
            self._forms[canary] = tuple(spell(canary))

    def find(self, text: bytes, *, but: str = "") -> set[str]:
        """Return the names of the canaries in a text; those beginning with `but` may be there."""
        found = {
            self._names[canary]
            for canary, forms in self._forms.items()
            if any(form in text for form in forms)
        }
        return {name for name in found if not but or not name.startswith(but)}


def spell(canary: str) -> Iterator[bytes]:
    """Yield how a canary shows in a text: as it is, as hexadecimal digits, within base64."""
    plain = canary.encode()
    yield plain
    yield plain.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + plain)
        whole = encoded[4 * (shift > 0) : len(encoded) - 4]  # less what its neighbours change
        yield whole
        yield re.sub(rb"[+/]", lambda sign: b"-" if sign[0] == b"+" else b"_", whole)
