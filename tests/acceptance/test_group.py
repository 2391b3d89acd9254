"""A message to a group comes as one payload for each member, all at once; all get it, in order."""

from collections import defaultdict
from pathlib import Path

import pytest

from tests.acceptance.phones import chat, phones
from tests.acceptance.recorded_pushes import apple

pytestmark = pytest.mark.slow

MEMBERS, MESSAGES = 200, 5
"""`python -m benchmarks group` does the same with a thousand members and ten messages."""
RULES = """
rules:
  - name: everything
    send: [app]
"""


def token_of(member: int) -> str:
    """Return the token of a member's phone: every other one is an iPhone."""
    return apple(f"phone {member}") if member % 2 else f"phone-{member}"


async def test_each_member_of_a_group_gets_each_message_once_and_in_order(tmp_path: Path) -> None:
    platforms = ("fcm_android", "apns_ios_device")
    people = [
        {
            "uid": f"member-{member}",
            "devices": [{"platform": platforms[member % 2], "token": token_of(member)}],
        }
        for member in range(MEMBERS)
    ]
    to_all = {
        "receiver": "hiking",
        "receiverType": "group",
        "conversationId": "group_hiking",
    }
    async with phones(tmp_path, RULES) as harness:
        await harness.enrol(people)
        for number in range(MESSAGES):
            message = to_all | {"tag": f"{number}"}
            await harness.post(
                *(chat(f"member-{each}", f"{number}", **message) for each in range(MEMBERS))
            )
        items = await harness.settled(MEMBERS * MESSAGES)
    got: defaultdict[str, list[str]] = defaultdict(list)
    for push in harness.wire.pushes:
        got[push.token].append(push.body)
    assert {item["state"] for item in items} == {"delivered"}
    assert got == {token_of(each): [*map(str, range(MESSAGES))] for each in range(MEMBERS)}
