"""Many recipients at once: the same as one by one, and nothing where nothing changes."""

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from router.store.db.database import Database
from router.store.errors import RecipientInvalid
from router.store.recipients.contacts import MAX_DEVICES
from router.store.recipients.repository import (
    ProfilePatch,
    RecipientRecord,
    Recipients,
    Registration,
)
from router.store.schema import tables
from tests.store.waiting_deliveries import Waiting, device, tokens


def entry(uid: str, *devices: Registration, app_id: str = "app", **change: Any) -> RecipientRecord:  # noqa: ANN401 - a struct's
    return RecipientRecord(app_id=app_id, uid=uid, devices=devices, change=ProfilePatch(**change))


async def everything(database: Database) -> list[tuple[object, ...]]:
    """Return every row of the registry."""
    people = select(tables.recipients).order_by(tables.recipients.c.uid)
    contacts = select(tables.contacts).order_by(tables.contacts.c.id)
    return await database.read(
        lambda c: [tuple(row) for query in (people, contacts) for row in c.execute(query)]
    )


async def told(recipients: Recipients, app_id: str = "app") -> list[object]:
    """Return what is known of some people, less the ids of their contacts."""
    found = [await recipients.get(uid, app_id) for uid in ("ann", "bob", "eve")]
    return [
        None
        if person is None
        else (
            person.attributes,
            person.timezone,
            sorted((c.kind, c.address, str(c.device)) for c in person.contacts),
        )
        for person in found
    ]


async def test_people_are_made_with_all_that_is_said_of_them(recipients: Recipients) -> None:
    whole = entry(
        "bob",
        device("t1", "s1", provider_id="p1", timezone="UTC", locale="fr"),
        device("t2"),
        contacts={"email": "bob@example.com", "sms": None},
        attributes={"tier": "gold", "age": 7},
        timezone="Europe/Paris",
        locale="fr",
        muted={"group_1": 0.0},
        opt_outs=["mail"],
    )
    assert await recipients.enrol([whole, entry("ann", device("t3"))]) == [True, True]
    bob = await recipients.get("bob", "app")
    assert bob is not None
    assert {c.kind: c.address for c in bob.contacts if c.device is None} == {
        "email": "bob@example.com"
    }
    assert (bob.attributes, bob.timezone, bob.locale, bob.muted, bob.opt_outs) == (
        {"tier": "gold", "age": 7},
        *("Europe/Paris", "fr", {"group_1": 0.0}, frozenset({"mail"})),
    )
    assert {"t1", "t2"} <= set(await tokens(recipients, "bob"))
    assert await recipients.logout("bob", "s1", "app") == 1
    assert await tokens(recipients, "ann") == ["t3"]


async def test_a_second_time_changes_nothing(recipients: Recipients, database: Database) -> None:
    entries = [
        entry("bob", device("t1", "s1", locale="fr"), contacts={"email": "b@x"}, timezone="UTC"),
        entry("ann", device("t2", seen_at=5.0), attributes={"a": 1, "b": None}),
        entry("bob", contacts={"sms": "+1"}, app_id="other"),
    ]
    assert await recipients.compare(entries) == [True, True, True]
    assert await everything(database) == []
    assert await recipients.enrol(entries) == [True, True, True]
    before = await everything(database)
    assert await recipients.compare(entries) == [False, False, False]
    assert await recipients.enrol(entries) == [False, False, False]
    assert await everything(database) == before


async def test_what_an_entry_leaves_out_stays_on_devices_too(recipients: Recipients) -> None:
    known = device("t", "s", provider_id="p", timezone="UTC", locale="fr")
    await recipients.register("bob", known, "app")
    before = await recipients.get("bob", "app")
    assert await recipients.enrol([entry("bob", device("t"))]) == [False]
    assert await recipients.enrol([entry("bob", device("t", locale="de"))]) == [True]
    after = await recipients.get("bob", "app")
    assert before is not None
    assert after is not None
    assert before.contacts[0].id == after.contacts[0].id
    assert after.contacts[0].device is not None
    assert (after.contacts[0].device.locale, after.contacts[0].device.timezone) == ("de", "UTC")
    assert await recipients.logout("bob", "s", "app") == 1


