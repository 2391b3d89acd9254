"""`/v1/recipients` over a real database: what is set is shown, masked, and can be erased."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.core.model.payload import Json
from tests.web.harness import APP, Harness, open_harness

Node = dict[str, Any]
TOKEN = "token-of-bobs-phone-0123456789"
AUTH = "auth-token-of-bobs-session"
DEVICE: dict[str, Json] = {
    "appId": "app-1",
    "platform": "android",
    "token": TOKEN,
    "authToken": AUTH,
    "providerId": "provider-1",
    "timezone": "Europe/Paris",
    "locale": "fr",
}


@pytest.fixture
async def harness(tmp_path: Path, database_url: str) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, url=database_url) as harness:
        yield harness


async def send(harness: Harness, method: str, path: str, body: object = None) -> httpx.Response:
    content = b"" if body is None else json.dumps(body).encode()
    async with harness.client(APP) as client:
        return await client.request(method, f"/v1/recipients/{path}", content=content)


async def show(harness: Harness, path: str) -> Node:
    answer = await send(harness, "GET", path)
    assert answer.status_code == 200
    return dict(answer.json())


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    return {problem["path"]: problem["reason"] for problem in answer.json()["problems"]}


async def test_what_is_set_is_shown_with_addresses_masked(harness: Harness) -> None:
    change: Node = {
        "appId": "app-1",
        "contacts": {"email": "bob@example.com", "sms": "+33612345678"},
        "attributes": {"plan": "gold", "age": 41, "vip": True, "score": 1.5},
        "timezone": "Europe/Paris",
        "locale": "fr",
        "muted": {"group_team": 2000000000.0},
        "optOuts": ["letters"],
    }
    put = await send(harness, "PUT", "bob", change)
    shown = {
        "uid": "bob",
        "appId": "app-1",
        "contacts": {"email": "b…@example.com", "sms": "+3…78"},
        "devices": [],
        "attributes": {"plan": "gold", "age": 41, "vip": True, "score": 1.5},
        "timezone": "Europe/Paris",
        "locale": "fr",
        "muted": {"group_team": 2000000000.0},
        "optOuts": ["letters"],
        "country": "",
        "registered": {},
    }
    assert (put.status_code, put.json()) == (200, shown)
    assert await show(harness, "bob?appId=app-1") == shown
    assert await show(harness, "bob") == shown


async def test_what_is_left_out_stays_and_null_removes(harness: Harness) -> None:
    await send(
        harness,
        "PUT",
        "bob",
        {
            "appId": "app-1",
            "contacts": {"email": "bob@example.com", "sms": "+33612345678"},
            "attributes": {"plan": "gold", "age": 41},
            "timezone": "Europe/Paris",
        },
    )
    change: Json = {"contacts": {"sms": None}, "attributes": {"age": None, "vip": True}}
    answer = await send(harness, "PUT", "bob", change)
    assert answer.json()["contacts"] == {"email": "b…@example.com"}
    assert answer.json()["attributes"] == {"plan": "gold", "vip": True}
    assert answer.json()["timezone"] == "Europe/Paris"


async def test_every_fault_of_a_change_is_told_at_once(harness: Harness) -> None:
    answer = await send(
        harness,
        "PUT",
        "bob",
        {
            "appId": "app-1",
            "contacts": {"emial": "bob@example.com", "push": TOKEN, "sms": "\0"},
            "attributes": {"age": 10**26},
            "timezone": "Europe/Pariss",
        },
    )
    found = faults(answer)
    assert found.keys() == {
        "$.contacts.emial",
        "$.contacts.push",
        "$.contacts.sms",
        "$.attributes.age",
        "$.timezone",
    }
    assert 'did you mean "email"?' in found["$.contacts.emial"]
    assert "/devices" in found["$.contacts.push"]
    assert "Europe/Paris" in found["$.timezone"]
    assert (await send(harness, "GET", "bob")).status_code == 404


async def test_unknown_fields_are_refused_with_the_nearest_name(harness: Harness) -> None:
    answer = await send(harness, "PUT", "bob", {"appid": "app-1", "contact": {}, "opt_outs": []})
    assert faults(answer) == {
        "$.appid": 'unknown; did you mean "appId"?',
        "$.contact": 'unknown; did you mean "contacts"?',
        "$.opt_outs": 'unknown; did you mean "optOuts"?',
    }


async def test_a_device_is_registered_shown_masked_and_logged_out(harness: Harness) -> None:
    registered = await send(harness, "PUT", "bob/devices", DEVICE)
    assert registered.status_code == 200
    device = registered.json()
    assert {**device, "id": ""} == {
        "id": "",
        "platform": "android",
        "token": "to…89",
        "providerId": "provider-1",
        "timezone": "Europe/Paris",
        "locale": "fr",
    }
    assert (await show(harness, "bob"))["devices"] == [device]
    other: Json = {**DEVICE, "token": "another-token", "authToken": "another-session"}
    await send(harness, "PUT", "bob/devices", other)
    answer = await send(harness, "POST", "bob/logout", {"authToken": AUTH})
    assert (answer.status_code, answer.json()) == (200, {"removed": 1})
    assert [d["token"] for d in (await show(harness, "bob"))["devices"]] == ["an…en"]
    again = await send(harness, "POST", "bob/logout", {"authToken": AUTH})
    assert again.json() == {"removed": 0}


async def test_a_device_that_logs_in_under_another_user_moves(harness: Harness) -> None:
    await send(harness, "PUT", "bob/devices", DEVICE)
    await send(harness, "PUT", "ann/devices", DEVICE)
    assert (await show(harness, "bob"))["devices"] == []
    assert len((await show(harness, "ann"))["devices"]) == 1


IMPOSSIBLE: list[tuple[dict[str, Json], str]] = [
    ({"token": None}, "$.token"),
    ({"token": 5}, "$.token"),
    ({"token": ""}, "$.token"),
    ({"token": "a\0b"}, "$.token"),
    ({"token": "x" * 5000}, "$.token"),
    ({"subscription": {"endpoint": "x", "keys": {"p256dh": "k", "auth": "a"}}}, "$.token"),
    ({"platform": ""}, "$.platform"),
    ({"platform": None}, "$.platform"),
    ({"tokens": "x"}, "$.tokens"),
    ({"timezone": "Mars/Olympus"}, "$.timezone"),
    ({"authToken": "\ud800"}, "$"),
]


async def test_a_device_that_cannot_be_is_refused(harness: Harness) -> None:
    for change, path in IMPOSSIBLE:
        answer = await send(harness, "PUT", "bob/devices", {**DEVICE, **change})
        assert path in "".join(faults(answer)), change
        assert TOKEN not in answer.text
        assert AUTH not in answer.text


async def test_a_device_needs_a_token_or_a_subscription(harness: Harness) -> None:
    answer = await send(harness, "PUT", "bob/devices", {"appId": "app-1", "platform": "android"})
    assert faults(answer) == {"$.token": "give either `token` or `subscription`"}


async def test_the_app_may_be_left_out_while_one_is_known(harness: Harness) -> None:
    none = await send(harness, "PUT", "bob", {"locale": "fr"})
    assert "none is known yet" in faults(none)["appId"]
    await send(harness, "PUT", "bob", {"appId": "app-1", "locale": "fr"})
    assert (await send(harness, "PUT", "bob", {"locale": "de"})).json()["appId"] == "app-1"
    await send(harness, "PUT", "bob?appId=app-2", {"locale": "it"})
    for method, path, body in (
        ("PUT", "bob", {"locale": "en"}),
        ("GET", "bob", None),
        ("DELETE", "bob", None),
        ("PUT", "bob/devices", {"platform": "android", "token": TOKEN}),
        ("POST", "bob/logout", {"authToken": AUTH}),
    ):
        unclear = await send(harness, method, path, body)
        assert "app-1, app-2" in faults(unclear)["appId"], (method, path)
    assert (await show(harness, "bob?appId=app-1"))["locale"] == "de"
    assert (await show(harness, "bob?appId=app-2"))["locale"] == "it"


async def test_the_app_in_the_body_and_in_the_query_must_agree(harness: Harness) -> None:
    answer = await send(harness, "PUT", "bob?appId=app-1", {"appId": "app-2"})
    assert faults(answer) == {"$.appId": "differs from `?appId=`; give one of them"}
    agreed = await send(harness, "PUT", "bob?appId=app-1", {"appId": "app-1"})
    assert agreed.status_code == 200


async def test_an_unknown_query_parameter_is_refused(harness: Harness) -> None:
    answer = await send(harness, "GET", "bob?appid=app-1")
    assert faults(answer) == {"?appid": 'unknown; did you mean "appId"?'}


async def test_a_recipient_is_erased_once(harness: Harness) -> None:
    await send(harness, "PUT", "bob", {"appId": "app-1", "contacts": {"email": "bob@example.com"}})
    erased = await send(harness, "DELETE", "bob?appId=app-1")
    assert (erased.status_code, erased.content) == (204, b"")
    assert (await send(harness, "GET", "bob?appId=app-1")).status_code == 404
    assert (await send(harness, "DELETE", "bob?appId=app-1")).status_code == 404


async def test_nobody_is_known_at_first(harness: Harness) -> None:
    answer = await send(harness, "GET", "bob")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "this recipient is not registered"


async def test_a_strange_uid_is_served_or_refused(harness: Harness) -> None:
    for uid in ("a%00b", "%20", "x" * 300, "%F0%9F%8D%8A", "a b", "..", "a%2Fb"):
        requests: list[tuple[str, str, object]] = [
            ("PUT", uid, {"appId": "app-1"}),
            ("GET", uid, None),
            ("PUT", f"{uid}/devices", DEVICE),
            ("POST", f"{uid}/logout", {"authToken": AUTH}),
            ("DELETE", uid, None),
        ]
        for method, path, body in requests:
            answer = await send(harness, method, path, body)
            assert answer.status_code in {200, 204, 400, 404, 405}, (method, path, answer.text)
