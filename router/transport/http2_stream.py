"""One request over HTTP/2 and its answer."""

import asyncio

from router.channel import Request, Response, TransportError
from router.transport.http2_frames import Http2ErrorCode, Http2StreamError


class RequestProgress:
    """One request on its way; `sent` says whether it may have reached the provider."""

    sent = False


MAX_BODY_BYTES = 1 << 20
"""Bytes of an answer that are read."""


class UnprocessedError(TransportError):
    """The server has done nothing with the request, so that it may be sent again."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason, sent=False)


class Http2Stream:
    """A request that waits for its answer; `stream` is 0 until it is under way."""

    __slots__ = (
        "answer",
        "began",
        "consumed",
        "headers",
        "pieces",
        "progress",
        "request",
        "status",
        "stream_id",
        "unsent",
        "window",
    )

    def __init__(self, request: Request, progress: RequestProgress) -> None:
        """Wait, on the running loop."""
        self.request = request
        self.progress = progress
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.stream_id = 0
        self.began = 0.0
        self.unsent = memoryview(request.body)
        self.window = 0
        """Bytes of the body that the server has room for; it may be below zero."""
        self.consumed = 0
        """Bytes of the answer that the server has not been told of as read."""
        self.status = 0
        """The answer's status, 0 before it came."""
        self.headers: dict[str, str] = {}
        self.pieces = bytearray()

    def finish(self) -> None:
        """Give the answer to whoever waits; raises `Http2StreamError` where it is not whole."""
        length = self.headers.get("content-length")
        if not self.status or (
            length is not None
            and len(self.pieces) < MAX_BODY_BYTES
            and self.pieces
            and length != str(len(self.pieces))
        ):
            raise Http2StreamError(Http2ErrorCode.PROTOCOL_ERROR)
        if not self.answer.done():
            body = bytes(self.pieces[:MAX_BODY_BYTES])
            self.answer.set_result(Response(status=self.status, headers=self.headers, body=body))

    def fail(self, error: TransportError) -> None:
        """Tell whoever waits that no answer comes."""
        if not self.answer.done():
            self.answer.set_exception(error)
