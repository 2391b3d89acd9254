"""A signed body opens the webhook: alone, or beside a password."""

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channel import Secret
from router.samples import read_sample
from router.web.signature import Signer, read_signature
from router.web.webhook import MAX_BODY_BYTES
from tests.web.harness import KEYS, LIVE, SANDBOX, Harness, Memory, basic, open_harness

SECRET = "secret-0123456789abcdef"
HEADER = "x-cometchat-signature"
SIGNED = {"ROUTER_WEBHOOK_SECRET": SECRET, "ROUTER_API_KEYS": KEYS}
BOTH = {**LIVE, **SIGNED}
BODY = json.dumps(read_sample("push_chat_one_on_one")).encode()
DIGEST = Signer(Secret(SECRET)).sign(BODY)
HEX = DIGEST.hex()
WAY = f'HMAC-SHA256 realm="router", header="{HEADER}"'

# What the world writes:
#   printf '{"a": 1}' | openssl dgst -sha256 -hmac secret-0123456789abcdef
KNOWN = (b'{"a": 1}', "02da98efe0264d531f2067d4df8e9e9e07edde0bd9c57e0dd1487433fff1345e")


def test_the_digest_is_that_of_openssl() -> None:
    body, digest = KNOWN
    assert Signer(Secret(SECRET)).sign(body).hex() == digest


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["", "sha256="]))
def test_every_digest_is_read_however_it_is_written(digest: bytes, prefix: str) -> None:
    for text in (digest.hex(), digest.hex().upper(), b64encode(digest).decode()):
        assert read_signature(f"{prefix}{text}".encode()) == digest
        assert read_signature(f" {prefix}{text} ".encode()) == digest


@given(st.binary(max_size=100))
def test_what_is_read_has_the_size_of_a_digest(text: bytes) -> None:
    digest = read_signature(text)
    assert digest is None or len(digest) == 32


@given(st.binary(max_size=60), st.binary(max_size=60), st.text(min_size=1), st.text(min_size=1))
def test_a_signature_is_good_for_one_body_and_one_secret(
    body: bytes, other: bytes, secret: str, another: str
) -> None:
    signer = Signer(Secret(secret))
    assert signer.has_signed(body, signer.sign(body))
    assert signer.has_signed(other, signer.sign(body)) is (body == other)
    elsewhere = Signer(Secret(another)).sign(body)
    padded = [word.encode().ljust(64, b"\0") for word in (secret, another)]
    if max(map(len, padded)) <= 64:  # HMAC pads a key with zeros, and hashes a longer one
        assert signer.has_signed(body, elsewhere) is (padded[0] == padded[1])


async def post(
    harness: Harness, body: bytes, *lines: Mapping[str, str] | tuple[str, str]
) -> httpx.Response:
    headers = [
        pair for line in lines for pair in (line.items() if isinstance(line, Mapping) else [line])
    ]
    return await harness.client().post("/webhook", content=body, headers=headers)


async def test_a_signed_body_is_accepted_without_a_password(tmp_path: Path) -> None:
    async with open_harness(tmp_path, SIGNED, intake=Memory()) as harness:
        for text in (HEX, f"sha256={HEX}", b64encode(DIGEST).decode()):
            assert (await post(harness, BODY, {HEADER: text})).status_code == 200
            assert (await post(harness, BODY, {HEADER.title(): text})).status_code == 200


UNSIGNED = [
    ({}, f"send the body's HMAC-SHA256 in {HEADER}"),
    (basic(), f"send the body's HMAC-SHA256 in {HEADER}"),
    ({HEADER: ""}, f"{HEADER} must have one SHA-256 digest in hex or base64"),
    ({HEADER: HEX[:-2]}, f"{HEADER} must have one SHA-256 digest in hex or base64"),
    ({HEADER: f"sha1={HEX}"}, f"{HEADER} must have one SHA-256 digest in hex or base64"),
    ({HEADER: f"{HEX},{HEX}"}, f"{HEADER} must have one SHA-256 digest in hex or base64"),
    ({HEADER: "00" * 32}, f"the signature in {HEADER} does not match the body and the secret"),
]


