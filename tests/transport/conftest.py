from collections.abc import AsyncIterator

import pytest

from router.transport.http import AiohttpTransport
from tests.transport.trusting_client import make_transport


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    opened = make_transport()
    yield opened
    await opened.aclose()
