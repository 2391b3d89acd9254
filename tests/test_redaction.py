"""Secrets do not show."""

import base64
import time
from typing import Annotated
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Secret, Settings
from router.bridge import Redactor, Request, collect_secrets
from router.redaction import SecretRegistry

URL = "twilio://AC0123456789:t0kenT0ken@+15005550006/{to}?apikey=Zk3vQ9xT"
HOOK = "https://hooks.example.com/services/T0AB1C2D3/aB1cD2eF3gH4"


class Inner(msgspec.Struct):
    key: Secret
    more: dict[str, Secret] = {}


class Nested(Settings, frozen=True):
    token: Annotated[Secret, msgspec.Meta(description="x")]
    inner: Inner
    several: tuple[Secret, ...] = ()
    plain: str = "plain"
    none: Secret | None = None


def test_every_secret_of_the_settings_is_found() -> None:
    settings = Nested(
        token=Secret("one"),
        inner=Inner(key=Secret("two"), more={"a": Secret("three")}),
        several=(Secret("four"), Secret("")),
    )
    assert collect_secrets(settings) == ("one", "two", "three", "four")


@pytest.mark.parametrize(
    "text",
    [
        URL,
        "user t0kenT0ken",
        "Basic AC0123456789",
        "key Zk3vQ9xT",
        f"quoted {quote(HOOK, safe='')}",
        "path /services/T0AB1C2D3/aB1cD2eF3gH4",
    ],
)
def test_a_secret_url_is_masked_in_parts_too(text: str) -> None:
    shown = Redactor([URL, HOOK]).mask_text(text)
    assert "…" in shown
    for part in ("t0kenT0ken", "AC0123456789", "Zk3vQ9xT", "aB1cD2eF3gH4", "T0AB1C2D3"):
        assert part not in shown


def test_what_is_no_secret_stays_readable() -> None:
    shown = Redactor([URL, HOOK]).mask_text("To +15005550006 at hooks.example.com/services twilio")
    assert shown == "To +15005550006 at hooks.example.com/services twilio"


def test_user_and_password_are_masked_each() -> None:
    shown = Redactor(["router:h8Kq2mZp9"]).mask_text("router sent h8Kq2mZp9")
    assert shown == "router sent …"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=6, max_size=30))
def test_a_secret_is_masked_however_it_is_written(secret: str) -> None:
    redactor = Redactor([secret])
    for form in (
        secret,
        quote(secret, safe=""),
        msgspec.json.encode(secret).decode(),
        base64.b64encode(secret.encode()).decode(),
    ):
        assert secret not in redactor.mask_text(f"<{form}>")
        assert "…" in redactor.mask_text(f"<{form}>")


def test_a_request_shows_neither_credentials_nor_telling_parameters() -> None:
    shown = Redactor(["hunter2hunter2"]).mask_request(
        Request(
            method="POST",
            url="https://anna:pw@api.example.com/a/hunter2hunter2?access_token=abc&q=1",
            headers={
                "Authorization": "Basic abc",
                "X-Api-Key": "abc",
                "webhook-signature": "v1,abc",
                "Accept": "hunter2hunter2",
                "Content-Type": "text/plain",
            },
            body=b"\xff hunter2hunter2",
        )
    )
    assert shown.url == "https://…@api.example.com/a/…?access_token=…&q=1"
    assert shown.headers == {
        "Authorization": "…",
        "X-Api-Key": "…",
        "webhook-signature": "…",
        "Accept": "…",
        "Content-Type": "text/plain",
    }
    assert shown.body == b"\xff \xe2\x80\xa6"


def test_without_secrets_texts_stay_as_they_are() -> None:
    assert Redactor([]).mask_text("hello") == "hello"
    assert Redactor(["abc"]).mask_text("abc") == "abc"


@pytest.mark.parametrize("scheme", ["smtp", "smtps", "smtp+starttls", "https"])
def test_whatever_the_scheme_the_user_is_masked_and_the_host_is_not(scheme: str) -> None:
    shown = Redactor(()).mask_url(f"{scheme}://ann:hidden@mail.example:587/path")
    assert shown == f"{scheme}://…@mail.example:587/path"


def test_a_url_that_is_a_secret_itself_shows_its_host() -> None:
    url = "https://hooks.example/services/T000000001/B000000002/x"
    assert Redactor([url]).mask_url(url) == "https://hooks.example/…"


def test_a_form_shows_no_assertion() -> None:
    body = Redactor(()).mask_body(b"grant_type=jwt-bearer&assertion=eyJ.eyJ.sig&scope=all")
    assert body.decode() == "grant_type=jwt-bearer&assertion=…&scope=all"


SECRETS = st.lists(
    st.one_of(
        st.text(alphabet="ab:/@é?=. ", max_size=12),
        st.sampled_from([URL, HOOK, "aaaa", "aaaaaa", "router:h8Kq2mZp9"]),
    ),
    max_size=6,
)


@given(first=SECRETS, second=SECRETS, words=SECRETS)
def test_a_veil_masks_what_a_redactor_of_the_same_secrets_masks(
    first: list[str], second: list[str], words: list[str]
) -> None:
    registry = SecretRegistry()
    registry.add(first)
    registry.add(second)
    text = " ".join([*words, *first, *map(quote, second), "aaaaaaaa"])
    assert registry.mask_text(text) == Redactor([*first, *second]).mask_text(text)


def test_one_more_secret_costs_the_same_however_many_are_known() -> None:
    registry = SecretRegistry()

    def measure(first: int) -> float:
        began = time.thread_time()
        for number in range(first, first + 10):
            registry.add([f"{HOOK}{number:06}"])
            Redactor([f"{HOOK}{number:06}"])
        return time.thread_time() - began

    few = measure(0)
    registry.add(f"{HOOK}{number:06}" for number in range(1000, 2000))
    assert min(measure(3000), measure(4000), measure(5000)) < 10 * few
