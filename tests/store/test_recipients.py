"""The registry of recipients: what is known of people."""

from collections.abc import Callable

import pytest
from msgspec import UNSET
from sqlalchemy import Connection, Table, func, select

from router.store.db.database import Database
from router.store.errors import AppAmbiguous, RecipientInvalid
from router.store.recipients.repository import ProfilePatch, Recipients
from router.store.schema import tables
from tests.store.waiting_deliveries import Waiting, device, tokens


def count_rows(table: Table) -> Callable[[Connection], int]:
    return lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()


async def test_a_recipient_is_made_changed_and_read(recipients: Recipients) -> None:
    change = ProfilePatch(
        contacts={"email": "bob@example.com", "sms": "+12125550123"},
        attributes={"tier": "gold", "age": 7, "score": 0.5, "beta": True},
        timezone="Europe/Paris",
        locale="fr",
        muted={"group_1": 1_900_000_000.0},
        opt_outs=["mail"],
    )
    bob = await recipients.put("bob", change, "app")
    assert bob == await recipients.get("bob", "app")
    assert [(c.kind, c.address, c.device) for c in bob.contacts] == [
        ("email", "bob@example.com", None),
        ("sms", "+12125550123", None),
    ]
    assert bob.attributes == {"tier": "gold", "age": 7, "score": 0.5, "beta": True}
    assert (bob.timezone, bob.locale) == ("Europe/Paris", "fr")
    assert (bob.muted, bob.opt_outs) == ({"group_1": 1_900_000_000.0}, frozenset({"mail"}))


async def test_one_never_heard_of_is_nobody(recipients: Recipients) -> None:
    assert await recipients.get("bob") is None
    assert await recipients.get("bob", "app") is None
    assert await recipients.logout("bob", "session") == 0
    assert not await recipients.erase("bob")


async def test_what_is_left_out_stays_and_null_removes(recipients: Recipients) -> None:
    await recipients.put(
        "bob",
        ProfilePatch(
            contacts={"email": "a@x.org", "sms": "+1"},
            attributes={"a": 1, "b": 2},
            timezone="UTC",
            locale="fr",
            muted={"x": 1.0, "y": 2.0},
            opt_outs=["mail"],
        ),
        "app",
    )
    same = await recipients.put("bob", ProfilePatch(), "app")
    assert (same.attributes, same.timezone, same.opt_outs) == (
        {"a": 1, "b": 2},
        "UTC",
        frozenset({"mail"}),
    )
    change = ProfilePatch(
        contacts={"sms": None, "web": "w"},
        attributes={"a": None, "c": 3},
        timezone=None,
        locale=None,
        muted={"x": None},
        opt_outs=[],
    )
    bob = await recipients.put("bob", change, "app")
    assert {c.kind: c.address for c in bob.contacts} == {"email": "a@x.org", "web": "w"}
    assert bob.attributes == {"b": 2, "c": 3}
    assert (bob.timezone, bob.locale, bob.muted, bob.opt_outs) == ("", "", {"y": 2.0}, frozenset())


async def test_two_people_may_share_an_address_that_is_no_device(recipients: Recipients) -> None:
    for uid in ("ann", "bob"):
        await recipients.put(uid, ProfilePatch(contacts={"email": "both@x.org"}), "app")
    assert await tokens(recipients, "ann") == await tokens(recipients, "bob") == ["both@x.org"]


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (ProfilePatch(contacts={"push": "token"}), ["$.contacts.push"]),
        (
            ProfilePatch(contacts={"E-Mail": "x", "email": " "}),
            ["$.contacts.E-Mail", "$.contacts.email"],
        ),
        (ProfilePatch(contacts={"email": "a\0b"}), ["$.contacts.email"]),
        (ProfilePatch(contacts={"email": "x" * 5000}), ["$.contacts.email"]),
        (ProfilePatch(attributes={"n": 2**63}), ["$.attributes.n"]),
        (
            ProfilePatch(attributes={"n": float("inf"), "m": float("nan")}),
            ["$.attributes.n", "$.attributes.m"],
        ),
        (ProfilePatch(attributes={"": 1}), ["$.attributes."]),
        (ProfilePatch(attributes={str(n): n for n in range(201)}), ["$.attributes"]),
        (ProfilePatch(attributes={"n": "\ud800"}), ["$.attributes.n"]),
        (ProfilePatch(timezone="Europe/Pariss"), ["$.timezone"]),
        (ProfilePatch(timezone="../../etc/passwd"), ["$.timezone"]),
        (ProfilePatch(locale="no such thing"), ["$.locale"]),
        (ProfilePatch(muted={"c": -1.0}), ["$.muted.c"]),
        (ProfilePatch(opt_outs=["ok", ""]), ["$.optOuts[1]"]),
        (
            ProfilePatch(timezone="x", locale="!", contacts={"push": "t"}),
            ["$.contacts.push", "$.timezone", "$.locale"],
        ),
    ],
)
async def test_everything_wrong_is_said_at_once(
    recipients: Recipients, change: ProfilePatch, paths: list[str]
) -> None:
    with pytest.raises(RecipientInvalid) as caught:
        await recipients.put("bob", change, "app")
    assert [fault.path for fault in caught.value.faults] == paths
    assert await recipients.get("bob", "app") is None


