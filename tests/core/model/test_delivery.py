import pytest
from msgspec.structs import replace

from router.core.model.delivery import OPEN_STATES, Attempt, Delivery, mask
from router.core.model.facts import Device
from router.core.model.message import Content
from router.core.model.types import Privacy
from tests.core.notifications import NOON, call, push


def delivery(privacy: Privacy = "none") -> Delivery:
    return Delivery(
        id="n1-0",
        notification="n1",
        rule="chat",
        step=0,
        channel="app",
        contact="c1",
        address="old-token",
        due_at=NOON,
        expires_at=NOON + 60,
        priority="high",
        privacy=privacy,
        collapse="message:7",
        content=Content(
            title="T", body="B", data={"a": "b"}, link="l", image="i", sound="s", badge=3
        ),
    )


def test_a_message_is_the_delivery_to_the_address_as_it_reads_now() -> None:
    device = Device(platform="fcm_android")
    message = delivery().address_to(push(), "new-token", device)
    assert (message.address, message.device) == ("new-token", device)
    assert (message.title, message.body, message.data) == ("T", "B", {"a": "b"})
    assert (message.link, message.image, message.sound, message.badge) == ("l", "i", "s", 3)
    assert (message.priority, message.expires, message.collapse) == ("high", NOON + 60, "message:7")
    assert (message.kind, message.delivery, message.rule) == ("message", "n1-0", "chat")
    assert message.notification == push()


def test_a_private_message_carries_no_more_of_the_payload_than_it_may() -> None:
    message = delivery("no_body").address_to(push(), "token")
    assert message.privacy == "no_body"
    assert "body" not in message.notification.details
    assert "hello" not in str(message.notification)


def test_what_takes_back_a_message_is_quiet() -> None:
    assert not replace(delivery(), operation="update").address_to(push(), "token").quiet
    gone = replace(delivery(), operation="retract").address_to(push(unreadMessageCount=2), "token")
    assert (gone.quiet, gone.badge) == (True, 3)
    assert gone.notification.details["unreadMessageCount"] == 2
    ended = call("ended", unreadMessageCount=2)
    stop = replace(delivery(), operation="retract").address_to(ended, "token")
    assert (stop.quiet, stop.badge) == (True, None)
    assert "unreadMessageCount" not in stop.notification.details


def test_only_what_waits_or_is_being_sent_is_open() -> None:
    assert {"waiting", "sending"} == OPEN_STATES
    assert delivery().state in OPEN_STATES


def test_an_attempt_is_one_numbered_try() -> None:
    attempt = Attempt(
        delivery="n1-0", number=2, started_at=NOON, ended_at=NOON + 1, outcome="retry", status=500
    )
    assert (attempt.number, attempt.handle, attempt.reason) == (2, "", "")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        ("1", "…"),
        ("123456", "…"),
        ("+4930123456", "+4…56"),
        ("ann@example.com", "a…@example.com"),
        ("@example.com", "…@example.com"),
        ("token-of-a-device", "to…ce"),
        ("slack://bot@T0000000A/B0000000A", "sl…0A"),
        ("https://ann:pass@word@example.com", "ht…om"),
        ('{"endpoint": "https://push.example/@a", "keys": {"auth": "b"}}', '{"…}}'),
    ],
)
def test_a_masked_address_can_be_recognised_but_not_used(address: str, shown: str) -> None:
    assert mask(address) == shown
