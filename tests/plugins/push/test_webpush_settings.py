"""Settings of push to browsers: the key that browsers were given, and whom to write to."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from router.core.errors import SettingsError
from router.plugins.push.channel import Push
from tests.fakes.webpush import make_settings, pack
from tests.plugins.opening import read_settings


def other_curve() -> str:
    return (
        ec.generate_private_key(ec.SECP384R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"private_key": "nonsense"}, "private_key", "must be an EC key on P-256"),
        ({"private_key": pack(bytes(32))}, "private_key", "must be an EC key on P-256"),
        ({"private_key": other_curve()}, "private_key", "must be an EC key on P-256"),
        ({"subject": "ops@example.com"}, "subject", "as mailto:ops@example.com"),
        ({"subject": "mailto: ops@example.com"}, "subject", "as mailto:ops@example.com"),
        ({"subject": "mailto:ops@localhost"}, "subject", "an address of the world's"),
        ({"subject": "https://localhost/contact"}, "subject", "an address of the world's"),
        ({"subject": "http://example.com"}, "subject", "as mailto:ops@example.com"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, object], path: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(Push, {"webpush": {**make_settings(), **change}})
    (fault,) = caught.value.faults
    assert fault.path == ("webpush", path)
    assert words in fault.message + fault.hint
