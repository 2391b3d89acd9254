"""Dead letters: listed, retried and dropped, one by one and in bulk."""

import pytest

from router.core.model.retry import Dead, Done
from router.queue.ports import Settlement
from router.store.db.database import Database
from router.store.errors import CursorInvalid
from router.store.log import dead_letters
from router.store.log.dead_letters import RETRIED_LIFETIME_S, DeadLetterFilter, DeadLetters
from tests.queue.scene import Scene
from tests.store.stage import Waiting


@pytest.fixture
def scene(waiting: Waiting) -> Scene:
    return waiting.scene


@pytest.fixture
def letters(database: Database, scene: Scene) -> DeadLetters:
    return DeadLetters(database, lambda: scene.now)


async def bury(scene: Scene, **fields: object) -> str:
    """Put a delivery and let its only try fail for good."""
    delivery = await scene.put(**fields)
    assert delivery in await scene.claimed()
    dead = Settlement(delivery=delivery, attempt=scene.attempt(delivery), next=Dead("bad number"))
    assert await scene.engine.queue.settle([dead]) == []
    return delivery


async def expire(scene: Scene) -> str:
    delivery = await scene.put(expires_at=scene.now + 1)
    scene.now += 1
    assert await scene.claimed() == []
    return delivery


async def confuse(scene: Scene) -> str:
    accepted = await scene.accept()
    await scene.settle(scene.plan(accepted.id, state="undecidable", reason="deciding raised"))
    return accepted.id


async def test_all_three_kinds_are_listed_newest_first(letters: DeadLetters, scene: Scene) -> None:
    dead, expired, undecidable = await bury(scene), await expire(scene), await confuse(scene)
    await scene.put()
    page = await letters.list()
    assert [(letter.id, letter.state) for letter in page.items] == [
        (undecidable, "undecidable"),
        (expired, "expired"),
        (dead, "dead"),
    ]
    first = page.items[2]
    assert (first.reason, first.rule, first.channel, first.attempts) == (
        "bad number",
        "chat",
        "app",
        1,
    )
    assert (first.recipient, first.app_id, first.accepted_at) == ("bob", "app", scene.now - 1)
    assert first.address == "00…01"
    assert page.items[0].notification == undecidable
    assert await letters.count() == 3


async def test_pages_of_dead_letters_hang_together(letters: DeadLetters, scene: Scene) -> None:
    ids = [await bury(scene), await confuse(scene), await bury(scene), await confuse(scene)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(2):
        page = await letters.list(limit=2, cursor=cursor)
        seen += [letter.id for letter in page.items]
        cursor = page.next
    assert (seen, cursor) == (ids[::-1], None)
    with pytest.raises(CursorInvalid):
        await letters.list(cursor="?")


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (DeadLetterFilter(state="dead"), [1, 0]),
        (DeadLetterFilter(state="expired"), [2]),
        (DeadLetterFilter(state="undecidable"), [3]),
        (DeadLetterFilter(channel="mail"), [1]),
        (DeadLetterFilter(rule="chat"), [2, 1, 0]),
        (DeadLetterFilter(reason="bad number"), [1, 0]),
        (DeadLetterFilter(reason="deciding raised"), [3]),
        (DeadLetterFilter(recipient="bob", app_id="app"), [3, 2, 1, 0]),
        (DeadLetterFilter(recipient="ann"), []),
        (DeadLetterFilter(until=0.0), []),
    ],
)
async def test_dead_letters_are_filtered(
    letters: DeadLetters, scene: Scene, filter_: DeadLetterFilter, expected: list[int]
) -> None:
    ids = [
        await bury(scene),
        await bury(scene, channel="mail"),
        await expire(scene),
        await confuse(scene),
    ]
    page = await letters.list(filter_)
    assert [letter.id for letter in page.items] == [ids[index] for index in expected]
    assert await letters.count(filter_) == len(expected)


async def test_one_dead_letter_can_be_read(letters: DeadLetters, scene: Scene) -> None:
    dead, undecidable, alive = await bury(scene), await confuse(scene), await scene.put()
    for id_, state in ((dead, "dead"), (undecidable, "undecidable")):
        letter = await letters.get(id_)
        assert letter is not None
        assert (letter.id, letter.state) == (id_, state)
    assert await letters.get(alive) is None
    assert await letters.get("unknown") is None


async def test_a_retried_delivery_goes_out_under_its_own_id(
    letters: DeadLetters, scene: Scene
) -> None:
    dead = await bury(scene, expires_at=scene.now + 10)
    scene.now += 1000
    assert await letters.retry([dead]) == 1
    assert await scene.engine.state(dead.rpartition("-")[0]) == "pending"
    again = await scene.engine.delivery(dead)
    assert (again.state, again.attempts, again.reason) == ("waiting", 1, "")
    assert (again.due_at, again.expires_at) == (scene.now, scene.now + RETRIED_LIFETIME_S)
    assert await scene.claimed() == [dead]
    done = Settlement(delivery=dead, attempt=scene.attempt(dead, 2), next=Done(""))
    assert await scene.engine.queue.settle([done]) == []
    assert await scene.engine.state(dead.rpartition("-")[0]) == "delivered"
    assert await letters.count() == 0


async def test_a_crash_loop_can_be_retried(letters: DeadLetters, scene: Scene) -> None:
    delivery = await scene.put()
    for _ in range(3):
        assert await scene.claimed() == [delivery]
        scene.now += 30
    assert await scene.claimed() == []
    assert await letters.retry([delivery]) == 1
    assert await scene.claimed() == [delivery]


async def test_an_undecidable_one_is_decided_again(letters: DeadLetters, scene: Scene) -> None:
    id_ = await confuse(scene)
    assert await scene.engine.journal.unplanned(after="", limit=9) == []
    assert await letters.retry([id_]) == 1
    (again,) = await scene.engine.journal.unplanned(after="", limit=9)
    assert again.id == id_
    await scene.settle(scene.plan(id_, scene.delivery(id_)))
    assert await scene.engine.state(id_) == "pending"


async def test_what_is_dropped_is_closed_for_good(letters: DeadLetters, scene: Scene) -> None:
    dead, undecidable = await bury(scene), await confuse(scene)
    assert await letters.drop([dead, undecidable]) == 2
    assert await letters.count() == 0
    dropped = await scene.engine.delivery(dead)
    assert (dropped.state, dropped.reason) == ("cancelled", "dropped_by_operator")
    assert await scene.engine.state(undecidable) == "dropped"
    assert await letters.retry([dead, undecidable]) == 0


async def test_what_is_alive_is_neither_retried_nor_dropped(
    letters: DeadLetters, scene: Scene
) -> None:
    alive = await scene.put()
    accepted = await scene.accept()
    for change in (letters.retry, letters.drop):
        assert await change([alive, accepted.id, "unknown"]) == 0
    assert (await scene.engine.delivery(alive)).state == "waiting"
    assert await scene.engine.state(accepted.id) == "accepted"


async def test_in_bulk_it_goes_by_steps_and_tells_how_far_it_is(
    letters: DeadLetters, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "CHANGED_PER_TRANSACTION", 2)
    ids = [await bury(scene) for _ in range(3)] + [await confuse(scene)]
    kept = await bury(scene, channel="mail")
    seen: list[int] = []
    assert await letters.retry(DeadLetterFilter(reason="nothing"), seen.append) == 0
    assert await letters.drop(DeadLetterFilter(channel="app"), seen.append) == 3
    assert seen == [2, 3]
    assert await letters.retry([kept, *ids], seen.append) == 2
    assert seen == [2, 3, 1, 1, 2]
    assert await letters.count() == 0
