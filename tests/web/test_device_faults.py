"""A device that no plugin can ever reach is not registered."""

from collections.abc import Collection

import pytest

from router.core.rules.ruleset import ChannelSchema
from router.plugins.push.channel import Push
from router.registry import PluginSchema
from router.store.errors import RequestFault
from router.store.recipients.repository import Registration
from router.web.recipient_schemas import device_faults
from tests.core.plugin_schemas import FakeSchema
from tests.fakes.webpush import Browser

TOKEN = "a1" * 32
PUSH = PluginSchema(Push)
ANYTHING = FakeSchema("push", {})
MAIL = FakeSchema("mail", {})
PLATFORM = RequestFault(
    "$.platform", "no plugin sends to this platform; begin with apns, fcm or web"
)
APPLE = RequestFault("$.token", "is not a device token of Apple, which is hexadecimal digits")


@pytest.mark.parametrize(
    ("platform", "token", "schemas", "faults"),
    [
        ("fcm_android", "t", [PUSH], []),
        ("FCM_iOS", "t", [PUSH], []),
        ("fcm_web", Browser().address, [PUSH], []),
        ("web", Browser().address, [PUSH], []),
        ("apns_ios_voip", TOKEN, [PUSH], []),
        ("andriod", "t", [MAIL, PUSH], [PLATFORM]),
        ("apns_ios_device", "t", [MAIL, PUSH], []),
        ("apns_ios_device", "fcm:APA91b", [MAIL, PUSH], [APPLE]),
        ("apns_ios_device", "32 bytes", [PUSH], [APPLE]),
        ("apns_ios_device", "a b", [PUSH, ANYTHING], []),
        ("andriod", "t", [PUSH, ANYTHING], []),
        ("andriod", "t", [MAIL], []),
        ("andriod", "t", [], []),
        ("", "t", [PUSH], []),
        ("apns_ios_device", " ", [PUSH], []),
    ],
)
def test_what_no_plugin_can_reach_is_told_with_the_place(
    platform: str, token: str, schemas: Collection[ChannelSchema], faults: list[RequestFault]
) -> None:
    device = Registration(platform=platform, address=token)
    assert list(device_faults(device, schemas)) == faults


def test_a_topic_is_no_registration_token() -> None:
    [fault] = device_faults(Registration(platform="fcm_android", address="/topics/all"), [PUSH])
    assert fault.path == "$.token"
    assert "topics" in fault.reason
