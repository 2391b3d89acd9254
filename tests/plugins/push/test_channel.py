"""Push: which of a recipient's devices hear of what."""

import msgspec
import pytest

from router.core.decide.decide import Decision, decide
from router.core.loading import LoadResult, load
from router.core.model.facts import Contact, DecisionState, Device, Recipient
from router.plugins.push.channel import Push
from router.registry import PluginSchema
from tests.fakes.apns import make_settings
from tests.fakes.fcm import Fcm
from tests.plugins.opening import read_sample

NOW = 1_741_847_500.0


def device(name: str, platform: str, provider_id: str = "") -> Contact:
    found = Device(platform=platform, provider_id=provider_id)
    return Contact(id=name, kind="push", address=f"{name}:1", device=found)


PHONE = device("phone", "apns_ios_device")
VOIP = device("voip", "apns_ios_voip")
ANDROID = device("android", "fcm_android")
ENDS = ("ongoing", "cancelled", "rejected", "unanswered", "ended")


def read(rules: str, **settings: object) -> LoadResult:
    """Load rules over two push channels, `app` with these settings and `other`."""
    fcm = {"service_account": Fcm().service_account}
    channels = {
        "app": {"plugin": "push", "fcm": fcm, "apns": make_settings(), **settings},
        "other": {"plugin": "push", "fcm": fcm, "provider_id": "second"},
    }
    text = f"version: 1\nchannels: {msgspec.json.encode(channels).decode()}\n{rules}"
    plugins = {"push": PluginSchema(Push)}
    return load(text, file="rules.yaml", plugins=plugins, resolve=lambda _, name, __: name)


def decided(sample: str, rules: str, *contacts: Contact, **settings: object) -> Decision:
    notification = msgspec.structs.replace(read_sample(sample), sent_at=NOW, accepted_at=NOW)
    ann = Recipient(app_id=notification.app_id, uid=notification.uid, contacts=contacts)
    ruleset = read(rules, **settings).ruleset
    assert ruleset is not None
    facts = DecisionState(recipients={(ann.app_id, ann.uid): ann})
    return decide(notification, ruleset, facts, NOW)


def reached(sample: str, *contacts: Contact, **settings: object) -> list[str]:
    rules = "rules: [{name: all, send: [app]}]"
    planned = decided(sample, rules, *contacts, **settings).deliveries
    return [each.contact or each.reason for each in planned]


def test_a_voip_token_hears_of_rings_and_of_nothing_else() -> None:
    assert reached("push_call_audio_initiated", PHONE, VOIP) == ["phone", "voip"]
    for action in ENDS:
        assert reached(f"push_call_{action}", PHONE, VOIP) == ["phone"]
    for sample in ("push_chat_one_on_one", "push_reaction_one_on_one"):
        assert reached(sample, PHONE, VOIP, ANDROID) == ["phone", "android"]


def test_who_has_a_voip_token_alone_has_no_contact_for_a_message() -> None:
    assert reached("push_chat_one_on_one", VOIP) == ["no_contact"]


def test_where_every_app_has_a_voip_token_a_ring_goes_there_alone() -> None:
    apns = {**make_settings(), "rings": "voip"}
    assert reached("push_call_audio_initiated", PHONE, VOIP, apns=apns) == ["voip"]
    assert reached("push_call_unanswered", PHONE, VOIP, apns=apns) == ["phone"]
    assert reached("push_chat_one_on_one", PHONE, VOIP, apns=apns) == ["phone"]


def test_what_stands_by_for_the_app_waits_for_what_really_goes_out() -> None:
    rules = "rules: [{name: all, send: [app, {channel: other, unless: {delivered: app}}]}]"
    old = device("old", "fcm_android", "second")
    *others, backup = decided("push_chat_one_on_one", rules, PHONE, VOIP, old).deliveries
    assert [other.contact for other in others] == ["phone", "old"]
    assert backup.contact == "old"
    assert backup.watch is not None
    assert backup.watch.awaited == {"app": tuple(other.id for other in others)}


def test_two_channels_share_the_devices_by_their_provider_id() -> None:
    rules = "rules: [{name: all, send: [app, other]}]"
    names = ("", "default", "second", "third")
    contacts = [device(name or "none", "fcm_android", name) for name in names]
    planned = decided("push_chat_one_on_one", rules, *contacts, provider_id="default").deliveries
    assert [(each.channel, each.contact) for each in planned] == [
        ("app", "none"),
        ("app", "default"),
        ("other", "second"),
    ]


@pytest.mark.parametrize("address", ["/topics/news", "'news' in topics"])
def test_a_topic_or_a_condition_is_refused_when_the_rules_are_read(address: str) -> None:
    step = msgspec.json.encode({"channel": "app", "to": address}).decode()
    loaded = read(f"rules:\n  - name: all\n    send: [{step}]\n")
    (problem,) = (each for each in loaded.problems if each.severity == "error")
    assert problem.message == f'channel app cannot send to "{address}"'
    assert problem.hint == "name a device; topics and conditions are not supported"
    assert problem.line == 5


def test_tokens_may_stand_in_the_rules() -> None:
    step = msgspec.json.encode({"channel": "app", "to": ["a" * 64, "dXJk-1:APA91bH"]}).decode()
    assert read(f"rules: [{{name: all, send: [{step}]}}]").ruleset is not None
