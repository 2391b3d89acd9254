"""Numbers of nine digits and fewer, as in Greenland, get their texts through every provider."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from router.bridge import Response
from router.plugins._addresses.phone_number import STAND_IN_NUMBER
from router.plugins.apprise.channel import Apprise, find_address_format
from router.plugins.sms.channel import SCHEMES, Sms
from router.testing import ScriptedTransport, make_message
from tests.bridge.differential import url_templates
from tests.plugins.opening import read_settings

NUMBERS = ("+298212345", "+299221234", "+376312345", "+50021234")

NATIONAL = frozenset({"mobilemessage", "voipms"})
"""Providers that reach one country, where numbers are longer."""


def list_urls() -> Iterator[str]:
    """Yield a URL with `{to}` for each provider that takes phone numbers over HTTP."""
    first: dict[str, str] = {}
    for case in url_templates.open_cases():
        scheme = case.url.partition("://")[0]
        if scheme in SCHEMES or find_address_format(scheme) in {"phone", "phone or other"}:
            first.setdefault(scheme, case.url)
    yield from (url for scheme, url in first.items() if scheme not in NATIONAL)


async def send_to(url: str, number: str) -> list[str]:
    """Return the requests of a text to a number, as words."""
    scheme = url.partition("://")[0]
    channel: Any = Sms if scheme in SCHEMES else Apprise
    transport = ScriptedTransport(Response(status=200, body=b'{"access_token": "t"}'))
    opened = channel(read_settings(channel, {"url": url}), transport)
    await opened.send(make_message(address=number, title="", body="Hello"))
    await opened.aclose()
    return [unquote_plus(f"{r.url} {r.body.decode()}") for r in transport.carried]


async def test_a_short_number_is_in_the_requests_as_it_is() -> None:
    urls = list(list_urls())
    assert len(urls) > len(SCHEMES) / 2
    for url in urls:
        for number in NUMBERS:
            sent = await send_to(url, number)
            assert any(number[1:] in text for text in sent), (url, number)
            assert not any(STAND_IN_NUMBER[1:] in text for text in sent), (url, number)


async def test_a_plugin_that_does_not_take_the_stand_in_sends_nothing() -> None:
    assert await send_to("mobilemessage://user:password@sender/{to}", "+298212345") == []
