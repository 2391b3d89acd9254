"""What waits for nobody to read, to answer or to take, told to the real process."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import call, payload, wait_for
from tests.acceptance.router_process import COMETCHAT, RouterProcess, live
from tests.acceptance.webhook_gateway import Gateway, listening

pytestmark = pytest.mark.slow

AFTER = 15.0
"""Seconds in which a busy machine has killed the router and started it again."""
RULES = """
version: 1
channels:
  app: {{plugin: webhook, url: "{app}"}}
  mail: {{plugin: webhook, url: "{mail}"}}
  text: {{plugin: webhook, url: "{mail}"}}
  gone: {{plugin: webhook, url: "{app}/nowhere", timeout: 5}}
rules:
  - name: broken
    when: {{uid: cat}}
    send: [{{channel: gone, expires: 1s}}, {{channel: text, unless: {{delivered: gone}}}}]
    stop: true
  - name: chat
    when: {{type: chat}}
    send: [app, {{channel: mail, after: 15s, unless: {{read: true}}}}]
  - name: call
    when: {{type: call, callAction: initiated}}
    send: [app, {{channel: text, after: 15s, unless: {{call: over}}}}]
"""

BURST = """
version: 1
channels:
  app: {{plugin: webhook, url: "{app}"}}
rules:
  - name: chat
    throttle: {{max: 1, per: 15s, overflow: summary, body: "{{{{ count }}}} more"}}
    send: [app]
"""


@pytest.fixture
def app() -> Iterator[Gateway]:
    with listening() as gateway:
        yield gateway


@pytest.fixture
def mail() -> Iterator[Gateway]:
    with listening() as gateway:
        yield gateway


def ring(action: str, session: str) -> dict[str, Any]:
    body = payload(session, uid="ben", number=int(time.time() * 1000))
    details = body["data"]["notificationDetails"]
    details |= {"type": "call", "callAction": action, "sessionId": session, "callType": "audio"}
    return body


def read(router: RouterProcess, message: int) -> None:
    event = {
        "trigger": "message_read_receipt",
        "webhook": "receipts",
        "appId": "app",
        "data": {
            "receiver": "ann",
            "receiverType": "user",
            "body": {"messageId": str(message), "user": {"uid": "ben"}, "timestamp": 1},
        },
    }
    answer = call(f"{router.url}/webhook/events", event, COMETCHAT)
    assert answer == (200, {"message": "accepted"})


def say(router: RouterProcess, body: dict[str, Any]) -> None:
    assert call(f"{router.url}/webhook", body, COMETCHAT)[0] == 200


def ends(router: RouterProcess) -> list[tuple[str, str]]:
    """Return the state and reason of each delivery but those to the app, sorted."""
    items = call(f"{router.url}/v1/deliveries?limit=200")[1]["items"]
    return sorted((item["state"], item["reason"]) for item in items if item["channel"] != "app")


def told(router: RouterProcess) -> list[str]:
    """Return the states of the deliveries to the app."""
    items = call(f"{router.url}/v1/deliveries?limit=200")[1]["items"]
    return [item["state"] for item in items if item["channel"] == "app"]


def newest(router: RouterProcess) -> str:
    """Return the state of the notification that was accepted last."""
    state: str = call(f"{router.url}/v1/notifications?limit=1")[1]["items"][0]["state"]
    return state


def test_what_was_read_or_answered_in_time_is_not_sent_whatever_dies_in_between(
    tmp_path: Path, app: Gateway, mail: Gateway
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.format(app=app.url, mail=mail.url))
    router = RouterProcess(tmp_path, live(tmp_path))
    try:
        router.start()
        say(router, payload("read", uid="ben", number=7))
        say(router, payload("unread", uid="ben", number=9))
        say(router, ring("initiated", "answered"))
        say(router, ring("initiated", "missed"))
        wait_for(lambda: told(router).count("delivered") == 4)
        router.kill()
        router.start()
        read(router, 7)
        say(router, ring("ongoing", "answered"))
        wait_for(lambda: len(mail.taken) == 2)
        assert sorted(mail.texts) == ["missed", "unread"]
        wait_for(lambda: all(state not in {"waiting", "sending"} for state, _ in ends(router)))
        assert ends(router) == [
            ("cancelled", "unless: call over"),
            ("cancelled", "unless: read"),
            ("delivered", ""),
            ("delivered", ""),
        ]
        say(router, ring("initiated", "answered") | {"region": "us"})
        wait_for(lambda: newest(router) == "dropped")
        assert len(app.taken) == 4
    finally:
        router.kill()


def test_a_stand_in_goes_when_what_it_stood_by_for_has_failed(
    tmp_path: Path, app: Gateway, mail: Gateway
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.format(app="http://127.0.0.1:9", mail=mail.url))
    router = RouterProcess(tmp_path, live(tmp_path))
    try:
        router.start()
        began = time.monotonic()
        say(router, payload("broken", uid="cat"))
        wait_for(lambda: len(mail.taken) == 1)
        assert time.monotonic() - began < AFTER
        assert mail.texts == ["broken"]
        assert app.taken == []
    finally:
        router.kill()


def test_a_burst_is_summed_up_once_whatever_dies_before_its_window_closes(
    tmp_path: Path, app: Gateway
) -> None:
    (tmp_path / "rules.yaml").write_text(BURST.format(app=app.url))
    router = RouterProcess(tmp_path, live(tmp_path))
    try:
        router.start()
        for number in range(1, 4):
            say(router, payload(f"message {number}", uid="ben", number=number))
        wait_for(lambda: ends_of(router) == ["delivered", "suppressed", "waiting"])
        router.kill()
        router.start()
        say(router, payload("message 4", uid="ben", number=4))
        wait_for(lambda: not {"waiting", "sending"} & set(ends_of(router)))
        assert app.texts == ["message 1", "3 more"]
        assert ends_of(router) == ["delivered", "delivered", "suppressed", "suppressed"]
    finally:
        router.kill()


def ends_of(router: RouterProcess) -> list[str]:
    return sorted(item["state"] for item in call(f"{router.url}/v1/deliveries")[1]["items"])