@pytest.mark.parametrize(("headers", "detail"), UNSIGNED)
async def test_a_body_that_is_not_signed_is_told_why(
    headers: dict[str, str], detail: str, tmp_path: Path
) -> None:
    intake = Memory()
    async with open_harness(tmp_path, SIGNED, intake=intake) as harness:
        answer = await post(harness, BODY, headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == WAY
    assert answer.json() == {"message": "unauthorized", "detail": detail, "problems": []}
    assert intake.bodies == []


async def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    async with open_harness(tmp_path, SIGNED, intake=Memory()) as harness:
        assert (await post(harness, BODY + b" ", {HEADER: HEX})).status_code == 401
        assert (await post(harness, BODY, {HEADER: HEX})).status_code == 200


async def test_two_signatures_are_none(tmp_path: Path) -> None:
    async with open_harness(tmp_path, SIGNED, intake=Memory()) as harness:
        answer = await post(harness, BODY, (HEADER, HEX), (HEADER, HEX))
    assert answer.status_code == 401


async def test_the_header_may_have_another_name(tmp_path: Path) -> None:
    environ = {**SIGNED, "ROUTER_WEBHOOK_SIGNATURE_HEADER": "X-Hub-Signature-256"}
    async with open_harness(tmp_path, environ, intake=Memory()) as harness:
        good = await post(harness, BODY, {"X-Hub-Signature-256": f"sha256={HEX}"})
        assert good.status_code == 200
        assert (await post(harness, BODY, {HEADER: HEX})).status_code == 401


async def test_with_a_password_and_a_secret_either_suffices(tmp_path: Path) -> None:
    signed, forged, wrong = {HEADER: HEX}, {HEADER: "00" * 32}, basic(password="wrong")
    async with open_harness(tmp_path, BOTH, intake=Memory()) as harness:
        for good in ([basic()], [signed], [basic(), signed], [basic(), forged], [wrong, signed]):
            assert (await post(harness, BODY, *good)).status_code == 200, good
        for bad in ([], [wrong], [forged], [wrong, forged]):
            answer = await post(harness, BODY, *bad)
            assert answer.status_code == 401, bad
            assert answer.headers["WWW-Authenticate"] == (
                f'Basic realm="router", charset="UTF-8", {WAY}'
            )
    nothing = f"send a user name and a password (Basic) or the body's HMAC-SHA256 in {HEADER}"
    async with open_harness(tmp_path, BOTH, intake=Memory()) as harness:
        assert (await post(harness, BODY)).json()["detail"] == nothing
        assert (await post(harness, BODY, wrong)).json()["detail"] == (
            "the user name or the password is invalid"
        )


async def test_a_secret_guards_a_sandbox_too(tmp_path: Path) -> None:
    environ = {**SANDBOX, "ROUTER_WEBHOOK_SECRET": SECRET}
    async with open_harness(tmp_path, environ, intake=Memory()) as harness:
        assert (await post(harness, BODY)).status_code == 401
        away = {"Host": "router.example.com", HEADER: HEX}
        assert (await post(harness, BODY, away)).status_code == 200


async def test_a_body_too_large_is_not_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[bytes] = []
    sign = Signer.sign

    def watch(signer: Signer, body: bytes) -> bytes:
        hashed.append(body)
        return sign(signer, body)

    monkeypatch.setattr(Signer, "sign", watch)
    async with open_harness(tmp_path, SIGNED, intake=Memory()) as harness:
        answer = await post(harness, b" " * (MAX_BODY_BYTES + 1), {HEADER: HEX})
        assert answer.status_code == 413
        assert hashed == []
        assert (await post(harness, b" " * MAX_BODY_BYTES, {HEADER: HEX})).status_code == 401
        assert len(hashed) == 1


async def test_without_a_credential_the_body_is_not_read(tmp_path: Path) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> object:
        raise AssertionError("the body was asked for")

    async def send(event: dict[str, object]) -> None:
        sent.append(event)

    async with open_harness(tmp_path, BOTH, intake=Memory()) as harness:
        for headers in ([], [(HEADER.encode(), b"short")]):
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "path": "/webhook",
                "headers": headers,
            }
            await harness.app(scope, receive, send)  # type: ignore[arg-type]  # as much as is looked at
    assert [event["status"] for event in sent if "status" in event] == [401, 401]
