"""The search finds what it is to find."""

import base64
import json
from urllib.parse import quote

import pytest

from tests.secrecy.canaries import Canaries


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("after", ["", "z", '/+"é'])
def test_a_canary_is_found_however_it_is_written(before: str, after: str) -> None:
    canaries = Canaries()
    secret = before + canaries["password"] + after
    for text in (
        secret.encode(),
        quote(secret, safe="").encode(),
        json.dumps(secret).encode(),
        base64.b64encode(secret.encode()),
        base64.urlsafe_b64encode(secret.encode()),
        secret.encode().hex().encode(),
        repr(secret.encode()).encode(),
    ):
        assert canaries.find(b"<" + text + b">") == {"password"}
    assert canaries.find(b"nothing of it") == set()
    assert canaries.find(secret.encode(), but="pass") == set()
