"""What acceptance tests hand a router's messages to."""

from collections.abc import Iterator

import pytest

from tests.acceptance.webhook_gateway import Gateway, listening


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with listening() as gateway:
        yield gateway
