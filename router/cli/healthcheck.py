"""`router healthcheck`: is a running router well?"""

import asyncio

import aiohttp
import click

from router.cli.offline import fail, load_environment
from router.cli.online import address


@click.command(name="healthcheck")
@click.option("--url", help="The router's address; default: from ROUTER_HOST and ROUTER_PORT.")
@click.option("--live", is_flag=True, help="Ask only whether the process answers.")
def command(url: str | None, *, live: bool) -> None:
    """Ask a running router whether it is ready; exit status 1 when it is not."""
    if url is None:
        url = address(load_environment())
    path = "/health/live" if live else "/health/ready"
    status, text = asyncio.run(_ask(url.rstrip("/") + path))
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        fail(f"{url}{path}: {text}")
    click.echo(text)


async def _ask(url: str) -> tuple[int, str]:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
            session.get(url) as answer,
        ):
            return answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return 0, f"no answer ({type(error).__name__})"
