"""The group-commit writer: whatever came while the last commit ran is the next one."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Generic, TypeVar

import structlog
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from router.store.db.connection import WriteConnection
from router.store.db.give_up import FutureTimeouts
from router.store.errors import StoreUnavailable
from router.store.state.endings import EndedDelivery, count_ended, drop_ended, take_ended

_log = structlog.get_logger(__name__)

Item = TypeVar("Item")
R = TypeVar("R")
T = TypeVar("T")


MAX_COMMIT_TRIES = 3
"""How often a commit is tried that the database undoes in favour of another."""

_SERIALIZATION_CONFLICTS = {"0A000", "40001", "40P01"}
"""A statement prepared before the tables changed, a conflict, a deadlock: nothing was written.

The codes of PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
_UNAVAILABLE_SQLSTATES = {"08", "25", "40", "53", "54", "55", "57", "58", "XX"}
"""Classes of codes with which it says that it cannot, whatever the rows."""


class WriteOrder(IntEnum):
    """In which order the operations of a commit are done."""

    ACCEPT = 0
    SETTLE = 1
    PLAN = 2
    REST = 3


class WriteOperation(Struct, Generic[Item, R], frozen=True, kw_only=True):
    """Something the writer does to many items at once.

    `apply` gets the open transaction and the items, and returns one result an item. It may be
    called again with fewer of them when a row among them is bad, so it changes nothing else.
    `batch` is the most items of one commit; beyond `queue` waiting ones more are refused, and
    after `patience` seconds an item is given up: withdrawn, unless its commit has begun.
    """

    name: str
    rank: WriteOrder
    apply: Callable[[Connection, Sequence[Item]], Sequence[R]]
    batch: int = 500
    queue: int | None = None
    patience: float | None = None


class _WriteJob(Struct, kw_only=True, eq=False):
    item: Any
    future: asyncio.Future[Any]


