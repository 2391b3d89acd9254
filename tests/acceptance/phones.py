"""A live router whose pushes and texts go to fakes, and what its users' devices got of them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from router.samples import read_sample
from tests.acceptance.recorded_pushes import (
    NotedApns,
    NotedFcm,
    NotedPushService,
    NotedTwilio,
    Wire,
)
from tests.acceptance.router_process import COMETCHAT, OPERATOR, PATIENCE, RouterProcess, live
from tests.acceptance.router_with_fakes import MODULE, divert
from tests.fakes import webpush
from tests.fakes.apns import BUNDLE, KEY_ID, TEAM_ID, make_settings

APP = "app123"
RULES = """
version: 1
channels:
  app:
    plugin: push
    timeout: 5
    {more}
    fcm: {{service_account: "${{file:{account}}}"}}
    apns:
      key: "${{file:{key}}}"
      key_id: {key_id}
      team_id: {team_id}
      topic: {topic}
      rings: {rings}
    webpush: {{private_key: "${{file:{vapid}}}", subject: "{subject}"}}
  text: {{plugin: sms, url: "{twilio}"}}
"""

_numbers = count(1)


def chat(uid: str, text: str, **details: object) -> dict[str, Any]:
    """Return a payload of a message that was sent now."""
    return _payload("push_chat_one_on_one", uid, {"body": text} | details)


def call(uid: str, action: str, session: str, **details: object) -> dict[str, Any]:
    """Return a payload of what happened to a call now."""
    more = {"callAction": action, "sessionId": session}
    return _payload("push_call_ongoing", uid, more | details)


def _payload(sample: str, uid: str, details: Mapping[str, object]) -> dict[str, Any]:
    payload: dict[str, Any] = read_sample(sample)
    payload["appId"] = APP
    payload["data"]["to"]["uid"] = uid
    payload["data"]["notificationDetails"] |= {
        "tag": f"{next(_numbers)}",
        "sender": "zoe",
        "receiver": uid,
        "conversationId": f"{uid}_user_zoe",
        "sentAt": f"{time.time() * 1000:.0f}",
    } | dict(details)
    return payload


@dataclass
class Phones:
    """The router, the fakes, and the wire between them."""

    process: RouterProcess
    session: aiohttp.ClientSession
    wire: Wire
    fcm: NotedFcm
    apns: NotedApns
    browsers: NotedPushService

    async def ask(
        self, method: str, path: str, body: object = None, *, as_: Mapping[str, str] = OPERATOR
    ) -> dict[str, Any]:
        """Return the JSON of an answer, which must be 200; bytes are sent as they are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.process.url}{path}"
        async with self.session.request(method, url, data=data, headers=as_) as answer:
            assert answer.status == 200, await answer.text()
            told: dict[str, Any] = await answer.json()
            return told

    async def post(self, *payloads: Mapping[str, Any]) -> None:
        """Let payloads be accepted, all at once."""
        asked = (self.ask("POST", "/webhook", each, as_=COMETCHAT) for each in payloads)
        await asyncio.gather(*asked)

    async def enrol(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Import recipients with their devices."""
        body = "\n".join(map(json.dumps, lines)).encode()
        summary = await self.ask("POST", f"/v1/recipients/import?appId={APP}", body)
        assert (summary["bad"], summary["stoppedAt"]) == (0, None), summary

    async def log_in(self, uid: str, platform: str, token: str, session: str = "") -> None:
        """Register a device, in a session if one is named."""
        device = {"platform": platform, "token": token, "authToken": session, "appId": APP}
        await self.ask("PUT", f"/v1/recipients/{uid}/devices", device)

    async def log_in_browser(self, uid: str, session: str = "") -> None:
        """Register the one browser, in a session if one is named."""
        device = {"platform": "web", "subscription": self.browsers.browser.subscription}
        body = device | {"authToken": session, "appId": APP}
        await self.ask("PUT", f"/v1/recipients/{uid}/devices", body)

    async def log_out(self, uid: str, session: str) -> int:
        """End a session; return how many devices that removed."""
        body = {"authToken": session, "appId": APP}
        removed: int = (await self.ask("POST", f"/v1/recipients/{uid}/logout", body))["removed"]
        return removed

    async def devices(self, uid: str) -> int:
        """Return how many devices are known of somebody."""
        known = await self.ask("GET", f"/v1/recipients/{uid}?appId={APP}")
        return len(known["devices"])

    async def hold(self, channel: str = "app") -> None:
        """Let what is accepted for a channel wait, from when the worker has heard of it."""
        await self.ask("POST", f"/v1/channels/{channel}/pause", {"seconds": 600})
        held = f'router_channel_held{{cause="paused",channel="{channel}"}} 1.0'
        await until(self._metrics, lambda text: held in text)

    async def let_go(self, channel: str = "app") -> None:
        """Let what waits for a channel go."""
        await self.ask("POST", f"/v1/channels/{channel}/resume", {})

    async def _metrics(self) -> str:
        async with self.session.get(f"{self.process.url}/metrics") as answer:
            return await answer.text()

    async def deliveries(self) -> list[dict[str, Any]]:
        """Return every delivery, the newest first."""
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = await self.ask("GET", f"/v1/deliveries?limit=200{more}")
            items += page["items"]
            cursor = page["next"]
        return items

    async def planned(self, number: int) -> None:
        """Return as soon as there are so many deliveries."""
        await until(self.deliveries, lambda items: len(items) >= number)

    async def settled(self, number: int) -> list[dict[str, Any]]:
        """Return the deliveries as soon as there are so many and all have ended."""

        def have_ended(items: list[dict[str, Any]]) -> bool:
            is_open = {"waiting", "sending"}
            return len(items) >= number and not any(item["state"] in is_open for item in items)

        items: list[dict[str, Any]] = await until(self.deliveries, have_ended)
        return items

    async def at_rest(self) -> None:
        """Return when all that was accepted is planned, and what is due by now has ended."""

        async def look() -> list[dict[str, Any]]:
            unplanned = await self.ask("GET", "/v1/notifications?state=accepted")
            items = [*unplanned["items"], *await self.deliveries()]
            is_open = {"accepted", "waiting", "sending"}
            now = time.time()
            return [i for i in items if i["state"] in is_open and i.get("due_at", now) <= now]

        await until(look, lambda items: not items)

    async def restart(self) -> None:
        """End the router in an orderly way, and start it again."""
        assert await asyncio.to_thread(self.process.end) == 0
        await asyncio.to_thread(self.process.start)


async def until(
    look: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool], pause: float = 0.05
) -> Any:  # noqa: ANN401 - what `look` returns
    """Return what is seen as soon as it is so."""
    deadline = time.monotonic() + PATIENCE
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(pause)
    return seen


@asynccontextmanager
async def phones(
    folder: Path, rules: str, database: str = "", *, rings: str = "everywhere", more: str = ""
) -> AsyncIterator[Phones]:
    """Run a router with `rules` for its channels `app` (push) and `text` (sms).

    `more` is one more setting of `app`.
    """
    wire = Wire()
    async with (
        NotedFcm(wire) as fcm,
        NotedApns(wire) as apns,
        NotedPushService(wire) as browsers,
        NotedTwilio(wire) as twilio,
    ):
        account, key, vapid = (folder / name for name in ("account.json", "key.p8", "vapid.pem"))
        account.write_text(fcm.service_account)
        key.write_text(str(make_settings()["key"]))
        vapid.write_text(str(webpush.make_settings()["private_key"]))
        channels = RULES.format(
            account=account,
            key=key,
            key_id=KEY_ID,
            team_id=TEAM_ID,
            topic=BUNDLE,
            rings=rings,
            more=more,
            vapid=vapid,
            subject=webpush.SUBJECT,
            twilio=twilio.apprise_url,
        )
        (folder / "rules.yaml").write_text(channels + rules)
        made = (fcm, apns, browsers, twilio)
        fakes = {host: fake.url for fake in made for host in fake.hosts}
        settings = live(folder, database) | divert(folder, fakes)
        process = RouterProcess(folder, settings, module=MODULE)
        try:
            await asyncio.to_thread(process.start)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                yield Phones(process, session, wire, fcm, apns, browsers)
        finally:
            process.kill()
