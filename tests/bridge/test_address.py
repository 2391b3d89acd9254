"""One address, one target."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bridge import URLTemplateError, check_template, parse_url
from router.bridge.address import (
    check_address,
    check_targets,
    fill_template,
    is_host,
    replace_address,
)
from router.bridge.patching import patch_apprise
from router.bridge.plugin_pool import make_plugin
from router.core.errors import AddressError

PLACES = (
    "tgram://123456789:abcdefg_hijklmnop/{to}",
    "twilio://AC00000000000000000000000000000000:11111111111111111111111111111111@+15005550006/{to}",
    "slack://xoxb-1234-1234-4ddbc191d40ee098cbaae6f3523ada2d/{to}",
    "mailtos://user:password@example.com/{to}",
    "mailtos://user:password@example.com?to={to}&cc=dev@example.org,ops@example.org",
    "clicksend://user:password@{to}",
    "pushy://apikey/{to}",
    "ntfy://ntfy.example.com/{to}",
    "sendgrid://apikey:from@example.com/{to}",
    "rocket://user:password@rocket.example.com/{to}",
)


@pytest.mark.parametrize(
    "address",
    [
        *("+15550100001", "anna@example.com", "o'brien+news@example.com", "-100123", "#general"),
        *("@anna", "!room:example.org", "C0123456789", "dXJk-1:APA91bH_abc-DEF", "ünïcödé", "0"),
    ],
)
def test_an_address_that_is_one_may_be_sent_to(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "a b", "a,b", "a;b", "a/b", "a\\b", "a?b", "a&b", "a%41", "a[b]", "{to}", "a|b"),
        *("a\n", "a\r\nb", "a\0", "-", "@", "..", "a" * 3000, "\ud800", "😀", "a<b>", '"a"@x.com'),
    ],
)
def test_an_address_that_could_be_read_as_more_is_refused(address: str) -> None:
    with pytest.raises(AddressError) as caught:
        check_address(address)
    assert not address.strip() or address not in str(caught.value)


@given(st.text(max_size=40))
def test_an_address_that_passes_holds_nothing_that_separates(address: str) -> None:
    try:
        check_address(address)
    except AddressError:
        return
    assert not set(address) & set(' ,;/\\?&%|[]{}<>"\r\n\0')


@pytest.mark.parametrize(
    "url",
    ["json://host/{to}", "pover://{to}@token", "dbus://", "syslog://", "mailto://u:p@h?to={to}"],
)
def test_a_url_with_a_place_for_an_address_is_taken(url: str) -> None:
    check_template(url)


@pytest.mark.parametrize("url", ["{to}", "", "nonsense", "dbus://{to}", "SYSLOG://x/{to}"])
def test_a_url_that_no_address_may_stand_in_is_refused(url: str) -> None:
    with pytest.raises(URLTemplateError):
        check_template(url)


@given(st.text(max_size=30))
def test_a_value_stays_in_its_place(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    url = fill_template("x://h/{to}/y?z={to}&{other}", {"to": text})
    assert url.count("/") == 4
    assert url.count("?") == url.count("&") == 1
    assert url.endswith("{other}")


@pytest.mark.parametrize(
    ("address", "url", "found"),
    [
        ("evil.test", "https://evil.test/x", True),
        ("+15550100001", "https://15550100001/x", True),
        ("2130706433", "http://2130706433:80/", True),
        ("evil.test", "https://api.example.com/evil.test", False),
        ("", "https:///x", False),
    ],
)
def test_an_address_that_became_the_host_is_seen(address: str, url: str, found: bool) -> None:
    assert is_host(address, url) is found


ADDRESSES = {
    "mailtos": "anna@example.com",
    "ntfy": "news1",
    "pushy": "a1b2c3d4e5",
    "rocket": "#general1",
    "sendgrid": "anna@example.com",
    "slack": "C0123456789",
    "tgram": "12315544",
}


@pytest.mark.parametrize("template", PLACES)
def test_a_sound_address_is_the_one_target(template: str) -> None:
    patch_apprise()
    address = ADDRESSES.get(template.partition("://")[0], "+15550100001")
    assert make_plugin(parse_url(fill_template(template, {"to": address})), address)


@pytest.mark.parametrize("template", PLACES)
@pytest.mark.parametrize("joint", [",", "/", ";", " ", "%2C", "%20"])
def test_two_addresses_are_refused_or_read_as_one_even_past_the_first_check(
    template: str, joint: str
) -> None:
    patch_apprise()
    first = ADDRESSES.get(template.partition("://")[0], "+15550100001")
    second = first.replace("1", "2").replace("anna", "ben").replace("C0", "C9")
    both = f"{first}{joint}{second}"
    try:
        plugin = make_plugin(parse_url(fill_template(template, {"to": both})), both)
    except AddressError:
        return
    assert repr(both) in repr(vars(plugin))


def test_an_operators_own_copies_do_not_count() -> None:
    patch_apprise()
    template = "mailtos://user:password@example.com?to={to}&cc=ops@example.org,devops@example.org"
    for address in ("ops@example.org", "op@example.org"):
        assert make_plugin(parse_url(fill_template(template, {"to": address})), address)


def test_an_address_the_plugin_drops_is_refused() -> None:
    patch_apprise()
    template = "mailtos://user:password@example.com/{to}"
    with pytest.raises(AddressError):
        make_plugin(parse_url(fill_template(template, {"to": "nobody"})), "nobody")


def test_a_plugin_that_lost_the_address_is_refused() -> None:
    patch_apprise()
    plugin = make_plugin(parse_url("json://example.com/x"))
    with pytest.raises(AddressError):
        check_targets(plugin, "anna")


def test_an_address_that_the_plugin_drops_is_not_found_in_a_setting_that_reads_the_same() -> None:
    patch_apprise()
    plugin = make_plugin(parse_url("pagerduty://abcdefghij@0123456789/source"))
    check_targets(plugin, "source")
    with pytest.raises(AddressError):
        check_targets(plugin, "source", is_listed=True)


@pytest.mark.parametrize("other", ["+412345678", "+1412345678", "+12015550199"])
def test_a_plugin_that_goes_on_holding_the_other_address_is_refused(other: str) -> None:
    patch_apprise()
    plugin = make_plugin(parse_url("mobilemessage://user:password@sender/61412345678"))
    with pytest.raises(AddressError):
        replace_address(plugin, other, "+298212345")


def test_an_address_takes_the_place_of_the_one_that_apprise_read() -> None:
    patch_apprise()
    plugin: Any = make_plugin(parse_url("mobilemessage://user:password@sender/61412345678"))
    replace_address(plugin, "+61412345678", "+61412345678")
    assert plugin.targets == ["61412345678"]
    replace_address(plugin, "+61412345678", "+298212345")
    assert plugin.targets == ["298212345"]
