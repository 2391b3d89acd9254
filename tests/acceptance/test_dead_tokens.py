"""A token that its provider calls dead is tried once, and never again."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from router.testing import ProviderReply
from tests.acceptance.phones import Phones, chat, phones
from tests.acceptance.recorded_pushes import apple
from tests.fakes import apns, fcm
from tests.fakes.http2 import Fault

RULES = """
rules:
  - name: everything
    send: [app]
"""
MANY = 50
UID = "ben"


class Death(NamedTuple):
    """A device, and how its provider says that its token is dead."""

    platform: str
    token: str
    reply: Callable[[], ProviderReply]

    def refuse(self, harness: Phones) -> None:
        """Let the provider call the token dead from now on."""
        refused = harness.fcm.refused if self.is_fcm else harness.apns.refused
        refused[self.token] = self.reply()

    def forgive(self, harness: Phones) -> None:
        """Let the provider take what goes to the token."""
        harness.fcm.refused.clear()
        harness.apns.refused.clear()

    @property
    def is_fcm(self) -> bool:
        return self.platform.startswith("fcm")


def unregistered() -> ProviderReply:
    """Return what Apple answers for an app that was removed a minute from now."""
    return apns.refuse(410, "Unregistered", timestamp=round((time.time() + 60) * 1000))


DEATHS = {
    "FCM, unregistered": Death("fcm_android", "phone", lambda: fcm.UNREGISTERED),
    "Apple, unregistered": Death("apns_ios_device", apple("phone"), unregistered),
    "Apple, an expired token": Death(
        "apns_ios_device", apple("phone"), lambda: apns.refuse(410, "ExpiredToken")
    ),
}


@pytest.fixture(params=DEATHS)
def death(request: pytest.FixtureRequest) -> Death:
    return DEATHS[request.param]


async def test_a_dead_token_is_tried_once_after_a_restart_too_until_it_is_registered_again(
    tmp_path: Path, death: Death
) -> None:
    async with phones(tmp_path, RULES) as harness:
        await harness.log_in(UID, death.platform, death.token)
        await harness.log_in(UID, "fcm_android", "tablet")
        death.refuse(harness)
        await harness.post(chat(UID, "first"))
        states = [item["state"] for item in await harness.settled(2)]
        assert sorted(states) == ["dead", "delivered"]
        await harness.post(chat(UID, "second"))
        await harness.settled(3)
        await harness.restart()
        await harness.post(chat(UID, "third"))
        await harness.settled(4)
        assert [push.body for push in harness.wire.to(death.token)] == ["first"]
        assert [push.body for push in harness.wire.to("tablet")] == ["first", "second", "third"]
        death.forgive(harness)
        await harness.log_in(UID, death.platform, death.token)
        await harness.post(chat(UID, "fourth"))
        await harness.settled(6)
        assert [push.body for push in harness.wire.to(death.token)] == ["first", "fourth"]


async def test_a_token_that_was_registered_after_apple_found_it_dead_is_tried_again(
    tmp_path: Path,
) -> None:
    found_dead = round((time.time() - 60) * 1000)
    async with phones(tmp_path, RULES) as harness:
        await harness.log_in(UID, "apns_ios_device", apple("phone"))
        harness.apns.refused[apple("phone")] = apns.refuse(
            410, "Unregistered", timestamp=found_dead
        )
        await harness.post(chat(UID, "first"))
        [item] = await harness.settled(1)
        assert item["state"] == "dead"
        harness.apns.refused.clear()
        await harness.post(chat(UID, "second"))
        await harness.settled(2)
        assert [push.body for push in harness.wire.pushes] == ["first", "second"]


async def test_of_what_waits_for_a_dead_token_one_is_tried_and_the_rest_is_cancelled(
    tmp_path: Path, death: Death
) -> None:
    async with phones(tmp_path, RULES) as harness:
        await harness.log_in(UID, death.platform, death.token)
        death.refuse(harness)
        await harness.hold()
        await harness.post(*(chat(UID, f"{number}") for number in range(MANY)))
        await harness.let_go()
        items = await harness.settled(MANY)
        assert ends(items) == {("dead", ""): 1, ("cancelled", "contact_gone"): MANY - 1}
        assert len(harness.wire.to(death.token)) == 1
        assert await harness.devices(UID) == 0


async def test_what_comes_while_the_provider_considers_a_dead_token_is_cancelled(
    tmp_path: Path, death: Death
) -> None:
    async with phones(tmp_path, RULES) as harness:
        await harness.log_in(UID, death.platform, death.token)
        if death.is_fcm:
            harness.fcm.refused[death.token] = replace(death.reply(), fault="hold")
        else:
            harness.apns.say(Fault.HANG)
        await harness.post(chat(UID, "first"))
        if death.is_fcm:
            await harness.wire.until(lambda: len(harness.fcm.sends) == 1)
        else:
            await harness.apns.took(1)
        await harness.post(*(chat(UID, f"{number}") for number in range(MANY)))
        await harness.planned(MANY + 1)
        if death.is_fcm:
            harness.fcm.release()
        else:
            [connection] = harness.apns.connections
            connection.answer(1, death.reply())
            connection.flush()
        items = await harness.settled(MANY + 1)
        assert ends(items) == {("dead", ""): 1, ("cancelled", "contact_gone"): MANY}
        assert len(harness.fcm.sends) + len(harness.apns.requests) == 1


def ends(items: list[dict[str, str]]) -> Counter[tuple[str, str]]:
    """Return how many deliveries ended how, and of those that were cancelled why."""
    return Counter(
        (item["state"], item["reason"] if item["state"] == "cancelled" else "") for item in items
    )
