"""A hostile address reaches one target, the one it names, or nobody."""

from collections.abc import Mapping
from email import message_from_bytes
from typing import get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.channel import Request
from router.core.errors import AddressError
from router.core.model.notification import Kind
from router.core.model.outcome import Delivered, Rejected
from router.testing.contract.stage import HYPOTHESIS_SETTINGS, ContractHarness
from router.testing.sample import NOTIFICATION
from router.testing.script import request_hosts

HOSTILE = (
    "",
    " ",
    "1/2/3",
    "a@example.com,b@example.com",
    "a@example.com b@example.com",
    "a@example.com;b@example.com",
    "bob@example.com&smtp=evil.test",
    "bob@example.com?to=eve@evil.test",
    "bob@example.com%26smtp%3Devil.test",
    "+15550100001,+15550100002",
    "+15550100001%2C+15550100002",
    "../../evil",
    "..%2f..%2fevil",
    "@evil.test",
    "x@evil.test:8080/",
    "#a,#b",
    "https://evil.test/",
    "file:///etc/passwd",
    "dbus://",
    "{to}",
    "{bot_token}",
    "a\r\nBcc: eve@evil.test",
    "a\x00b",
    "a|b",
    "[a][b]",
    "😀",
    "\ud800",
)


class AddressTests(ContractHarness):
    """What an address says cannot change where a message goes, nor how many get it."""

    @pytest.mark.parametrize("address", HOSTILE)
    def test_a_hostile_address_reaches_one_target_or_nobody(self, address: str) -> None:
        self._prove(address)

    @settings(HYPOTHESIS_SETTINGS, max_examples=80)
    @example(tail="/../x")
    @example(tail=":0")
    @given(tail=st.text(st.sampled_from("aZ09@.,;:/?&=#%+-_{}[]|\\ \n\r\0é"), max_size=30))
    def test_what_follows_a_sound_address_adds_nobody(self, tail: str) -> None:
        self._prove(self.address + tail)

    @settings(HYPOTHESIS_SETTINGS, max_examples=50)
    @given(address=st.text(max_size=60))
    def test_any_text_reaches_one_target_or_nobody(self, address: str) -> None:
        self._prove(address)

    def test_it_takes_the_sound_address_as_it_is(self) -> None:
        assert self._normalize(self.address) == self.address

    @settings(HYPOTHESIS_SETTINGS, max_examples=50)
    @given(
        address=st.sampled_from(HOSTILE) | st.text(max_size=60),
        country=st.sampled_from(["", "US", "GB", "DE", "AQ"]),
    )
    def test_it_has_one_form_of_any_address_or_refuses_it(self, address: str, country: str) -> None:
        for is_fixed in (False, True):
            try:
                form = self._normalize(address, country, is_fixed=is_fixed)
            except AddressError:
                continue
            assert isinstance(form, str)
            assert self._normalize(form, is_fixed=is_fixed) == form
            assert self._normalize(form, country, is_fixed=is_fixed) == form

    @settings(HYPOTHESIS_SETTINGS, max_examples=50)
    @given(address=st.sampled_from(HOSTILE) | st.text(max_size=60))
    def test_an_address_that_stands_by_itself_is_the_same_in_every_country(
        self, address: str
    ) -> None:
        try:
            form = self._normalize(address)
        except AddressError:
            return
        assert self._normalize(address, "US") == self._normalize(address, "GB") == form

    def _normalize(self, address: str, country: str = "", *, is_fixed: bool = False) -> str:
        settings = self.read_settings()
        return self.channel.normalize_address(
            address, settings=settings, country=country, is_fixed=is_fixed
        )

    def test_it_wants_the_device_behind_the_sound_address(self) -> None:
        if self.device is not None:
            assert self._wants("message", "", self.device.platform, self.device.provider_id)

    @settings(HYPOTHESIS_SETTINGS, max_examples=50)
    @given(
        kind=st.sampled_from(get_args(Kind)),
        action=st.sampled_from(["", "initiated", "ended", "unheard-of"]),
        platform=st.text(max_size=20),
        provider_id=st.text(max_size=20),
    )
    def test_it_says_of_any_device_whether_it_wants_it_the_same_each_time(
        self, kind: Kind, action: str, platform: str, provider_id: str
    ) -> None:
        first, second = (self._wants(kind, action, platform, provider_id) for _ in range(2))
        assert isinstance(first, bool)
        assert first is second

    def _wants(self, kind: Kind, action: str, platform: str, provider_id: str) -> bool:
        details = NOTIFICATION.details | ({"callAction": action} if action else {})
        notification = replace(NOTIFICATION, kind=kind, details=details)
        return self.channel.wants(self.read_settings(), notification, platform, provider_id)

    def _prove(self, address: str) -> None:
        message = self.message(address=address)
        outcome, carried = self.send_and_collect(self.ok.to_response(), message)
        assert isinstance(outcome, Delivered | Rejected), outcome
        assert len(carried) <= 1, carried
        assert len(carried) == isinstance(outcome, Delivered)
        channel, _ = self.share()
        if channel.host(self.address):  # an address is a URL, and names its host
            assert {urlsplit(request.url).hostname for request in carried} <= {
                channel.host(address)
            }
            assert all(request.guarded for request in carried)
            return
        sound = self.sound_requests()
        assert request_hosts(carried) <= request_hosts(sound)
        for request in carried:
            assert shape(request) == shape(sound[0])


def shape(request: Request) -> object:
    """Return how a request is built, less the texts in it."""
    url = urlsplit(request.url)
    place = (request.method, url.scheme, url.netloc.rpartition("@")[2], url.path.count("/"))
    if request.method == "SMTP":
        mail = message_from_bytes(request.body)
        return (*place, request.headers["to"].count(","), sorted(mail.keys()))
    return (*place, [name for name, _ in parse_qsl(url.query)], _shape_body(request.body))


def _shape_body(body: bytes) -> object:
    try:
        return _shape_value(msgspec.json.decode(body))
    except msgspec.DecodeError:
        return [name for name, _ in parse_qsl(body.decode(errors="replace"))]


def _shape_value(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _shape_value(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shape_value(item) for item in value]
    return type(value).__name__ if isinstance(value, bool) else "scalar"
