"""Plugins of Apprise run unmodified over the bridge, one case a service."""

import msgspec
import pytest

from router.testing import FakeProvider, ProviderReply
from router.transport.http import AiohttpTransport
from tests import TESTDATA
from tests.bridge.apprise_plugins import build, notify

CASES: dict[str, dict[str, str]] = msgspec.json.decode((TESTDATA / "services.json").read_bytes())


@pytest.mark.parametrize("name", CASES)
async def test_a_service_gets_its_message_and_a_refusal_is_seen(name: str) -> None:
    case = CASES[name]
    good = ProviderReply(
        status=int(case.get("status", "200")),
        body=case.get("answer", "{}").encode(),
        headers={"Content-Type": "application/json"},
    )
    async with FakeProvider(answer=lambda _: good) as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        done, exchanges = await notify(build(case["url"]), transport)
        assert done, exchanges
        assert provider.requests
        assert case["host"] in provider.requests[-1].url
        assert any(b"Lunch" in r.body or "Lunch" in r.url for r in provider.requests)
        await transport.aclose()
    async with FakeProvider(answer=lambda _: ProviderReply(status=429)) as provider:
        transport = AiohttpTransport(rewrite={"*": provider.url})
        refused, exchanges = await notify(build(case["url"]), transport)
        assert not refused
        assert exchanges[-1].status == 429
        await transport.aclose()
