"""A browser registers, is pushed to, and unsubscribes: with a push service over TLS."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from router.samples import read_sample, restamp
from router.testing import ProviderReply
from tests.acceptance.client import call, wait_for
from tests.acceptance.router_process import COMETCHAT, OPERATOR, RouterProcess, live
from tests.fakes.webpush import Browser, PushService, make_settings
from tests.transport.certificate import read_authority

UID, APP = "cometchat-uid-2", "app123"
RULES = """
version: 1
channels:
  app:
    plugin: push
    webpush: {private_key: "${file:vapid.pem}", subject: "mailto:ops@example.com"}
rules:
  - name: everything
    send: [app]
"""
FINAL = {"delivered", "undelivered", "dropped"}


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with PushService() as server:
        server.hosts = (server.url.removeprefix("https://").replace("127.0.0.1", "localhost"),)
        yield server


def prepare(folder: Path, **settings: str) -> RouterProcess:
    """Return a live router that trusts the authority of the push service."""
    key = folder / "vapid.pem"
    key.write_text(str(make_settings()["private_key"]))
    authority = folder / "authority.pem"
    authority.write_text(read_authority())
    (folder / "rules.yaml").write_text(RULES.replace("vapid.pem", str(key)))
    return RouterProcess(folder, {**live(folder), "SSL_CERT_FILE": str(authority), **settings})


def register(router: RouterProcess, browser: Browser) -> None:
    body = {"appId": APP, "platform": "web", "subscription": browser.subscription}
    asked = Request(  # noqa: S310 - loopback
        f"{router.url}/v1/recipients/{UID}/devices",
        json.dumps(body).encode(),
        OPERATOR,
        method="PUT",
    )
    with urlopen(asked, timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.status == 200


def devices(router: RouterProcess) -> list[object]:
    return list(call(f"{router.url}/v1/recipients/{UID}")[1]["devices"])


def tell(router: RouterProcess, story: str) -> tuple[Mapping[str, Any], str]:
    """Post a sample, and return its keys and the state that its notification ends in."""
    sample: Any = restamp(read_sample("push_chat_one_on_one"), now=time.time(), story=story)
    status, answer = call(f"{router.url}/webhook", sample, COMETCHAT)
    assert (status, answer["message"]) == (200, "accepted")

    def state() -> str:
        told = call(f"{router.url}/v1/notifications/{answer['id']}")[1]
        return str(told["notification"]["state"])

    wait_for(lambda: state() in FINAL)
    return sample["data"]["notificationDetails"], state()


async def test_a_browser_reads_exactly_the_message_and_is_never_tried_again_once_it_is_gone(
    service: PushService, tmp_path: Path
) -> None:
    browser = Browser(host=service.hosts[0])
    router = prepare(tmp_path, ROUTER_PRIVATE_TARGETS="localhost")
    try:
        await asyncio.to_thread(router.start)
        await asyncio.to_thread(register, router, browser)
        details, state = await asyncio.to_thread(tell, router, "first")
        assert state == "delivered"
        (request,) = service.requests
        read_by_it = browser.read(request.body)
        assert read_by_it.pop("collapse")
        texts = {name: str(value) for name, value in details.items()}
        assert read_by_it == {**texts, "badge": texts["unreadMessageCount"]}

        service.say([ProviderReply(status=410)])
        assert (await asyncio.to_thread(tell, router, "second"))[1] == "undelivered"
        assert await asyncio.to_thread(devices, router) == []
        assert (await asyncio.to_thread(tell, router, "third"))[1] != "delivered"
        assert len(service.requests) == 2
    finally:
        router.kill()
    log = router.log.read_text()
    number = base64.urlsafe_b64encode(browser.secret).decode().rstrip("=")
    assert browser.endpoint not in log
    assert number not in log


async def test_a_browser_that_names_a_machine_of_ours_reaches_nothing(
    service: PushService, tmp_path: Path
) -> None:
    router = prepare(tmp_path)
    try:
        await asyncio.to_thread(router.start)
        await asyncio.to_thread(register, router, Browser(host=service.hosts[0]))
        assert (await asyncio.to_thread(tell, router, "first"))[1] == "undelivered"
        dead = (await asyncio.to_thread(call, f"{router.url}/v1/dead-letters"))[1]["items"]
    finally:
        router.kill()
    assert [item["reason"] for item in dead] == [
        "the address leads to a network that is not public"
    ]
    assert service.requests == []
