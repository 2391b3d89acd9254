"""A transport that opens no socket: the channel plugin supplies the provider's answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TypeVar

import structlog
from msgspec import Struct

from router.channel import Request, Response, TransportError
from router.redaction import Redactor
from router.transport.error_text import TIMED_OUT

_R = TypeVar("_R", Response, None)


class RecordedExchange(Struct, frozen=True, kw_only=True):
    """A request that would have gone out, with its secrets masked, and its answer.

    `response` is None where a fault replaced the answer. `delivery` is the id that the worker
    binds, empty where no worker sends.
    """

    delivery: str
    channel: str
    request: Request
    response: Response | None


class InjectedFault(Struct, frozen=True, kw_only=True):
    """A simulated fault: wait `delay` seconds, then reset the connection or answer `status`."""

    status: int | None = None
    delay: float = 0.0
    reset: bool = False
    retry_after: float | None = None


class SandboxTransport:
    """Answers with the response that the channel declares for its provider; records each exchange.

    `secrets` are masked in the records. `faults` is looked up by channel on each request, so that
    it may change at run time.
    """

    is_live = False

    def __init__(  # noqa: PLR0913 - each says one thing of the sandbox
        self,
        answer: Callable[[Request], Response],
        record: Callable[[RecordedExchange], None],
        *,
        channel: str,
        secrets: Iterable[str] = (),
        faults: Mapping[str, InjectedFault] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._answer = answer
        self._record = record
        self._channel = channel
        self._redactor = Redactor(secrets)
        self._faults = {} if faults is None else faults
        self._sleep = sleep

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Return the provider's would-be answer, or raise `TransportError` for a fault."""
        fault = self._faults.get(self._channel)
        if fault is None:
            return self._record_exchange(request, self._answer(request))
        await self._sleep(min(fault.delay, timeout))
        if fault.reset or fault.delay > timeout:
            self._record_exchange(request, None)
            reason = TIMED_OUT if fault.delay > timeout else "the connection was reset"
            raise TransportError(reason, sent=True)
        return self._record_exchange(request, _apply_fault(fault, request, self._answer))

    def _record_exchange(self, request: Request, response: _R) -> _R:
        delivery = structlog.contextvars.get_contextvars().get("delivery", "")
        exchange = RecordedExchange(
            delivery=str(delivery),
            channel=self._channel,
            request=self._redactor.mask_request(request),
            response=response,
        )
        self._record(exchange)
        return response


def _apply_fault(
    fault: InjectedFault, request: Request, answer: Callable[[Request], Response]
) -> Response:
    if fault.status is None and fault.retry_after is None:
        return answer(request)
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    return Response(status=fault.status or HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
