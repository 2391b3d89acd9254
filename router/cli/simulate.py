"""`router simulate`: post sample payloads to a running router, as CometChat would."""

import asyncio
import os
import sys
import time

import aiohttp
import click

from router.cli.environment import address, fail, load_environment
from router.cli.online import webhook
from router.core.model.payload import Json
from router.samples import SAMPLE_NAMES, SampleUnknown, read_sample, restamp
from router.settings import Environment


@click.command(name="simulate")
@click.argument("names", nargs=-1)
@click.option("--url", help="URL of the router; default: from ROUTER_HOST and ROUTER_PORT.")
@click.option("--uid", help="Recipient to use in place of the one in the sample.")
@click.option("--list", "listing", is_flag=True, help="List the samples, and post nothing.")
def command(names: tuple[str, ...], url: str | None, uid: str | None, *, listing: bool) -> None:
    """Post the samples NAMES (default: all) to a running router.

    Their ids and times are new, so that none is a duplicate of an earlier run. Exit status 1 if
    one is not accepted.
    """
    if listing:
        click.echo("\n".join(SAMPLE_NAMES))
        return
    environment = load_environment()
    try:
        samples = {name: read_sample(name) for name in names or SAMPLE_NAMES}
    except SampleUnknown as error:
        raise click.BadParameter(str(error), param_hint="NAMES") from None
    for payload in samples.values():
        data = payload.get("data")
        if uid and isinstance(data, dict):
            data["to"] = {**_mapping(data.get("to")), "uid": uid}
    base = url or address(environment)
    accepted = asyncio.run(_post(environment, base, samples))
    sys.exit(0 if accepted == len(samples) else 1)


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


async def _post(environment: Environment, url: str, samples: dict[str, dict[str, Json]]) -> int:
    story = os.urandom(8).hex()
    accepted = 0
    async with webhook(environment, url) as session:
        for name, payload in samples.items():
            body = restamp(payload, now=time.time(), story=story)
            try:
                async with session.post("/webhook", json=body) as answer:
                    text = await answer.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                fail(f"{url}: no answer ({type(error).__name__}); is `router serve` running?")
            accepted += answer.ok
            click.echo(f"{answer.status} {name} {text}")
    return accepted