class GroupCommitWriter:
    """The one way to change the database: operations of many callers in one commit.

    It does not linger: a lone item is committed at once, and the busier it is the more items
    share a commit. A bad row fails alone. When a commit fails, everybody in it is told so and
    nothing is tried again, because what became of it may be unknown; unless it was undone in
    favour of another process.
    """

    def __init__(self, line: WriteConnection) -> None:
        """Write over a line."""
        self._line = line
        self._queues: dict[WriteOperation[Any, Any], deque[_WriteJob]] = {}
        self._watches: dict[float, FutureTimeouts] = {}
        self._wanted = asyncio.Event()
        self._closing = False
        self.accepted: Callable[[int], None] = lambda _: None
        """Told with how many notifications each commit of some accepted."""
        self.unawaited: Callable[[], None] = lambda: None
        """Told when a commit accepted some that had been given up: nobody else knows of them."""
        self.ended: Callable[[Sequence[EndedDelivery]], None] = lambda _: None
        """Told of the deliveries that a commit ended without their being delivered."""
        self._task = asyncio.create_task(self._run(), name="writer")

    async def put(self, operation: WriteOperation[Item, R], item: Item) -> R:
        """Return the item's result once it is committed.

        Raises `StoreUnavailable` when it is not, or the error of its own row. Who stops waiting
        withdraws the item, unless its commit has begun.
        """
        return await self._enqueue(operation, item)

    async def put_all(
        self, operation: WriteOperation[Item, R], items: Sequence[Item]
    ) -> list[R | Exception]:
        """Return each item's result or error once all are committed or have failed."""
        futures = [self._enqueue(operation, item) for item in items]
        results = await asyncio.gather(*futures, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, Exception):
                raise result
        return results  # type: ignore[return-value]  # what is no Exception was raised above

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Return what some work gives, once it is committed; raises as `put` does."""
        return await self.put(_WORK, work)

    async def close(self) -> None:
        """Commit what waits, and stop."""
        self._closing = True
        self._wanted.set()
        await self._task
        await self._line.close()

    def _enqueue(self, operation: WriteOperation[Item, R], item: Item) -> asyncio.Future[R]:
        if self._closing or self._task.done():
            raise StoreUnavailable("the database is closed")
        queue = self._queues.get(operation)
        if queue is None:
            queue = self._queues[operation] = deque()
            self._queues = dict(sorted(self._queues.items(), key=lambda pair: pair[0].rank))
        if operation.queue is not None and len(queue) >= operation.queue:
            raise StoreUnavailable(f"too many writes are waiting: {len(queue)}")
        job = _WriteJob(item=item, future=asyncio.get_running_loop().create_future())
        queue.append(job)
        if operation.patience is not None:
            self._watch(job.future, operation.patience)
        self._wanted.set()
        return job.future

    def _watch(self, future: asyncio.Future[Any], patience: float) -> None:
        watch = self._watches.get(patience)
        if watch is None:
            watch = self._watches[patience] = FutureTimeouts(patience)
        watch.add(future)

    async def _run(self) -> None:
        while not (self._closing and not any(self._queues.values())):
            await self._wanted.wait()
            batch = self._take()
            if batch:
                await self._commit(batch)
            elif not self._closing:
                # Cleared only when nothing waits: what came during the commit is the next batch.
                self._wanted.clear()

    def _take(self) -> "_Batch":
        """Return what the next commit is made of; the withdrawn are gone from here on."""
        batch: _Batch = []
        for operation, queue in self._queues.items():
            jobs: list[_WriteJob] = []
            while queue and len(jobs) < operation.batch:
                job = queue.popleft()
                # The last moment to withdraw: once a commit carries it, it may become durable
                # whether or not its caller still waits.
                if not job.future.done():
                    jobs.append(job)
            if jobs:
                batch.append((operation, jobs))
        return batch

    async def _commit(self, batch: "_Batch") -> None:
        try:
            results = await self._perform(lambda connection: _apply(connection, batch))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' to know
            # Everything was rolled back, so the others can be committed without the bad row.
            if _blames_data(error):
                _log.warning("batch commit failed, retrying singly", error=type(error).__name__)
                await self._commit_singly(batch)
                return
            _fail(batch, error)
            return
        self._answer(batch, results)

    async def _commit_singly(self, batch: "_Batch") -> None:
        """Commit the batch again, each item in a savepoint, so that only the culprit fails."""
        try:
            results = await self._perform(lambda connection: _apply_singly(connection, batch))
        except Exception as error:  # noqa: BLE001 - as above
            _fail(batch, error)
            return
        self._answer(batch, results)

    def _answer(self, batch: "_Batch", results: Sequence[Any]) -> None:
        accepted = [
            job for operation, jobs in batch if operation.rank is WriteOrder.ACCEPT for job in jobs
        ]
        # Asked before the answers are given, which make every future done.
        is_late = any(job.future.done() for job in accepted)
        _answer(batch, results)
        if accepted:
            self.accepted(len(accepted))
        if is_late:
            self.unawaited()

    async def _perform(self, work: Callable[[Connection], list[Any]]) -> list[Any]:
        def work_and_note(connection: Connection) -> tuple[list[Any], list[EndedDelivery]]:
            drop_ended(connection, 0)  # of a transaction that was undone
            return work(connection), take_ended(connection)

        results, ended = await self._commit_in_spite(work_and_note)
        if ended:
            self.ended(ended)
        return results

    async def _commit_in_spite(self, work: Callable[[Connection], T]) -> T:
        """Return what the work gives, tried again where it was undone in favour of another."""
        for _ in range(MAX_COMMIT_TRIES - 1):
            try:
                return await self._line.commit(work)
            except DBAPIError as error:
                if _sqlstate(error) not in _SERIALIZATION_CONFLICTS:
                    raise
                _log.info("serialization conflict, retrying", sqlstate=_sqlstate(error))
        return await self._line.commit(work)


_Batch = list[tuple[WriteOperation[Any, Any], list[_WriteJob]]]


def _do_work(connection: Connection, works: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    return [work(connection) for work in works]


_WORK: WriteOperation[Callable[[Connection], Any], Any] = WriteOperation(
    name="work", rank=WriteOrder.REST, apply=_do_work, batch=50
)


def _apply(connection: Connection, batch: _Batch) -> list[Any]:
    results: list[Any] = []
    for operation, jobs in batch:
        results += operation.apply(connection, [job.item for job in jobs])
    return results


def _apply_singly(connection: Connection, batch: _Batch) -> list[Any]:
    results: list[Any] = []
    for operation, jobs in batch:
        for job in jobs:
            ended = count_ended(connection)
            try:
                with connection.begin_nested():
                    results += operation.apply(connection, [job.item])
            except Exception as error:
                if not _blames_data(error):
                    raise
                drop_ended(connection, ended)
                results.append(_FailedItem(error))
    return results


class _FailedItem(Struct, frozen=True):
    error: Exception


def _blames_data(error: Exception) -> bool:
    """Return whether an item is to blame and not the database."""
    if isinstance(error, OperationalError | StoreUnavailable | OSError):
        return False
    if isinstance(error, DBAPIError):
        return (
            not error.connection_invalidated and _sqlstate(error)[:2] not in _UNAVAILABLE_SQLSTATES
        )
    return True


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _answer(batch: _Batch, results: Sequence[Any]) -> None:
    jobs = [job for _, jobs in batch for job in jobs]
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, _FailedItem):
            job.future.set_exception(result.error)
        else:
            job.future.set_result(result)


def _fail(batch: _Batch, error: Exception) -> None:
    for _, jobs in batch:
        for job in jobs:
            if not job.future.done():
                unavailable = StoreUnavailable(f"nothing was written: {_first_line(error)}")
                unavailable.__cause__ = error
                job.future.set_exception(unavailable)


def _first_line(error: Exception) -> str:
    """Return what the driver said, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).splitlines()
    return lines[0] if lines else type(cause).__name__
