"""What was just planned is sent without reading it back, as long as it is remembered."""

from collections.abc import Sequence

import pytest

from router.core.model.delivery import Delivery
from router.core.model.message import Content
from router.core.model.notification import Notification
from router.worker import load_deliveries
from router.worker.load_deliveries import (
    MIN_REMEMBERED_S,
    DeliveryLoader,
    KnownDeliveries,
    LoadedDelivery,
)
from tests.core.notifications import push


class Rows:
    """Notes of whom it is told that they are known; some cannot be read."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.known: list[set[str]] = []
        self.unreadable: set[str] = set()
        self.reading = DeliveryLoader(self.read, lambda: self.now)

    async def read(self, ids: Sequence[str], known: KnownDeliveries) -> list[LoadedDelivery]:
        if self.unreadable & set(ids):
            raise ValueError("a row of another version")
        self.known.append(set(known))
        return [(*plan(id_), None) for id_ in ids]

    def remember(self, *ids: str) -> None:
        for id_ in ids:
            self.reading.remember(*plan(id_))


def plan(id_: str) -> tuple[Delivery, Notification]:
    notification = push()
    return (
        Delivery(
            id=id_,
            notification=notification.id,
            rule="all",
            step=0,
            channel="ops",
            due_at=0.0,
            expires_at=9e9,
            content=Content(title="Ann", body="hello"),
        ),
        notification,
    )


async def test_what_is_remembered_is_known_once() -> None:
    rows = Rows()
    rows.remember("a", "b")
    found, unreadable = await rows.reading.load(["a", "c"])
    assert ([handed[0].id for handed in found], unreadable) == (["a", "c"], ())
    await rows.reading.load(["a", "b"])
    assert rows.known == [{"a"}, {"b"}], "after a try the row is what counts"


async def test_the_first_to_wait_are_remembered_until_they_are_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_deliveries, "MAX_REMEMBERED", 2)
    rows = Rows()
    rows.remember("a", "b", "c")
    rows.now += MIN_REMEMBERED_S
    rows.remember("d")
    await rows.reading.load(["a", "b", "c", "d"])
    assert rows.known == [{"b", "d"}]


async def test_what_cannot_be_read_does_not_hold_up_the_others() -> None:
    rows = Rows()
    rows.unreadable = {"b"}
    found, unreadable = await rows.reading.load(["a", "b", "c"])
    assert ([handed[0].id for handed in found], unreadable) == (["a", "c"], ["b"])
