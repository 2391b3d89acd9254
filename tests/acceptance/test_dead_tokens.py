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
from tests.acceptance.wire import apple
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

    def refuse(self, stage: Phones) -> None:
        """Let the provider call the token dead from now on."""
        refused = stage.fcm.refused if self.is_fcm else stage.apns.refused
        refused[self.token] = self.reply()

    def forgive(self, stage: Phones) -> None:
        """Let the provider take what goes to the token."""
        stage.fcm.refused.clear()
        stage.apns.refused.clear()

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
    async with phones(tmp_path, RULES) as stage:
        await stage.log_in(UID, death.platform, death.token)
        await stage.log_in(UID, "fcm_android", "tablet")
        death.refuse(stage)
        await stage.post(chat(UID, "first"))
        states = [item["state"] for item in await stage.settled(2)]
        assert sorted(states) == ["dead", "delivered"]
        await stage.post(chat(UID, "second"))
        await stage.settled(3)
        await stage.restart()
        await stage.post(chat(UID, "third"))
        await stage.settled(4)
        assert [push.body for push in stage.wire.to(death.token)] == ["first"]
        assert [push.body for push in stage.wire.to("tablet")] == ["first", "second", "third"]
        death.forgive(stage)
        await stage.log_in(UID, death.platform, death.token)
        await stage.post(chat(UID, "fourth"))
        await stage.settled(6)
        assert [push.body for push in stage.wire.to(death.token)] == ["first", "fourth"]


async def test_a_token_that_was_registered_after_apple_found_it_dead_is_tried_again(
    tmp_path: Path,
) -> None:
    found_dead = round((time.time() - 60) * 1000)
    async with phones(tmp_path, RULES) as stage:
        await stage.log_in(UID, "apns_ios_device", apple("phone"))
        stage.apns.refused[apple("phone")] = apns.refuse(410, "Unregistered", timestamp=found_dead)
        await stage.post(chat(UID, "first"))
        [item] = await stage.settled(1)
        assert item["state"] == "dead"
        stage.apns.refused.clear()
        await stage.post(chat(UID, "second"))
        await stage.settled(2)
        assert [push.body for push in stage.wire.pushes] == ["first", "second"]


async def test_of_what_waits_for_a_dead_token_one_is_tried_and_the_rest_is_cancelled(
    tmp_path: Path, death: Death
) -> None:
    async with phones(tmp_path, RULES) as stage:
        await stage.log_in(UID, death.platform, death.token)
        death.refuse(stage)
        await stage.hold()
        await stage.post(*(chat(UID, f"{number}") for number in range(MANY)))
        await stage.let_go()
        items = await stage.settled(MANY)
        assert ends(items) == {("dead", ""): 1, ("cancelled", "contact_gone"): MANY - 1}
        assert len(stage.wire.to(death.token)) == 1
        assert await stage.devices(UID) == 0


async def test_what_comes_while_the_provider_considers_a_dead_token_is_cancelled(
    tmp_path: Path, death: Death
) -> None:
    async with phones(tmp_path, RULES) as stage:
        await stage.log_in(UID, death.platform, death.token)
        if death.is_fcm:
            slow = replace(death.reply(), fault="drip", pause=0.01)
            stage.fcm.refused[death.token] = slow
        else:
            stage.apns.say(Fault.HANG)
        await stage.post(chat(UID, "first"))
        if death.is_fcm:
            await stage.wire.until(lambda: len(stage.fcm.sends) == 1)
        else:
            await stage.apns.took(1)
        await stage.post(*(chat(UID, f"{number}") for number in range(MANY)))
        if not death.is_fcm:
            [connection] = stage.apns.connections
            connection.answer(1, death.reply())
            connection.flush()
        items = await stage.settled(MANY + 1)
        assert ends(items) == {("dead", ""): 1, ("cancelled", "contact_gone"): MANY}
        assert len(stage.fcm.sends) + len(stage.apns.requests) == 1


def ends(items: list[dict[str, str]]) -> Counter[tuple[str, str]]:
    """Return how many deliveries ended how, and of those that were cancelled why."""
    return Counter(
        (item["state"], item["reason"] if item["state"] == "cancelled" else "") for item in items
    )
