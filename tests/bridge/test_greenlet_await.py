"""Plain code awaits, is called off, and leaks nothing."""

import asyncio
from contextvars import ContextVar

import pytest

from router.bridge.greenlet_await import await_only, in_greenlet, run_sync

NAME: ContextVar[str] = ContextVar("name", default="nobody")


async def echo(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def test_plain_code_gets_what_it_waits_for() -> None:
    assert await run_sync(lambda: [await_only(echo(1)), await_only(echo("two"))]) == [1, "two"]


async def test_code_that_never_waits_returns_at_once() -> None:
    assert await run_sync(lambda: 3) == 3


async def test_what_the_awaitable_raises_is_raised_where_the_code_waits() -> None:
    def work() -> str:
        try:
            await_only(fail(KeyError("x")))
        except KeyError:
            return "caught"
        return "missed"

    assert await run_sync(work) == "caught"


async def test_what_the_code_raises_is_raised_to_its_caller() -> None:
    def work() -> None:
        await_only(echo(1))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run_sync(work)


async def test_outside_of_run_sync_nothing_can_wait() -> None:
    pending = echo(1)
    with pytest.raises(RuntimeError, match="run_sync"):
        await_only(pending)
    pending.close()
    assert not in_greenlet()


async def test_the_code_sees_its_callers_context_and_keeps_its_own_changes() -> None:
    NAME.set("anna")

    def work() -> tuple[str, str]:
        before = NAME.get()
        NAME.set("ben")
        await_only(echo(1))
        return before, NAME.get()

    assert await run_sync(work) == ("anna", "ben")
    assert NAME.get() == "anna"


async def test_what_runs_at_the_same_time_keeps_its_own_context() -> None:
    def work() -> str:
        mine = NAME.get()
        for _ in range(5):
            await_only(echo(1))
            assert NAME.get() == mine
        return mine

    async def travel(name: str) -> str:
        NAME.set(name)
        return await run_sync(work)

    names = [str(n) for n in range(50)]
    assert await asyncio.gather(*(travel(n) for n in names)) == names


async def test_a_run_within_a_run_waits_too() -> None:
    assert await run_sync(lambda: await_only(run_sync(lambda: await_only(echo(7))))) == 7


async def test_calling_off_reaches_the_code_where_it_waits() -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            await_only(asyncio.Event().wait())
        except asyncio.CancelledError:
            seen.append("stopped")
            raise

    task = asyncio.create_task(run_sync(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["stopped"]


async def test_code_that_swallows_the_stop_is_stopped_all_the_same() -> None:
    waits = 0

    def work() -> str:
        nonlocal waits
        for _ in range(3):
            try:
                await_only(asyncio.Event().wait())
            except BaseException:  # noqa: BLE001 - a plugin with a bare except
                waits += 1
        return "done"

    task = asyncio.create_task(run_sync(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waits == 3


async def test_a_time_limit_around_a_run_holds() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_sync(lambda: await_only(asyncio.Event().wait()))
