import msgspec
import pytest

from router.core.decide.decide import decide
from router.core.model.facts import Contact, Device, Recipient
from router.core.model.notification import Notification
from router.core.model.payload import Json
from tests.core.notifications import NOON, digest, push
from tests.core.plugin_schemas import load_text
from tests.core.rulesets import (
    ANN,
    CHANNELS,
    MAIL,
    PHONE,
    TABLET,
    decided,
    kept_back,
    rulebook,
    went,
    world,
)

CHAT = "rules: [{name: chat, when: {type: chat}, send: [app]}]"


def test_a_channel_with_a_fixed_destination_needs_no_contact() -> None:
    nobody = Recipient(app_id="app", uid="ann")
    (plan,) = decided(push(), "rules: [{name: all, send: [room]}]", nobody).deliveries
    assert (plan.state, plan.contact, plan.address) == ("waiting", "", "")


def test_fixed_addresses_need_no_contact_and_each_stands_once() -> None:
    decision = decided(
        push(),
        "rules: [{name: all, send: [{channel: mail, to: [a@x.test, b@x.test, a@x.test]}]}]",
        Recipient(app_id="app", uid="ann"),
    )
    assert [(p.contact, p.address) for p in decision.deliveries] == [
        ("", "a@x.test"),
        ("", "b@x.test"),
    ]


def test_without_a_contact_one_suppressed_delivery_says_so() -> None:
    decision = decided(push(), "rules: [{name: all, send: [text]}]")
    assert kept_back(*decision.deliveries) == [("all", "text", "no_contact")]


def test_a_recipient_never_heard_of_has_no_contact() -> None:
    decision = decide(push("zoe"), rulebook(CHAT), world(), NOON)
    assert kept_back(*decision.deliveries) == [("chat", "app", "no_contact")]


def test_a_channel_opted_out_of_is_suppressed_even_to_a_fixed_place() -> None:
    closed = msgspec.structs.replace(ANN, opt_outs=frozenset({"app", "room"}))
    decision = decided(push(), "rules: [{name: all, send: [app, room, mail]}]", closed)
    assert kept_back(*decision.deliveries) == [
        ("all", "app", "opted_out"),
        ("all", "room", "opted_out"),
    ]
    assert went(*decision.deliveries) == [("all", "mail", "ann@example.com")]


@pytest.mark.parametrize(
    ("muted", "is_muted"),
    [
        ({"ann_user_bob": NOON + 1}, True),
        ({"ann_user_bob": 0.0}, True),
        ({"ann_user_bob": NOON}, False),
        ({"group_hiking": 0.0}, False),
    ],
)
def test_a_muted_conversation_is_suppressed_until_its_time(
    muted: dict[str, float], *, is_muted: bool
) -> None:
    decision = decided(push(), CHAT, msgspec.structs.replace(ANN, muted=muted))
    assert (kept_back(*decision.deliveries) == [("chat", "app", "muted")]) is is_muted


@pytest.mark.parametrize(
    ("feed", "to", "channel", "address", "contact"),
    [
        ("email", {"uid": "ann", "email": "new@x.test"}, "mail", "new@x.test", ""),
        ("sms", {"uid": "ann", "phno": "+4930123"}, "text", "+4930123", ""),
        ("email", {"uid": "ann", "email": None}, "mail", "ann@example.com", "c3"),
        ("email", {"uid": "ann", "email": ["x"]}, "mail", "ann@example.com", "c3"),
        ("email", {"uid": "ann", "phno": "+4930123"}, "app", "token-1", "c1"),
    ],
)
def test_the_address_that_a_feed_brings_stands_for_its_kind_alone(
    feed: str, to: Json, channel: str, address: str, contact: str
) -> None:
    decision = decided(digest(feed, to=to), f"rules: [{{name: all, send: [{channel}]}}]")
    first = decision.deliveries[0]
    assert (first.address, first.contact) == (address, contact)


def test_a_channel_is_asked_which_devices_are_to_hear_of_it() -> None:
    asked = []

    def wants(settings: object, notification: Notification, platform: str, provider: str) -> bool:
        asked.append((settings, notification.kind, platform, provider))
        return provider == "second"

    ruleset = rulebook(CHAT)
    picky = msgspec.structs.replace(ruleset.channels["app"], wants=wants, settings="mine")
    ruleset = msgspec.structs.replace(ruleset, channels={**ruleset.channels, "app": picky})
    tablet = msgspec.structs.replace(
        TABLET, device=Device(platform="fcm_android", provider_id="second")
    )
    plain = Contact(id="c9", kind="push", address="token-9")
    ann = msgspec.structs.replace(ANN, contacts=(PHONE, tablet, plain, MAIL))
    assert went(*decided(push(), ruleset, ann).deliveries) == [
        ("chat", "app", "token-2"),
        ("chat", "app", "token-9"),
    ]
    assert asked == [
        ("mine", "message", "fcm_android", ""),
        ("mine", "message", "fcm_android", "second"),
    ]
    alone = msgspec.structs.replace(ANN, contacts=(PHONE,))
    assert kept_back(*decided(push(), ruleset, alone).deliveries) == [("chat", "app", "no_contact")]


def test_an_address_that_a_channel_finds_fault_with_is_an_error() -> None:
    loaded = load_text(CHANNELS + "rules: [{name: all, send: [{channel: mail, to: [/x, a@b.c]}]}]")
    assert [(each.message, each.hint) for each in loaded.problems if each.severity == "error"] == [
        ('channel mail cannot send to "/x"', "name an address")
    ]
