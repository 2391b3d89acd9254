"""Who has logged out on a phone gets nothing there, and who logs in next gets nothing of theirs."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from router.testing import ProviderReply
from tests.acceptance.phones import Phones, call, chat, phones
from tests.acceptance.recorded_pushes import apple
from tests.fakes.http2 import Fault

RULES = """
rules:
  - name: everything
    send: [app]
"""
BUSY = ProviderReply(status=503)
ALERT, VOIP = apple("alert"), apple("voip")
PLATFORMS = {
    "phone": "fcm_android",
    ALERT: "apns_ios_device",
    VOIP: "apns_ios_voip",
    "tablet": "fcm_android",
}
ON_THE_PHONE = {"FCM": ("phone",), "Apple": (ALERT, VOIP)}


async def log_in(harness: Phones, uid: str, tokens: tuple[str, ...], session: str) -> None:
    """Register what an app has of tokens, in its session."""
    for token in tokens:
        await harness.log_in(uid, PLATFORMS[token], token, session)


async def say_nothing(_: Phones) -> None:
    """Leave the app without logging out."""


async def log_out(harness: Phones) -> None:
    """Leave the session on the phone."""
    assert await harness.log_out("ann", "ann's session") > 0


@pytest.fixture(params=ON_THE_PHONE)
def there(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The tokens of the app on the one phone."""
    return ON_THE_PHONE[request.param]


def texts(harness: Phones, *tokens: str) -> list[str]:
    return [push.body for push in harness.wire.to(*tokens)]


async def test_a_logout_ends_what_waits_for_the_phone_and_leaves_other_devices_alone(
    tmp_path: Path, there: tuple[str, ...]
) -> None:
    async with phones(tmp_path, RULES) as harness:
        await log_in(harness, "ann", there, "ann's session")
        await log_in(harness, "ann", ("tablet",), "another session")
        await harness.hold()
        await harness.post(chat("ann", "waits"), call("ann", "initiated", "v1.1"))
        await harness.planned(3 + len(there))
        assert await harness.log_out("ann", "ann's session") == len(there)
        await harness.let_go()
        items = await harness.settled(3 + len(there))
        cancelled = [item["reason"] for item in items if item["state"] == "cancelled"]
        assert cancelled == ["contact_gone"] * (1 + len(there))
        await harness.post(chat("ann", "later"))
        await harness.settled(4 + len(there))
        assert texts(harness, *there) == []
        assert sorted(texts(harness, "tablet")) == ["AUDIO CALL", "later", "waits"]


@pytest.mark.parametrize("leave", [log_out, say_nothing])
async def test_the_next_user_of_a_phone_gets_nothing_that_was_for_the_one_before(
    tmp_path: Path, there: tuple[str, ...], leave: Callable[[Phones], Awaitable[None]]
) -> None:
    async with phones(tmp_path, RULES) as harness:
        await log_in(harness, "ann", there, "ann's session")
        refused = harness.apns.refused | harness.fcm.refused | dict.fromkeys(there, BUSY)
        harness.apns.refused = harness.fcm.refused = refused
        await harness.post(chat("ann", "is retried"))
        token = there[0]
        await harness.wire.until(lambda: texts(harness, token) == ["is retried"])
        await harness.hold()
        await harness.post(chat("ann", "is queued"), call("ann", "initiated", "v1.1"))
        await harness.planned(2 + len(there))
        await leave(harness)
        await log_in(harness, "ben", there, "ben's session")
        refused.clear()
        seen = len(harness.wire.pushes)
        await harness.let_go()
        await harness.post(chat("ann", "comes later"), chat("ben", "is for the next"))
        await harness.wire.until(lambda: len(harness.wire.pushes) > seen)
        await harness.settled(3 + len(there))
        assert texts(harness, *there)[seen:] == ["is for the next"]
        assert await harness.devices("ann") == 0


async def test_what_is_on_its_way_at_a_logout_is_not_tried_again(tmp_path: Path) -> None:
    async with phones(tmp_path, RULES) as harness:
        await log_in(harness, "ann", (ALERT,), "ann's session")
        harness.apns.say(Fault.HANG)
        await harness.post(chat("ann", "is on its way"))
        await harness.apns.took(1)
        await harness.post(*(chat("ann", f"{number}") for number in range(10)))
        await log_out(harness)
        await log_in(harness, "ben", (ALERT,), "ben's session")
        [connection] = harness.apns.connections
        connection.answer(1, BUSY)
        connection.flush()
        await harness.post(chat("ben", "is for the next"))
        items = await harness.settled(12)
        assert [push.body for push in harness.wire.pushes] == ["is for the next"]
        ends = [item["state"] for item in items]
        assert ends.count("delivered") == 1
        assert {*ends} <= {"delivered", "cancelled", "suppressed"}


async def test_what_waits_for_its_turn_under_a_rate_is_not_sent_after_a_logout(
    tmp_path: Path,
) -> None:
    async with phones(tmp_path, RULES, more="rate: 10/s") as harness:
        await log_in(harness, "ann", ("phone",), "ann's session")
        others = [f"other-{number}" for number in range(8)]
        for uid in others:
            await harness.log_in(uid, "fcm_android", uid)
        await harness.post(*(chat(uid, "goes first") for uid in others))
        await harness.planned(len(others))
        await harness.post(chat("ann", "waits"))
        await harness.planned(len(others) + 1)
        await log_out(harness)
        sent = texts(harness, "phone")
        await harness.settled(len(others) + 1)
        assert sent == texts(harness, "phone") == []
