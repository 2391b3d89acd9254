"""Whatever is sent to the webhook, it is accepted or told what is wrong with it."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from router.core.model.payload import Json
from router.samples import SAMPLE_NAMES, read_sample
from tests.web.harness import Harness, basic, open_harness
from tests.web.json_values import values

BODIES = 10_000
REMOVED = 0.3
"""How often a value goes for good instead of making room for another."""

SAMPLES = [json.dumps(read_sample(name)) for name in SAMPLE_NAMES]
OTHERS = 4
"""Bodies of an example that are no bent sample."""


def bend(sample: str, news: Sequence[Json], dice: Random) -> bytes:
    """Return a documented payload with some of its values replaced by new ones, or removed."""
    payload = json.loads(sample)
    for new in news:
        *path, key = dice.choice(list(places(payload)))
        holder = payload
        for step in path:
            holder = holder[step]
        if dice.random() < REMOVED:
            del holder[key]
        else:
            holder[key] = deepcopy(new)
    return json.dumps(payload).encode()


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in an object or a list, top to bottom."""
    match value:
        case dict():
            inside: list[tuple[str | int, Json]] = list(value.items())
        case list():
            inside = list(enumerate(value))
        case _:
            return
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


async def post_all(harness: Harness, bodies: Sequence[bytes]) -> list[int]:
    return await asyncio.gather(*(post(harness, body) for body in bodies))


async def post(harness: Harness, body: bytes) -> int:
    """Hand a body to the application itself, and return the status it answers."""
    headers = [(name.lower().encode(), text.encode()) for name, text in basic().items()]
    statuses: list[int] = []

    async def receive() -> object:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Mapping[str, int]) -> None:
        if "status" in event:
            statuses.append(event["status"])

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/webhook",
        "headers": headers,
    }
    await harness.app(scope, receive, send)  # type: ignore[arg-type]  # as much as is looked at
    return statuses[0]


def test_no_body_of_ten_thousand_makes_the_router_fail(tmp_path: Path) -> None:
    seen: list[int] = []
    with asyncio.Runner() as runner:
        opening = open_harness(tmp_path)
        harness = runner.run(opening.__aenter__())

        @settings(
            max_examples=BODIES // (len(SAMPLES) + OTHERS) + 1,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # thirty bodies at once are not worth shrinking
            suppress_health_check=list(HealthCheck),  # each example asks a whole router
        )
        @given(
            st.lists(values, min_size=1, max_size=3), st.binary(max_size=60), st.integers(0, 2**32)
        )
        def check(news: list[Json], noise: bytes, seed: int) -> None:
            dice = Random(seed)  # noqa: S311 - nothing secret is drawn
            bodies = [bend(sample, news, dice) for sample in SAMPLES]
            bodies += [json.dumps(new).encode() for new in (news * OTHERS)[: OTHERS - 1]] + [noise]
            statuses = runner.run(post_all(harness, bodies))
            failed = [body for body, status in zip(bodies, statuses, strict=True) if status > 400]
            assert failed == []
            seen.extend(statuses)

        try:
            check()
        finally:
            runner.run(opening.__aexit__(None, None, None))
    assert len(seen) >= BODIES
    assert min(seen.count(200), seen.count(400)) > BODIES // 10
