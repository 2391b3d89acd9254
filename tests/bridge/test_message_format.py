"""What a service is given to read, and whether it was given anything at all."""

import msgspec
import pytest

from router import Delivered, Outcome, Rejected, Retry, Secret
from router.bridge import Request, Response
from router.plugins.apprise.channel import Apprise, AppriseSettings
from router.testing import ScriptedTransport, make_message

TELEGRAM = "tgram://123456789:abcdefg_hijklmnop/12315544"
OK = Response(
    status=200,
    body=b'{"ok": true, "success": true, "requestId": "q", "access_token": "t", "id": "7"}',
)


async def send(url: str, line: object = OK, **words: str) -> tuple[Outcome, list[Request]]:
    """Send one message through an Apprise URL."""
    transport = ScriptedTransport(line)  # type: ignore[arg-type]  # one of its lines
    channel = Apprise(AppriseSettings(url=Secret(url), fixed="{to}" not in url), transport)
    outcome = await channel.send(make_message(**words))
    await channel.aclose()
    return outcome, transport.carried


@pytest.mark.parametrize(
    "url",
    [
        "discord://4174216298/" + "a" * 60,
        "guilded://4174216298/" + "a" * 60,
        "fluxer://4174216298/" + "a" * 60,
        "pbul://abcdefghijklmnopqrstuvwxyz012345/device",
        TELEGRAM,
        "jsons://json.example/",
        "pover://uabcdefghijklmnopqrstuvwxyz012@abcdefghijklmnopqrstuvwxyz0123",
    ],
)
async def test_a_message_with_a_title_alone_is_sent(url: str) -> None:
    _, carried = await send(url, title="Andrew is calling", body="")
    assert [b"Andrew is calling" in r.body or b"Andrew+is" in r.body for r in carried] == [True]


@pytest.mark.parametrize("url", ["discord://4174216298/" + "a" * 60, "opsgenie://key?action=close"])
async def test_without_a_request_nothing_is_delivered(url: str) -> None:
    outcome, carried = await send(url, title="", body=" ")
    assert carried == []
    assert isinstance(outcome, Rejected)


@pytest.mark.parametrize("url", ["opsgenie://abcdefgh", "jira://abcdefgh"])
async def test_an_alert_is_created(url: str) -> None:
    outcome, carried = await send(url, Response(status=202, body=OK.body))
    assert isinstance(outcome, Delivered)
    assert [request.url.rpartition("/")[2] for request in carried] == ["alerts"]
    assert b'"message": "Ben"' in carried[0].body


@pytest.mark.parametrize("choice", ["action=note", "action=map", ":info=close"])
async def test_an_action_that_the_url_names_stays(choice: str) -> None:
    outcome, carried = await send(f"opsgenie://abcdefgh?{choice}")
    assert carried == []
    assert isinstance(outcome, Rejected)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (TELEGRAM, b"<b>Ben &amp; Jerry</b>"),
        ("gchat://workspace/key/token", b"*Ben &amp; Jerry*"),
        ("46elks://user:password@12125550123/12125550124", b"Ben+%26+Jerry%0D%0ALunch"),
        (f"wxteams://{'a' * 80}", b"# Ben & Jerry"),
    ],
)
async def test_a_title_keeps_its_markup(url: str, words: bytes) -> None:
    _, carried = await send(url, title="Ben & Jerry")
    assert words in carried[0].body


async def test_no_word_is_taken_for_markup() -> None:
    _, carried = await send(TELEGRAM, title="", body="Is a <b> 1 < 2 & so?")
    assert msgspec.json.decode(carried[0].body)["text"] == "Is a &lt;b&gt; 1 &lt; 2 &amp; so?"


async def test_emojis_that_the_url_asks_for_are_shown() -> None:
    _, carried = await send("forms://form.example?emojis=yes", body="Lunch :smile:")
    assert b"Lunch+%F0%9F%98%84" in carried[0].body
    _, carried = await send("forms://form.example", body="Lunch :smile:")
    assert b"%3Asmile%3A" in carried[0].body


LONG = " ".join(f"{number:04}" for number in range(840))
WEBHOOK = f"discord://4174216298/{'a' * 60}"


@pytest.mark.parametrize(
    ("option", "sizes"),
    [
        ("", [2000]),
        ("?overflow=truncate", [2000]),
        ("?overflow=upstream", [len(LONG.rstrip())]),
        ("?overflow=split", [2000, 2000, 200]),
    ],
)
async def test_an_overflow_that_the_url_names_is_apprises(option: str, sizes: list[int]) -> None:
    _, carried = await send(f"{WEBHOOK}{option}", title="", body=LONG)
    texts = [msgspec.json.decode(request.body)["content"] for request in carried]
    assert [size - 10 <= len(text) <= size for text, size in zip(texts, sizes, strict=True)]


async def test_a_piece_that_was_taken_is_not_sent_again() -> None:
    answers = [Response(status=204), Response(status=500), Response(status=204)]
    transport = ScriptedTransport(lambda _: answers.pop(0) if answers else Response(status=204))
    channel = Apprise(AppriseSettings(url=Secret(f"{WEBHOOK}?overflow=split")), transport)
    message = make_message(title="", body=LONG)
    assert isinstance(await channel.send(message), Retry)
    assert isinstance(await channel.send(message), Delivered)
    await channel.aclose()
    starts = [msgspec.json.decode(request.body)["content"][:4] for request in transport.carried]
    assert starts == ["0000", "0400", "0400", "0800"]
