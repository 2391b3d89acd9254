"""Laws of what a browser gets, and the example that the standard works out."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from router.plugins.push.webpush_message import (
    MAX_RECORD_BYTES,
    encrypt,
    read_subscription,
    seal_record,
    write_headers,
    write_payload,
)
from tests.fakes.webpush import Browser, pack, unpack
from tests.plugins.opening import make_message

BROWSER = Browser()
READER = read_subscription(BROWSER.address)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(0, 400))


def private_key(number: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unpack(number), "big"), ec.SECP256R1())


def test_the_standards_example_comes_out_byte_for_byte() -> None:
    """Source: https://www.rfc-editor.org/rfc/rfc8291#section-5 and its appendix A."""
    point = (
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )
    keys = {"p256dh": point, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
    told = msgspec.json.encode({"endpoint": "https://push.example.net/p", "keys": keys}).decode()
    body = seal_record(
        b"When I grow up, I want to be a watermelon",
        read_subscription(told),
        private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        unpack("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert pack(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWA"
        "mS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxs"
        "j_Qulcy4a-fN"
    )


@given(title=long_texts, body=long_texts, extra=st.dictionaries(texts, long_texts, max_size=5))
def test_a_record_always_fits_and_the_browser_reads_the_words(
    title: str, body: str, extra: dict[str, str]
) -> None:
    written = write_payload(make_message(title=title, body=body, data=extra))
    sealed = encrypt(written, READER)
    assert len(sealed) <= MAX_RECORD_BYTES
    payload = BROWSER.read(sealed)
    assert {"title", "body"} <= payload.keys()
    assert payload["body"] == body or body.startswith(payload["body"].removesuffix("…"))


@given(collapse=long_texts, expires=st.floats(-1e12, 1e12), now=st.floats(0, 1e11))
def test_headers_are_what_a_push_service_takes(collapse: str, expires: float, now: float) -> None:
    message = make_message(collapse=collapse, expires=expires)
    headers = write_headers(message, now, collapse=True)
    assert headers == write_headers(message, now, collapse=True)
    assert 0 <= int(headers["ttl"]) <= 28 * 86400
    assert ("topic" in headers) is bool(collapse)
    assert len(unpack(headers.get("topic", ""))) in {0, 16}


@given(address=st.text(max_size=200))
def test_what_is_no_subscription_is_named_and_quoted_nowhere(address: str) -> None:
    with pytest.raises(ValueError, match=r"^the address is not a push subscription$"):
        read_subscription(address)
