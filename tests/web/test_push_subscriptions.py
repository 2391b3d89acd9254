"""Browsers: a subscription that stands for a token, and what cannot be one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from router.core.model.payload import Json
from tests.fakes.webpush import Browser
from tests.web.harness import APP, Harness, open_harness

BROWSER = Browser(host="push.example.com")
ENDPOINT, KEYS = BROWSER.endpoint, BROWSER.keys
POINT = KEYS["p256dh"]
SUBSCRIPTION: dict[str, Json] = {"endpoint": ENDPOINT, "expirationTime": None, "keys": {**KEYS}}


@pytest.fixture
async def harness(tmp_path: Path, database_url: str) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, url=database_url) as harness:
        yield harness


async def register(harness: Harness, body: dict[str, Json]) -> httpx.Response:
    async with harness.client(APP) as client:
        content = json.dumps({"appId": "app-1", "platform": "web", **body}).encode()
        return await client.put("/v1/recipients/bob/devices", content=content)


async def show(harness: Harness) -> str:
    async with harness.client(APP) as client:
        return (await client.get("/v1/recipients/bob")).text


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    return {problem["path"]: problem["reason"] for problem in answer.json()["problems"]}


async def test_a_subscription_stands_for_a_token(harness: Harness) -> None:
    answer = await register(harness, {"subscription": SUBSCRIPTION})
    assert answer.status_code == 200
    for part in ("push.example.com", KEYS["p256dh"][:8], KEYS["auth"]):
        assert part not in answer.text
        assert part not in await show(harness)
    later: Json = {**SUBSCRIPTION, "expirationTime": 1893456000000.0}
    again = await register(harness, {"subscription": later})
    assert again.json()["id"] == answer.json()["id"]


@pytest.mark.parametrize(
    ("keys", "endpoint", "path"),
    [
        ({"p256dh": f"C{POINT[1:]}"}, ENDPOINT, "$.subscription.keys.p256dh"),
        ({"p256dh": POINT[:-1]}, ENDPOINT, "$.subscription.keys.p256dh"),
        ({"p256dh": f"Ag{POINT[2:44]}"}, ENDPOINT, "$.subscription.keys.p256dh"),
        ({"p256dh": "é"}, ENDPOINT, "$.subscription.keys.p256dh"),
        ({"auth": "AAAA"}, ENDPOINT, "$.subscription.keys.auth"),
        ({"auth": "no base64!"}, ENDPOINT, "$.subscription.keys.auth"),
        ({}, "http://push.example.com/abc", "$.subscription.endpoint"),
        ({}, "https://ann:pass@push.example.com/abc", "$.subscription.endpoint"),
        ({}, "https://push.example.com/a b", "$.subscription.endpoint"),
        ({}, "https:///abc", "$.subscription.endpoint"),
        ({}, "https://push<.example.com/abc", "$.subscription.endpoint"),
        ({}, "https://ⓛocalhost/abc", "$.subscription.endpoint"),
        ({}, "https://permanently-removed.invalid/abc", "$.subscription.endpoint"),
        ({}, "https://[::1", "$.subscription.endpoint"),
        ({}, "https://x:99999/", "$.subscription.endpoint"),
        ({}, "abc", "$.subscription.endpoint"),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused_in_its_place(
    harness: Harness, keys: dict[str, str], endpoint: str, path: str
) -> None:
    subscription: Json = {"endpoint": endpoint, "keys": {**KEYS, **keys}}
    answer = await register(harness, {"subscription": subscription})
    assert [*faults(answer)] == [path]
    assert KEYS["auth"] not in answer.text


async def test_everything_wrong_with_a_subscription_is_told_at_once(harness: Harness) -> None:
    subscription: Json = {"endpoint": "x", "keys": {"p256dh": "", "auth": ""}}
    answer = await register(harness, {"platform": "?", "subscription": subscription})
    where = ("endpoint", "keys.p256dh", "keys.auth")
    assert faults(answer).keys() == {"$.platform", *(f"$.subscription.{each}" for each in where)}


@pytest.mark.parametrize("token", ["dXJk-1:APA91bH", '{"endpoint": 1}', "{"])
async def test_a_browser_has_a_subscription_and_no_token(harness: Harness, token: str) -> None:
    answer = await register(harness, {"token": token})
    assert "subscription" in faults(answer)["$.token"]


@pytest.mark.parametrize("platform", ["fcm_web", "web_push", "WEB"])
async def test_a_subscription_may_have_another_platform(harness: Harness, platform: str) -> None:
    answer = await register(harness, {"platform": platform, "subscription": SUBSCRIPTION})
    assert answer.status_code == 200


async def test_a_token_of_firebase_needs_no_subscription(harness: Harness) -> None:
    answer = await register(harness, {"platform": "fcm_web", "token": "dXJk-1:APA91bH"})
    assert answer.status_code == 200


async def test_a_subscription_may_come_as_the_text_it_is_kept_as(harness: Harness) -> None:
    first = await register(harness, {"subscription": SUBSCRIPTION})
    kept = json.dumps({"endpoint": ENDPOINT, "keys": KEYS}, separators=(",", ":"))
    assert (await register(harness, {"token": kept})).json()["id"] == first.json()["id"]


async def test_an_import_names_the_place_of_a_subscription_that_cannot_be(harness: Harness) -> None:
    broken = {"endpoint": ENDPOINT, "keys": {**KEYS, "auth": "AAAA"}}
    lines = [
        {"uid": "ann", "devices": [{"platform": "web", "subscription": SUBSCRIPTION}]},
        {"uid": "bob", "devices": [{"platform": "web", "subscription": broken}]},
        {"uid": "cat", "devices": [{"platform": "web", "token": "t"}]},
    ]
    content = "\n".join(map(json.dumps, lines))
    async with harness.client(APP) as client:
        answer = await client.post("/v1/recipients/import?appId=app-1", content=content)
    told = [(problem["line"], problem["path"]) for problem in answer.json()["problems"]]
    assert told == [(2, "$.devices[0].subscription.keys.auth"), (3, "$.devices[0].token")]
