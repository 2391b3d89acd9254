"""What a verb needs that talks to a running router: its credentials, a session."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from router.channel import Secret
from router.settings import Environment
from router.web.signature import Signer


@asynccontextmanager
async def webhook(environment: Environment, url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session that posts to the webhook with the credentials CometChat would send."""
    headers = {}
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
    if environment.webhook_password is not None:
        password = environment.webhook_password.reveal()
        headers["Authorization"] = aiohttp.encode_basic_auth(environment.webhook_user, password)
    elif environment.webhook_secret is not None:
        middlewares = [_signing(environment.webhook_secret, environment.webhook_signature_header)]
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(
        url, headers=headers, timeout=timeout, middlewares=middlewares
    ) as session:
        yield session


def _signing(secret: Secret, header: str) -> aiohttp.ClientMiddlewareType:
    signer = Signer(secret)

    async def sign(
        request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        body = request.body if isinstance(request.body, bytes) else await request.body.as_bytes()
        request.headers[header] = signer.sign(body).hex()
        return await send(request)

    return sign
