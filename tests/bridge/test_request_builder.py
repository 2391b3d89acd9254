"""A prepared request is the one that requests itself would send."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests._internal_utils import to_native_string
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from requests_oauthlib import OAuth1

from router.bridge.request_builder import build_request
from router.channel import Request

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=12)
URL = st.builds(
    "https://api.example.com{}{}".format,
    st.lists(WORD, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts)),
    st.sampled_from(["", "?a=b", "?q=a%40b", "?q=a@b", "#x", "?x=é ü&y=%zz"]),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "headers": st.dictionaries(
            st.sampled_from(["Content-Type", "X-A", "User-Agent"]),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9),
            max_size=3,
        ),
        "data": st.one_of(
            st.none(),
            st.text(max_size=40),
            st.binary(max_size=40),
            st.dictionaries(WORD, st.one_of(WORD, st.lists(WORD, max_size=3)), max_size=3),
        ),
        "auth": st.one_of(st.none(), st.tuples(WORD, WORD), st.builds(HTTPBasicAuth, WORD, WORD)),
        "params": st.one_of(st.none(), st.dictionaries(WORD, WORD, max_size=2)),
        "json": st.one_of(st.none(), st.dictionaries(WORD, WORD, max_size=2)),
    },
)


def reference(method: str, url: str, options: Mapping[str, Any]) -> Request:
    """Return what requests itself makes of the arguments."""
    made = requests.Request(method, url, **options).prepare()
    headers = {to_native_string(n): to_native_string(v) for n, v in made.headers.items()}
    headers.pop("Content-Length", None)
    body: Any = made.body or b""
    return Request(
        method=str(made.method),
        url=str(made.url),
        headers=headers,
        body=body.encode() if isinstance(body, str) else body,
    )


def told(request: Request) -> tuple[object, ...]:
    return (request.method, request.url, sorted(request.headers.items()), request.body)


@given(method=st.sampled_from(["post", "GET", "PUT", "DELETE"]), url=URL, options=OPTIONS)
def test_it_equals_what_requests_prepares(method: str, url: str, options: dict[str, Any]) -> None:
    try:
        expected = reference(method, url, options)
    except (requests.RequestException, UnicodeError) as error:
        with pytest.raises(type(error)):
            build_request(method, url, options)
        return
    assert told(build_request(method, url, options)) == told(expected)


@pytest.mark.parametrize(
    "options",
    [
        {"files": {"file": ("a.txt", BytesIO(b"abc"), "text/plain")}, "data": {"a": "b"}},
        {"files": [("file", ("a.txt", b"abc"))]},
        {"data": BytesIO(b"abc")},
        {"data": iter([b"a", "b"])},
        {"data": [("a", "1"), ("a", "2")]},
        {"cookies": {"a": "b"}},
        {"auth": OAuth1("key", "secret", "token", "more")},
        {"auth": HTTPDigestAuth("a", "b"), "json": {"a": 1}},
    ],
)
def test_rare_options_go_through_requests_own_code(options: dict[str, Any]) -> None:
    request = build_request("post", "https://api.example.com/x", options)
    assert request.method == "POST"
    assert isinstance(request.body, bytes)
    if "files" in options:
        assert b"abc" in request.body
        assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    if isinstance(options.get("auth"), OAuth1):
        assert 'oauth_consumer_key="key"' in request.headers["Authorization"]


def test_a_user_in_the_url_becomes_basic_authentication() -> None:
    request = build_request("get", "https://anna:pass@api.example.com/", {})
    assert request.headers == {"Authorization": "Basic YW5uYTpwYXNz"}


@pytest.mark.parametrize("url", ["", "api.example.com", "http://", "https://*.example.com/"])
def test_a_url_that_is_none_raises_what_requests_raises(url: str) -> None:
    with pytest.raises(requests.RequestException):
        build_request("post", url, {})


def test_a_header_that_breaks_lines_is_refused() -> None:
    with pytest.raises(requests.exceptions.InvalidHeader):
        build_request("post", "https://api.example.com", {"headers": {"X": "a\r\nY: b"}})


def test_certificates_are_checked_unless_told_otherwise() -> None:
    assert build_request("get", "https://api.example.com", {}).verify
    assert build_request("get", "https://api.example.com", {"verify": True}).verify
    assert not build_request("get", "https://api.example.com", {"verify": False}).verify
