"""The registry of recipients: devices that log in, move and log out."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from router.core.model.facts import Contact, Device, Recipient
from router.core.model.retry import Dead
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.errors import RecipientInvalid
from router.store.recipients.contacts import MAX_DEVICES, hash_session
from router.store.recipients.repository import ProfilePatch, Recipients, Registration
from router.store.recipients.validation import RegisteredAddress
from router.store.schema.tables import contacts
from tests.store.waiting_deliveries import Clock, Waiting, device, tokens


async def test_a_device_is_a_contact_with_what_the_app_said(recipients: Recipients) -> None:
    registration = device(
        "token", "session", platform="fcm_android", provider_id="p1", timezone="UTC", locale="fr"
    )
    contact = await recipients.register("bob", registration, "app")
    assert contact == Contact(
        id=contact.id,
        kind="push",
        address="token",
        device=Device(platform="fcm_android", provider_id="p1", timezone="UTC", locale="fr"),
        session=hash_session("session"),
    )
    assert await recipients.get("bob", "app") == Recipient(
        app_id="app", uid="bob", contacts=(contact,)
    )


@pytest.mark.parametrize(
    ("registration", "paths"),
    [
        (device(""), ["$.token"]),
        (device("t", platform=""), ["$.platform"]),
        (device("t", timezone="Nowhere"), ["$.timezone"]),
        (device("", platform="!", locale="!"), ["$.platform", "$.token", "$.locale"]),
    ],
)
async def test_a_registration_that_cannot_be_is_refused(
    recipients: Recipients, registration: Registration, paths: list[str]
) -> None:
    with pytest.raises(RecipientInvalid) as caught:
        await recipients.register("bob", registration, "app")
    assert [fault.path for fault in caught.value.faults] == paths


async def test_registering_again_changes_the_device_it_is(recipients: Recipients) -> None:
    first = await recipients.register("bob", device("t", "s1"), "app")
    again = await recipients.register("bob", device("t", "s2", locale="de"), "app")
    assert again.id == first.id
    assert await tokens(recipients, "bob") == ["t"]
    assert await recipients.logout("bob", "s1", "app") == 0
    assert await recipients.logout("bob", "s2", "app") == 1


async def test_a_token_of_someone_else_moves_and_what_waits_for_it_is_cancelled(
    recipients: Recipients, waiting: Waiting
) -> None:
    anns = await recipients.register("ann", device("shared"), "app")
    other = await recipients.register("ann", device("other"), "app")
    pending, untouched = await waiting.put(anns.id), await waiting.put(other.id)
    bobs = await recipients.register("bob", device("shared"), "app")
    assert bobs.id != anns.id
    assert await tokens(recipients, "ann") == ["other"]
    assert await waiting.state(pending) == ("cancelled", "contact_gone")
    assert await waiting.engine.state(pending.rpartition("-")[0]) == "undelivered"
    assert await waiting.state(untouched) == ("waiting", "")


async def test_a_token_of_another_app_stays(recipients: Recipients) -> None:
    await recipients.register("ann", device("t"), "app")
    await recipients.register("ann", device("t"), "other")
    assert await tokens(recipients, "ann") == ["t"]


async def test_a_new_token_of_a_session_takes_the_place_of_the_old_one(
    recipients: Recipients, waiting: Waiting
) -> None:
    old = await recipients.register("bob", device("old", "s"), "app")
    pending = await waiting.put(old.id, address="old")
    new = await recipients.register("bob", device("new", "s"), "app")
    assert new.id == old.id
    assert await tokens(recipients, "bob") == ["new"]
    assert (await waiting.engine.delivery(pending)).address == "new"
    in_its_lane = await waiting.queue_rows.put(address="new")
    assert await waiting.queue_rows.claimed() == [pending]
    assert (await waiting.engine.delivery(in_its_lane)).state == "waiting"


async def test_devices_of_a_session_on_other_platforms_stay(recipients: Recipients) -> None:
    await recipients.register("bob", device("t1", "s", platform="apns_ios_device"), "app")
    await recipients.register("bob", device("t2", "s", platform="apns_ios_voip"), "app")
    await recipients.register("bob", device("t3", "s", provider_id="second"), "app")
    await recipients.register("bob", device("t4"), "app")
    await recipients.register("bob", device("t5"), "app")
    assert sorted(await tokens(recipients, "bob")) == ["t1", "t2", "t3", "t4", "t5"]


async def test_a_known_token_joining_a_session_ends_the_older_one(
    recipients: Recipients, waiting: Waiting
) -> None:
    known = await recipients.register("bob", device("t1"), "app")
    older = await recipients.register("bob", device("t2", "s"), "app")
    pending = await waiting.put(older.id)
    assert (await recipients.register("bob", device("t1", "s"), "app")).id == known.id
    assert await tokens(recipients, "bob") == ["t1"]
    assert await waiting.state(pending) == ("cancelled", "contact_gone")


async def test_one_device_too_many_replaces_the_oldest(recipients: Recipients) -> None:
    for number in range(MAX_DEVICES):
        await recipients.register("bob", device(f"t{number}"), "app")
    await recipients.register("bob", device("t0"), "app")
    await recipients.register("bob", device("new"), "app")
    kept = await tokens(recipients, "bob")
    assert len(kept) == MAX_DEVICES
    assert "t1" not in kept
    assert {"t0", "t2", "new"} <= set(kept)


async def test_logging_out_removes_that_session_and_no_other(
    recipients: Recipients, waiting: Waiting
) -> None:
    gone = await recipients.register("bob", device("t1", "s1", platform="a"), "app")
    await recipients.register("bob", device("t2", "s1", platform="b"), "app")
    await recipients.register("bob", device("t3", "s2"), "app")
    await recipients.register("bob", device("t4"), "app")
    await recipients.register("ann", device("t5", "s1"), "app")
    await recipients.put("bob", ProfilePatch(contacts={"email": "b@x.org"}), "app")
    pending = await waiting.put(gone.id)
    assert await recipients.logout("bob", "s1", "app") == 2
    assert sorted(await tokens(recipients, "bob")) == ["b@x.org", "t3", "t4"]
    assert await tokens(recipients, "ann") == ["t5"]
    assert await waiting.state(pending) == ("cancelled", "contact_gone")
    with pytest.raises(RecipientInvalid):
        await recipients.logout("bob", "", "app")


async def test_an_auth_token_is_kept_as_a_hash(recipients: Recipients, database: Database) -> None:
    await recipients.register("bob", device("t", "very-secret-token"), "app")
    rows = await database.read(lambda c: c.execute(select(contacts)).all())
    assert "very-secret-token" not in str(rows)


async def test_what_was_decided_for_a_device_that_went_meanwhile_is_not_sent(
    recipients: Recipients, waiting: Waiting
) -> None:
    gone = await recipients.register("bob", device("t", "s"), "app")
    moved = await recipients.register("bob", device("old", "other"), "app")
    kept = await recipients.register("bob", device("kept"), "app")
    await recipients.logout("bob", "s", "app")
    await recipients.register("bob", device("new", "other"), "app")
    lease = {"state": "sending", "lease_until": waiting.queue_rows.now + 30}
    late = await waiting.put(gone.id, address="t", **lease)
    elsewhere = await waiting.put(moved.id, address="old", **lease)
    there = await waiting.put(kept.id, address="kept", **lease)
    assert await waiting.state(late) == await waiting.state(elsewhere) == ("waiting", "")
    assert await waiting.state(there) == ("sending", "")
    assert await waiting.queue_rows.claimed() == [elsewhere]
    assert await waiting.state(late) == ("cancelled", "contact_gone")


@pytest.mark.parametrize(
    ("began", "dead_since", "left"),
    [
        (1.0, None, []),
        (-1.0, None, ["t"]),
        (1.0, -1.0, ["t"]),
        (-1.0, 1.0, []),
    ],
)
async def test_a_token_that_is_called_dead_is_forgotten_unless_it_was_registered_since(
    recipients: Recipients,
    waiting: Waiting,
    clock: Clock,
    *,
    began: float,
    dead_since: float | None,
    left: list[str],
) -> None:
    contact = await recipients.register("bob", device("t"), "app")
    registered = clock.now
    tried, queued = [await waiting.put(contact.id, address="t") for _ in range(2)]
    assert await waiting.queue_rows.claimed() == [tried]
    attempt = replace(waiting.queue_rows.attempt(tried), started_at=registered + began)
    since = None if dead_since is None else registered + dead_since
    end = Dead("gone", forget_contact=True, dead_since=since)
    await waiting.engine.queue.settle([Settlement(delivery=tried, attempt=attempt, next=end)])
    assert await tokens(recipients, "bob") == left
    assert await waiting.state(tried) == ("dead", "gone")
    assert (await waiting.state(queued))[0] == ("waiting" if left else "cancelled")


@pytest.mark.parametrize(("country", "left"), [("", []), ("US", ["+12125550100"])])
async def test_a_number_that_was_read_in_a_country_is_never_forgotten(
    recipients: Recipients, waiting: Waiting, clock: Clock, country: str, left: list[str]
) -> None:
    number = "+12125550100"
    told = {"sms": RegisteredAddress(raw="212 555 0100", country=country)}
    change = ProfilePatch(contacts={"sms": number}, registered=told)
    contact = (await recipients.put("bob", change, "app")).contacts[0]
    assert (contact.raw, contact.country) == ("212 555 0100", country)
    tried = await waiting.put(contact.id, address=number)
    assert await waiting.queue_rows.claimed() == [tried]
    attempt = replace(waiting.queue_rows.attempt(tried), started_at=clock.now + 1)
    end = Dead("gone", forget_contact=True)
    await waiting.engine.queue.settle([Settlement(delivery=tried, attempt=attempt, next=end)])
    assert await tokens(recipients, "bob") == left


async def test_what_is_being_sent_is_left_to_its_sender(
    recipients: Recipients, waiting: Waiting
) -> None:
    contact = await recipients.register("bob", device("t", "s"), "app")
    sending = await waiting.put(contact.id)
    assert await waiting.queue_rows.claimed() == [sending]
    await recipients.logout("bob", "s", "app")
    assert await waiting.state(sending) == ("sending", "")
    await waiting.engine.queue.release([sending])
    assert await waiting.queue_rows.claimed() == []
    assert await waiting.state(sending) == ("cancelled", "contact_gone")
