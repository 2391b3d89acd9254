"""A Litestar handler that decodes a payload and answers; it stores nothing."""

from typing import Any

import msgspec
from litestar import Litestar, Request, post
from litestar.datastructures import State

from benchmarks.baselines.serving import serve


class Payload(msgspec.Struct):
    """What is asked of a body."""

    trigger: str
    webhook: str
    data: dict[str, object]


class Accepted(msgspec.Struct):
    """What a payload is answered."""

    message: str


DECODER = msgspec.json.Decoder(Payload)


@post("/webhook", status_code=200)
async def take(request: Request[Any, Any, State]) -> Accepted:
    """Decode and answer."""
    DECODER.decode(await request.body())
    return Accepted(message="accepted")


if __name__ == "__main__":
    serve(Litestar([take], openapi_config=None, logging_config=None))
