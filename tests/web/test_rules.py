"""`/v1/rules` over a real file: what is in force, what is wrong with it, what it would do."""

import json
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pytest

from router.core.model.payload import Json
from router.rulebook.rulebook import ActiveRules
from router.samples import read_sample
from tests.web.harness import OPERATOR, RULES, Harness, open_harness

Node = dict[str, Any]


@pytest.fixture
async def ruled(tmp_path: Path) -> AsyncIterator[Harness]:
    async with open_harness(tmp_path, rules=RULES) as harness:
        yield harness


async def post(harness: Harness, path: str, body: bytes = b"", status: int = 200) -> Node:
    answer = await harness.client(OPERATOR).post(f"/v1/rules/{path}", content=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def show(harness: Harness) -> Node:
    answer = await harness.client(OPERATOR).get("/v1/rules")
    assert answer.status_code == 200
    return dict(answer.json())


async def test_without_rules_the_file_is_named_as_the_problem(harness: Harness) -> None:
    shown = await show(harness)
    assert (shown["version"], shown["current"], shown["rules"]) == (None, False, [])
    (problem,) = shown["problems"]
    assert problem["file"].endswith("rules.yaml")
    assert "cannot be read" in problem["message"]


async def test_the_rules_in_force_are_shown_without_their_settings(ruled: Harness) -> None:
    shown = await show(ruled)
    assert shown["version"]
    assert shown["current"] is True
    assert shown["rules"] == ["calls", "messages"]
    assert shown["channels"] == [
        {"name": "mail", "plugin": "letters", "addressKind": "email"},
        {"name": "text", "plugin": "texts", "addressKind": "sms"},
    ]
    assert shown["problems"] == []
    assert "sender" not in json.dumps(shown)


async def test_a_reload_puts_the_file_in_force(ruled: Harness) -> None:
    before = await show(ruled)
    ruled.file.write_text(RULES.replace("calls", "rings"))
    reloaded = await post(ruled, "reload")
    assert reloaded["rules"] == ["rings", "messages"]
    assert reloaded["version"] != before["version"]
    assert await show(ruled) == reloaded


async def test_a_bad_file_leaves_in_force_what_was_and_every_error_is_told(ruled: Harness) -> None:
    before = await show(ruled)
    ruled.file.write_text(RULES.replace("send: [text]", "send: [txet]").replace("type:", "tpye:"))
    refused = await post(ruled, "reload", status=422)
    assert refused["detail"].startswith("the file has errors")
    assert len(refused["problems"]) == 2
    assert all(p["path"].startswith(f"{ruled.file}:") for p in refused["problems"])
    after = await show(ruled)
    assert (after["version"], after["rules"]) == (before["version"], before["rules"])
    assert after["current"] is False
    assert len(after["problems"]) == 2


async def test_a_payload_is_explained_and_not_accepted(ruled: Harness) -> None:
    recipient = {"appId": "app-1", "contacts": {"email": "bob@example.com"}}
    payload: Node = read_sample("push_chat_one_on_one")
    payload["appId"], payload["data"]["to"]["uid"] = "app-1", "bob"
    client = ruled.client(OPERATOR)
    await client.put("/v1/recipients/bob", json=recipient)
    told = await post(ruled, "explain", json.dumps(payload).encode())
    assert (told["notification"]["kind"], told["notification"]["feed"]) == ("message", "push")
    assert {rule["name"]: rule["matched"] for rule in told["rules"]} == {
        "calls": False,
        "messages": True,
    }
    (delivery,) = told["deliveries"]
    assert (delivery["channel"], delivery["to"]) == ("mail", "b…@example.com")
    assert "bob@example.com" not in json.dumps(told)
    assert (await client.get("/v1/notifications")).json()["items"] == []


async def test_an_explanation_holds_as_of_a_moment(ruled: Harness) -> None:
    body = json.dumps(read_sample("push_call_audio_initiated")).encode()
    early = await post(ruled, "explain?at=1000", body)
    late = await post(ruled, "explain?at=2000", body)
    assert [d["due"] for d in early["deliveries"]] == [1000.0] * len(early["deliveries"])
    assert [d["due"] for d in late["deliveries"]] == [2000.0] * len(late["deliveries"])
    assert early["deliveries"]


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"", "$"), (b"[]", "$"), (b'{"trigger": "x"}', "$.trigger"), (b"[" * 100_000, "$")],
)
async def test_what_is_no_payload_is_not_explained(body: bytes, path: str, ruled: Harness) -> None:
    refused = await post(ruled, "explain", body, 400)
    assert [problem["path"] for problem in refused["problems"]] == [path]


async def test_without_rules_nothing_is_explained(harness: Harness) -> None:
    body = json.dumps(read_sample("push_chat_one_on_one")).encode()
    refused = await post(harness, "explain", body, 409)
    assert "reload" in refused["detail"]


async def test_a_moment_is_a_number(ruled: Harness) -> None:
    refused = await post(ruled, "explain?at=noon", b"{}", 400)
    assert [problem["path"] for problem in refused["problems"]] == ["?at"]


async def test_secrets_of_a_payload_are_not_explained(ruled: Harness) -> None:
    payload: dict[str, Json] = read_sample("push_chat_one_on_one")
    data: Node = dict(payload)["data"]  # type: ignore[assignment]  # an object in every sample
    data["notificationDetails"]["wsChannel"] = {"secret": "hunter2"}
    told = await post(ruled, "explain", json.dumps(payload).encode())
    assert "hunter2" not in json.dumps(told)


async def test_an_explanation_takes_the_skew_of_the_clocks_off_the_age(tmp_path: Path) -> None:
    payload: Node = read_sample("push_call_audio_initiated")
    payload["data"]["notificationDetails"]["sentAt"] = "1741847400000"
    body = json.dumps(payload).encode()
    async with open_harness(tmp_path, rules=RULES, skew=lambda: 100.0) as harness:
        told = await post(harness, "explain?at=1741847500", body)
    assert told["notification"]["occurred_at"] == 1741847500.0


async def test_a_reload_names_the_channels_whose_settings_are_new(ruled: Harness) -> None:
    told: list[Collection[str]] = []
    assert isinstance(ruled.site.rulebook, ActiveRules)
    ruled.site.rulebook.on_change(told.append)
    await post(ruled, "reload")
    ruled.file.write_text(RULES.replace("sender: ann", "sender: bob"))
    await post(ruled, "reload")
    ruled.file.write_text("rules: [")
    await post(ruled, "reload", status=422)
    assert told == [[], ["mail"]]