async def test_a_token_moves_and_what_waits_for_it_is_cancelled(
    recipients: Recipients, waiting: Waiting
) -> None:
    anns = await recipients.register("ann", device("shared"), "app")
    pending = await waiting.put(anns.id)
    later = [entry("bob", device("shared")), entry("eve", device("other"))]
    assert await recipients.enrol(later) == [True, True]
    assert await tokens(recipients, "ann") == []
    assert await tokens(recipients, "bob") == ["shared"]
    assert await waiting.state(pending) == ("cancelled", "contact_gone")


async def test_a_device_gives_way_to_one_that_was_seen_later(recipients: Recipients) -> None:
    await recipients.register("ann", device("shared"), "app")
    await recipients.register("bob", device("new", "s"), "app")
    old = [
        entry("bob", device("shared", seen_at=5.0)),
        entry("bob", device("old", "s", seen_at=5.0)),
    ]
    assert await recipients.enrol(old) == [False, False]
    assert await tokens(recipients, "ann") == ["shared"]
    assert await tokens(recipients, "bob") == ["new"]
    far = entry("bob", device("shared", seen_at=9e9), device("newer", "s", seen_at=9e9))
    assert await recipients.enrol([far]) == [True]
    assert sorted(await tokens(recipients, "bob")) == ["newer", "shared"]


async def test_the_device_that_was_longest_not_seen_goes(recipients: Recipients) -> None:
    crowd = [device(f"t{n}", seen_at=1000.0 - n) for n in range(MAX_DEVICES)]
    assert await recipients.enrol([entry("bob", *crowd)]) == [True]
    assert await recipients.enrol([entry("bob", device("one more"))]) == [True]
    kept = set(await tokens(recipients, "bob"))
    assert kept == {f"t{n}" for n in range(MAX_DEVICES - 1)} | {"one more"}


async def test_the_hash_of_an_auth_token_stands_for_it(recipients: Recipients) -> None:
    hashed = "4c94485e0c21ae6c41ce1dfe7b6bfaceea5ab68e40a2476f50208e526f506080"  # of "session"
    await recipients.enrol([entry("bob", device("a", session=hashed))])
    assert await recipients.enrol([entry("bob", device("a", session="session"))]) == [True]


@pytest.mark.parametrize(
    ("devices", "paths"),
    [
        ([device("t"), device("t", platform="q")], ["$.devices[1]"]),
        ([device("a", "s"), device("b"), device("c", "s")], ["$.devices[2]"]),
        ([device("a", seen_at=-1.0)], ["$.devices[0].seenAt"]),
        ([device("", platform="!")], ["$.devices[0].platform", "$.devices[0].token"]),
    ],
)
def test_devices_that_cannot_be_are_refused(devices: list[Registration], paths: list[str]) -> None:
    with pytest.raises(RecipientInvalid) as caught:
        entry("bob", *devices)
    assert [fault.path for fault in caught.value.faults] == paths


changes = st.fixed_dictionaries(
    {},
    optional={
        "contacts": st.dictionaries(
            st.sampled_from(["email", "sms"]), st.sampled_from([None, "a", "b"]), max_size=2
        ),
        "attributes": st.dictionaries(
            st.sampled_from("xy"), st.sampled_from([None, 1, "one"]), max_size=2
        ),
        "timezone": st.sampled_from([None, "UTC"]),
    },
)
people = st.tuples(
    st.sampled_from(["ann", "bob", "eve"]),
    changes,
    st.none()
    | st.builds(
        device,
        st.sampled_from(["t1", "t2", "t3"]),
        st.sampled_from(["s1", "s2"]),
        platform=st.sampled_from(["p", "q"]),
        provider_id=st.just("one"),
        timezone=st.just("UTC"),
        locale=st.sampled_from(["fr", "de"]),
    ),
)
apps = count()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has its own apps
)
@given(asked=st.lists(people, max_size=8), size=st.integers(1, 8))
async def test_many_at_once_are_as_one_by_one(
    recipients: Recipients, asked: list[tuple[str, dict[str, Any], Registration | None]], size: int
) -> None:
    single, batched = f"app-{next(apps)}", f"app-{next(apps)}"
    for uid, change, one in asked:
        await recipients.put(uid, ProfilePatch(**change), single)
        if one is not None:
            await recipients.register(uid, one, single)
    entries = [
        entry(uid, *([one] if one is not None else []), app_id=batched, **change)
        for uid, change, one in asked
    ]
    for start in range(0, len(entries), size):
        part = entries[start : start + size]
        would = await recipients.compare(part[:1])
        assert (await recipients.enrol(part))[:1] == would
    assert await told(recipients, batched) == await told(recipients, single)
