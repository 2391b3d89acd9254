"""URLs are read as Apprise itself reads them, and refused with the reason."""

import pytest

from router import Settings
from router.bridge import AppriseChannel, BuildError, Response, check_url, parse_url
from router.testing import ScriptedTransport, make_message

TAKEN = Response(
    status=200,
    body=b'{"room_id": "!r:h", "access_token": "t", "home_server": "h", "user_id": "@u:h"}',
)


class Free(Settings, frozen=True):
    """Any URL."""

    url: str


class Anything(AppriseChannel[Free]):
    """Any service."""

    name = "any"
    Settings = Free


async def send(url: str, **changes: object) -> ScriptedTransport:
    """Send one message to a URL, to a provider that takes everything."""
    transport = ScriptedTransport(TAKEN)
    channel = Anything(Free(url=url), transport)
    await channel.send(make_message(**changes))
    await channel.aclose()
    return transport


async def test_a_room_behind_a_hash_is_the_one_room() -> None:
    transport = await send("matrix://user:password@matrix.example/#ops?v=3")
    assert any("ops" in request.url for request in transport.carried)
    assert not any("joined_rooms" in request.url for request in transport.carried)


async def test_a_channel_behind_a_hash_is_the_one_channel() -> None:
    transport = await send("pbul://abcdefghijklmnopqrstuvwxyz012345/#chan")
    bodies = [request.body for request in transport.carried if "pushbullet" in request.url]
    assert [b'"channel_tag": "chan"' in body for body in bodies] == [True]


async def test_a_topic_behind_a_hash_is_the_one_topic() -> None:
    transport = await send("fcm://KEY0123456789/#topic")
    assert [b"topic" in request.body for request in transport.carried] == [True]


async def test_a_recipients_address_behind_a_hash_is_the_one_room() -> None:
    transport = await send("pbul://abcdefghijklmnopqrstuvwxyz012345/#{to}", address="chan")
    bodies = [request.body for request in transport.carried if "pushbullet" in request.url]
    assert [b'"channel_tag": "chan"' in body for body in bodies] == [True]


def test_a_url_that_a_service_hands_out_is_read() -> None:
    kind, _ = parse_url("https://discord.com/api/webhooks/0123456789/" + "a" * 60)
    assert kind.service_name == "Discord"


@pytest.mark.parametrize("joint", [" ", ", ", ";", ",\n"])
def test_several_urls_in_one_text_are_refused(joint: str) -> None:
    with pytest.raises(ValueError, match="holds several URLs; write a channel for each"):
        check_url(f"json://one.example{joint}json://two.example")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://broker.example/topic", r"run pip install 'paho-mqtt>=2\.1\.0'$"),
        ("xmpp://user:password@xmpp.example", r"run pip install 'slixmpp>=1\.16\.0'$"),
        ("blink1://", r"run pip install 'hidapi'$"),
        ("gnome://", "can not work on this machine: A local Gnome environment is required$"),
        ("windows://", "can not work on this machine: A local Microsoft Windows"),
        ("nosuch://x", "^nosuch:// is not a scheme of Apprise$"),
        ("https://nobody.example/x", "^https:// is not a scheme of Apprise$"),
        ("json://", "^the URL does not begin with json://$"),
    ],
)
def test_a_url_that_can_not_be_used_says_why(url: str, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        parse_url(url)
