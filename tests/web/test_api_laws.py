"""Whatever the API is sent, it serves it or tells what is wrong with it."""

import asyncio
import json
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from router.core.model.payload import Json
from tests.web.harness import OPERATOR, RULES, Harness, open_harness
from tests.web.json_values import values

TARGETS = {
    ("PUT", "recipients/bob"): [
        *("appId", "contacts", "attributes", "timezone", "locale", "muted", "optOuts", "other")
    ],
    ("PUT", "recipients/bob/devices"): [
        *("appId", "platform", "token", "subscription", "authToken", "providerId", "locale")
    ],
    ("POST", "recipients/bob/logout"): ["authToken", "appId"],
    ("POST", "dead-letters/retry"): ["ids", "filter"],
    ("POST", "dead-letters/drop"): ["ids", "filter"],
    ("POST", "rules/explain"): ["trigger", "webhook", "data", "appId"],
}
likely = st.one_of(
    values,
    st.dictionaries(st.sampled_from(["email", "sms", "endpoint", "keys", "a"]), values, max_size=3),
    st.sampled_from(["app-1", "Europe/Paris", "fr", "android"]),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Json]:
    """Return method, path and body of a request that is nearly right."""
    method, path = draw(st.sampled_from(sorted(TARGETS)))
    if draw(st.integers(0, 9)) == 0:
        return method, path, draw(values)
    names = draw(st.lists(st.sampled_from(TARGETS[method, path]), unique=True))
    return method, path, {name: draw(likely) for name in names}


async def send(harness: Harness, method: str, path: str, body: Json) -> int:
    content = json.dumps(body).encode()
    async with harness.client(OPERATOR) as client:
        return (await client.request(method, f"/v1/{path}", content=content)).status_code


def test_no_request_makes_the_api_fail(tmp_path: Path) -> None:
    seen: list[int] = []
    with asyncio.Runner() as runner:
        opening = open_harness(tmp_path, rules=RULES)
        harness = runner.run(opening.__aenter__())

        @settings(
            max_examples=300,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # the database remembers what shrinking would repeat
            suppress_health_check=list(HealthCheck),  # each example asks a whole router
        )
        @given(requests())
        def check(request: tuple[str, str, Json]) -> None:
            status = runner.run(send(harness, *request))
            assert status in {200, 400}, request
            seen.append(status)

        try:
            check()
        finally:
            runner.run(opening.__aexit__(None, None, None))
    assert set(seen) == {200, 400}
