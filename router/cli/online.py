"""What a verb needs that talks to a running router: its address, its credentials, a session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from router.settings import Environment

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where to listen, not where to call


def address(environment: Environment) -> str:
    """Return the base URL at which a router with these settings is reached from its machine."""
    return f"http://{_ANY.get(environment.host, environment.host)}:{environment.port}"


@asynccontextmanager
async def webhook(environment: Environment, url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session that posts to the webhook with the credentials CometChat would send."""
    auth = None
    if environment.webhook_password is not None:
        password = environment.webhook_password.reveal()
        auth = aiohttp.BasicAuth(environment.webhook_user, password, encoding="utf-8")
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(url, auth=auth, timeout=timeout) as session:
        yield session