async def test_a_zone_that_is_nearly_one_gets_a_hint(recipients: Recipients) -> None:
    with pytest.raises(RecipientInvalid, match='did you mean "Europe/Paris"'):
        await recipients.put("bob", ProfilePatch(timezone="Europe/Pariss"), "app")


@pytest.mark.parametrize("uid", ["", " ", "x" * 256, "a\0b"])
async def test_a_uid_that_cannot_be_is_refused(recipients: Recipients, uid: str) -> None:
    for attempt in (
        recipients.put(uid, ProfilePatch(), "app"),
        recipients.register(uid, device("t"), "app"),
        recipients.logout(uid, "s", "app"),
    ):
        with pytest.raises(RecipientInvalid):
            await attempt


async def test_what_waits_for_a_removed_contact_is_cancelled_and_for_a_changed_one_follows(
    recipients: Recipients, waiting: Waiting
) -> None:
    bob = await recipients.put("bob", ProfilePatch(contacts={"email": "a@x", "sms": "+1"}), "app")
    email, sms = bob.contacts
    to_email = await waiting.put(email.id, address="a@x")
    to_sms = await waiting.put(sms.id, address="+1")
    await recipients.put("bob", ProfilePatch(contacts={"email": "b@x", "sms": None}), "app")
    assert (await waiting.engine.delivery(to_email)).address == "b@x"
    assert await waiting.state(to_sms) == ("cancelled", "contact_gone")


async def test_an_erased_recipient_leaves_nothing_behind(
    recipients: Recipients, waiting: Waiting, database: Database
) -> None:
    contact = await recipients.register("bob", device("bobs-token"), "app")
    await recipients.put("bob", ProfilePatch(attributes={"trait": "bobs-trait"}), "app")
    for _ in range(3):
        await waiting.put(contact.id, address="bobs-token")
    await waiting.queue_rows.claim(1)
    kept = await waiting.queue_rows.accept(uid="ann")
    assert await recipients.erase("bob", "app")
    assert await recipients.get("bob", "app") is None
    left = {
        table.name: await database.read(count_rows(table))
        for table in (tables.recipients, tables.contacts, tables.deliveries, tables.attempts)
    }
    assert left == {"recipients": 0, "contacts": 0, "deliveries": 0, "attempts": 0}
    for table in (tables.notifications, tables.payloads):
        assert await database.read(count_rows(table)) == 1
    assert await waiting.engine.state(kept.id) == "accepted"
    assert not await recipients.erase("bob", "app")


async def test_the_app_may_be_left_out_while_one_is_known(
    recipients: Recipients, waiting: Waiting
) -> None:
    with pytest.raises(AppAmbiguous, match="none is known yet"):
        await recipients.put("bob", ProfilePatch(locale="fr"))
    await waiting.queue_rows.accept(uid="bob")
    assert (await recipients.put("bob", ProfilePatch(locale="fr"))).app_id == "app"
    await recipients.register("bob", device("t", "s"))
    assert await recipients.get("bob") == await recipients.get("bob", "app")
    await recipients.put("bob", ProfilePatch(), "other")
    for attempt in (
        recipients.get("bob"),
        recipients.put("bob", ProfilePatch()),
        recipients.register("bob", device("t")),
        recipients.logout("bob", "s"),
        recipients.erase("bob"),
    ):
        with pytest.raises(AppAmbiguous) as caught:
            await attempt
        assert caught.value.known == ("app", "other")


def test_a_change_starts_out_empty() -> None:
    values = {name: getattr(ProfilePatch(), name) for name in ProfilePatch.__struct_fields__}
    assert values.pop("registered") == {}
    assert all(value is UNSET for value in values.values())
