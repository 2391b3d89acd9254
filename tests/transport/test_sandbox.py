"""The sandbox answers, records and fails as it is told."""

import asyncio

import pytest
import structlog

from router.bridge import (
    InjectedFault,
    RecordedExchange,
    Request,
    Response,
    SandboxTransport,
    TransportError,
)

REQUEST = Request(
    method="POST",
    url="https://api.example.com/hunter2hunter2",
    headers={"Authorization": "Bearer x"},
    body=b"hello",
)


async def send(
    fault: InjectedFault | None = None, *, seconds: float = 5.0
) -> tuple[list[RecordedExchange], list[float], Response]:
    """Send one request into a sandbox with a fault."""
    recorded: list[RecordedExchange] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    transport = SandboxTransport(
        lambda _: Response(status=201, body=b"taken"),
        recorded.append,
        channel="chat",
        secrets=["hunter2hunter2"],
        faults={} if fault is None else {"chat": fault, "other": InjectedFault(status=404)},
        sleep=sleep,
    )
    try:
        return recorded, slept, await transport.send(REQUEST, timeout=seconds)
    except TransportError as error:
        error.__notes__ = [repr(recorded), repr(slept)]
        raise


async def test_it_answers_as_the_channel_says_and_records_both() -> None:
    structlog.contextvars.bind_contextvars(delivery="n-0")
    recorded, _, response = await send()
    structlog.contextvars.clear_contextvars()
    assert response == Response(status=201, body=b"taken")
    shown = Request(
        method="POST",
        url="https://api.example.com/…",
        headers={"Authorization": "…"},
        body=b"hello",
    )
    expected = RecordedExchange(delivery="n-0", channel="chat", request=shown, response=response)
    assert recorded == [expected]


async def test_outside_of_a_delivery_none_is_named() -> None:
    recorded, _, _ = await send()
    assert recorded[0].delivery == ""


async def test_a_fault_answers_with_its_status() -> None:
    _, _, response = await send(InjectedFault(status=503))
    assert (response.status, response.headers) == (503, {})


async def test_a_fault_may_ask_to_wait() -> None:
    _, _, response = await send(InjectedFault(retry_after=7.0))
    assert (response.status, response.headers) == (429, {"retry-after": "7"})


async def test_a_fault_delays_and_then_answers() -> None:
    recorded, slept, response = await send(InjectedFault(delay=2.0))
    assert (slept, response.status, len(recorded)) == ([2.0], 201, 1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (InjectedFault(delay=9.0), "timed out"),
        (InjectedFault(reset=True), "the connection was reset"),
    ],
)
async def test_a_fault_takes_the_answer_away(fault: InjectedFault, reason: str) -> None:
    with pytest.raises(TransportError) as caught:
        await send(fault)
    assert (caught.value.reason, caught.value.sent) == (reason, True)
    assert "response=None" in caught.value.__notes__[0]


async def test_a_delay_lasts_no_longer_than_the_send() -> None:
    with pytest.raises(TransportError) as caught:
        await send(InjectedFault(delay=60.0), seconds=0.5)
    assert caught.value.__notes__[1] == "[0.5]"


async def test_faults_may_come_and_go() -> None:
    faults: dict[str, InjectedFault] = {}
    transport = SandboxTransport(
        lambda _: Response(status=200), lambda _: None, channel="chat", faults=faults
    )
    assert (await transport.send(REQUEST, timeout=5)).status == 200
    faults["chat"] = InjectedFault(status=500)
    assert (await transport.send(REQUEST, timeout=5)).status == 500
    del faults["chat"]
    assert (await transport.send(REQUEST, timeout=5)).status == 200


def test_it_reaches_nobody() -> None:
    assert not SandboxTransport(lambda _: Response(status=200), print, channel="chat").is_live
