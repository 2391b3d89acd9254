"""A login belongs to the credential: made once, shared, kept until it ends or is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from apprise.manager_plugins import NotificationManager

from router import Delivered, Retry, Suspend
from router.bridge import Request, Response
from router.bridge.patching import patch_apprise
from router.bridge.plugin_classes import adapt_plugin_class
from router.registry import load_plugins
from router.testing import FakeProvider, ProviderReply, make_message
from router.transport.http import AiohttpTransport
from tests import TESTDATA
from tests.bridge.login_services import TAKEN, AnyChannel, answer, open_any

CASES: dict[str, dict[str, str]] = msgspec.json.decode((TESTDATA / "logins.json").read_bytes())
WECHAT = CASES["wechat"]


class House:
    """A channel, and the server that all its requests reach."""

    def __init__(self, provider: FakeProvider, channel: AnyChannel, case: dict[str, str]) -> None:
        self.provider, self.channel, self.case = provider, channel, case

    async def send(self, number: int = 1) -> object:
        address = self.case.get("to", "").format(number)
        return await self.channel.send(make_message(address=address))

    def count(self, part: str) -> int:
        return sum(request.url.split("?")[0].endswith(part) for request in self.provider.requests)

    @property
    def logins(self) -> int:
        return self.count(self.case["login"])


@asynccontextmanager
async def living(
    case: dict[str, str], says: Callable[[Request], ProviderReply] = answer
) -> AsyncIterator[House]:
    load_plugins()
    async with FakeProvider(answer=says) as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        channel = open_any(case["url"], transport)
        try:
            yield House(provider, channel, case)
        finally:
            await channel.aclose()
            await transport.aclose()


def test_every_service_that_logs_in_is_known() -> None:
    patch_apprise()
    found = {kind.__name__ for kind in NotificationManager().plugins() if adapt_plugin_class(kind)}
    assert found == {
        "NotifyBlueSky",
        "NotifyEmby",
        "NotifyFCM",
        "NotifyJellyfin",
        "NotifyKakaoTalk",
        "NotifyMastodon",
        "NotifyMatrix",
        "NotifyOffice365",
        "NotifyReddit",
        "NotifyRingCentral",
        "NotifyRocketChat",
        "NotifySendPulse",
        "NotifyTwist",
        "NotifyTwitter",
        "NotifyWeChat",
    }


@pytest.mark.parametrize("name", CASES)
async def test_many_recipients_cost_one_login(name: str) -> None:
    async with living(CASES[name]) as house:
        for number in [*range(1, 13)] * 2:
            assert isinstance(await house.send(number), Delivered)
        assert house.logins == 1


@pytest.mark.parametrize("name", CASES)
async def test_sends_at_the_same_time_on_a_cold_channel_log_in_once(name: str) -> None:
    async with living(CASES[name]) as house:
        outcomes = await asyncio.gather(*(house.send(number) for number in range(1, 6)))
        assert [type(outcome) for outcome in outcomes] == [Delivered] * 5
        assert house.logins == 1


@pytest.mark.parametrize("name", [name for name in CASES if "logout" in CASES[name]])
async def test_one_logout_when_the_channel_closes_and_none_before(name: str) -> None:
    async with living(CASES[name]) as house:
        for number in range(1, 6):
            await house.send(number)
        assert house.count(house.case["logout"]) == 0
        await house.channel.aclose()
        assert house.count(house.case["logout"]) == 1
        await house.channel.aclose()
        assert house.count(house.case["logout"]) == 1


async def test_more_recipients_than_plugins_are_kept_cost_one_login() -> None:
    async with living(WECHAT) as house:
        for _ in range(2):
            for number in range(600):
                assert isinstance(await house.send(number), Delivered)
        assert house.logins == 1
        assert len(house.provider.requests) == 1201


class Tokens:
    """A provider whose token changes: only the current one is taken."""

    def __init__(self, *, status: int, refusal: dict[str, object], lifetime: object = 7200) -> None:
        self.issued = 0
        self.valid = 1
        self._refusal = ProviderReply(status=status, body=msgspec.json.encode(refusal))
        self._lifetime = lifetime

    def __call__(self, request: Request) -> ProviderReply:
        url = request.url.split("?")[0]
        if url.endswith(("/oauth/token", "/gettoken", "/login", "/access_token")):
            self.issued += 1
            token = f"T{self.issued}"
            given = TAKEN | {
                "access_token": token,
                "data": {"authToken": token, "userId": "u"},
                "expires_in": self._lifetime,
            }
            return ProviderReply(body=msgspec.json.encode(given))
        said = request.url + "".join(f"{k}:{v} " for k, v in request.headers.items())
        good = f"T{self.valid}" in said
        return answer(request) if good else self._refusal


REFUSING = {
    "matrix": Tokens(status=401, refusal={"errcode": "M_UNKNOWN_TOKEN"}),
    "ringcentral": Tokens(status=401, refusal={"errorCode": "TokenInvalid"}),
    "rocketchat": Tokens(status=401, refusal={"status": "error"}),
    "sendpulse": Tokens(status=401, refusal={"error": "invalid_token"}),
    "wechat": Tokens(status=200, refusal={"errcode": 42001, "errmsg": "access_token expired"}),
}


@pytest.mark.parametrize("name", REFUSING)
async def test_a_refused_login_is_made_once_more_within_the_same_send(name: str) -> None:
    tokens = REFUSING[name]
    async with living(CASES[name], tokens) as house:
        for number in range(1, 6):
            assert isinstance(await house.send(number), Delivered)
        tokens.valid = 2
        outcomes = await asyncio.gather(*(house.send(number) for number in range(1, 6)))
        assert [type(outcome) for outcome in outcomes] == [Delivered] * 5
        assert house.logins == 2


async def test_a_new_login_that_is_refused_too_suspends_and_costs_no_third() -> None:
    tokens = Tokens(status=401, refusal={})
    async with living(CASES["ringcentral"], tokens) as house:
        await house.send()
        tokens.valid = 9
        assert isinstance(await house.send(), Suspend)
        assert house.logins == 2


async def test_a_recipient_who_is_refused_for_ever_costs_few_logins() -> None:
    tokens = Tokens(status=401, refusal={})
    async with living(CASES["ringcentral"], tokens) as house:
        await house.send()
        tokens.valid = 99
        for number in range(30):
            await house.send(number)
        assert house.logins <= 4


async def test_a_login_is_made_anew_when_its_time_is_up() -> None:
    tokens = Tokens(status=401, refusal={}, lifetime=100)
    async with living(CASES["ringcentral"], tokens) as house:
        now = [0.0]
        house.channel._logins._clock = lambda: now[0]
        await house.send(1)
        now[0], tokens.valid = 89.0, 1
        await house.send(2)
        assert house.logins == 1
        now[0], tokens.valid = 91.0, 2
        for number in (1, 2, 3):
            assert isinstance(await house.send(number), Delivered)
        assert house.logins == 2


@pytest.mark.parametrize("lifetime", [1, 0.001, True, 0, -5])
async def test_no_lifetime_that_a_provider_names_costs_a_login_for_each_send(
    lifetime: object,
) -> None:
    tokens = Tokens(status=200, refusal={"errcode": 42001}, lifetime=lifetime)
    async with living(WECHAT, tokens) as house:
        now = [0.0]
        house.channel._logins._clock = lambda: now[0]
        for second in range(0, 59, 10):
            now[0] = float(second)
            assert isinstance(await house.send(1 + second % 3), Delivered)
        assert house.logins == 1


async def test_a_plugin_that_fails_over_the_answer_to_its_login_has_sent_nothing() -> None:
    async with living(WECHAT, Tokens(status=200, refusal={}, lifetime="nan")) as house:
        assert await house.send(1) == Retry(reason="TypeError in the provider's plugin")


async def test_a_login_that_fails_is_not_kept() -> None:
    good = False

    def says(request: Request) -> ProviderReply:
        if "gettoken" in request.url and not good:
            return ProviderReply(body=b'{"errcode": 40001, "errmsg": "invalid credential"}')
        return answer(request)

    async with living(WECHAT, says) as house:
        assert not isinstance(await house.send(1), Delivered)
        good = True
        assert isinstance(await house.send(1), Delivered)
        assert house.logins == 2


async def test_who_waits_for_a_login_that_fails_fails_with_it() -> None:
    async with living(WECHAT, lambda _: ProviderReply(status=503)) as house:
        outcomes = await asyncio.gather(*(house.send(number) for number in range(5)))
        assert {type(outcome).__name__ for outcome in outcomes} == {"Retry"}
        assert house.logins == 1


async def test_a_send_that_is_cancelled_takes_the_login_from_nobody() -> None:
    release = asyncio.Event()

    class Slow(AiohttpTransport):
        async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
            if "gettoken" in request.url:
                await release.wait()
            return await super().send(request, timeout=timeout)

    async with FakeProvider(answer=answer) as provider:
        transport = Slow(rewrite={"*": provider.url})
        channel = open_any(WECHAT["url"], transport)
        sends = [
            asyncio.create_task(channel.send(make_message(address=f"user{number}")))
            for number in range(3)
        ]
        await asyncio.sleep(0.05)
        sends[0].cancel()
        await asyncio.sleep(0)
        release.set()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert [type(outcome) for outcome in outcomes[1:]] == [Delivered] * 2
        assert sum("gettoken" in request.url for request in provider.requests) == 1
        await channel.aclose()
        await transport.aclose()


async def test_no_two_messages_of_a_login_have_the_same_transaction_id() -> None:
    for url in (CASES["matrix"]["url"], "matrix://syt_token@matrix.example/{to}"):
        case = CASES["matrix"] | {"url": url}
        async with living(case) as house:
            for number in [1, 2, 3, 1, 1, 2]:
                assert isinstance(await house.send(number), Delivered)
            await asyncio.gather(*(house.send(1) for _ in range(3)))
            sent = [r.url for r in house.provider.requests if "/send/m.room.message/" in r.url]
            assert len(sent) == len(set(sent)) == 9


async def test_a_renewed_refresh_token_serves_the_next_login() -> None:
    """KakaoTalk takes an old refresh token no more once it has given a new one."""
    asked: list[bytes] = []

    def says(request: Request) -> ProviderReply:
        if request.url.endswith("/oauth/token"):
            asked.append(request.body)
            given = TAKEN | {"refresh_token": f"fresh{len(asked)}", "expires_in": 100}
            return ProviderReply(body=msgspec.json.encode(given))
        return answer(request)

    async with living(CASES["kakaotalk"], says) as house:
        now = [0.0]
        house.channel._logins._clock = lambda: now[0]
        for second in (0.0, 100.0):
            now[0] = second
            await house.send(1)
    assert [b"refresh_token=refresh" in body for body in asked] == [True, False]
    assert b"fresh1" in asked[1]


async def test_two_channels_share_nothing() -> None:
    async with living(WECHAT) as one, living(WECHAT) as other:
        await one.send()
        await other.send()
        assert (one.logins, other.logins) == (1, 1)
