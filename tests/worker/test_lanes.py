"""The order in which lanes give out what waits."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.model.delivery import Delivery
from router.core.model.message import Content
from router.worker.lanes import Lanes, SendJob
from tests.worker.harness import notification


def send_job(
    number: int, lane: str = "a", *, channel: str = "ops", urgent: bool = False
) -> SendJob:
    about = notification(f"n{number:05}", "uid", urgent=urgent, accepted_at=0.0)
    delivery = Delivery(
        id=f"{about.id}-0",
        notification=about.id,
        rule="rule",
        step=0,
        channel=channel,
        lane=lane,
        due_at=0.0,
        expires_at=60.0,
        urgent=urgent,
        content=Content(title="", body=""),
    )
    return SendJob(delivery, about, None)


def test_lanes_take_turns_by_acceptance() -> None:
    lanes = Lanes()
    first, second, third = send_job(1, "a"), send_job(2, "b"), send_job(3, "a")
    for waiting in (third, second, first):
        lanes.put(waiting)

    assert lanes.next("ops") == first
    assert lanes.next("ops") == second
    assert lanes.next("ops") is None
    lanes.release_lane(first)
    assert lanes.next("ops") == third


def test_an_urgent_delivery_overtakes_within_its_lane_and_between_lanes() -> None:
    lanes = Lanes()
    for number in range(3):
        lanes.put(send_job(number, "a"))
        lanes.put(send_job(number + 10, "b"))
    call = send_job(99, "b", urgent=True)
    lanes.put(call)

    assert lanes.next("ops") == call


def test_ordinary_deliveries_stay_while_only_urgent_ones_may_go() -> None:
    lanes = Lanes()
    lanes.put(send_job(1))

    assert lanes.next("ops", urgent_only=True) is None
    assert lanes.waiting("ops") == (1, 1)


def test_the_tenth_delivery_of_a_notification_comes_after_the_second() -> None:
    lanes = Lanes()
    second, tenth = send_job(1, "a"), send_job(1, "b")
    second = second._replace(delivery=replace(second.delivery, id="n00001-2"))
    tenth = tenth._replace(delivery=replace(tenth.delivery, id="n00001-10"))
    lanes.put(tenth)
    lanes.put(second)

    assert lanes.next("ops") == second


def test_what_is_withdrawn_is_gone_and_the_rest_takes_its_turns() -> None:
    lanes = Lanes()
    out, after = send_job(1, "a"), send_job(4, "a")
    alone, first, second = send_job(2, "b"), send_job(3, "c"), send_job(5, "c")
    for each in (out, alone, first, after, second):
        lanes.put(each)
    assert lanes.next("ops") == out
    gone = {alone.delivery.id, first.delivery.id, after.delivery.id, out.delivery.id}
    withdrawn = lanes.remove_matching(lambda each: each.delivery.id in gone)
    assert sorted(each.delivery.id for each in withdrawn) == sorted(gone - {out.delivery.id})
    assert lanes.waiting("ops") == (1, 1)
    assert lanes.next("ops") == second
    lanes.release_lane(out)
    lanes.release_lane(second)
    assert lanes.next("ops") is None
    lanes.put(after)
    assert lanes.next("ops") == after


def test_a_cleared_channel_is_empty_and_can_be_filled_again() -> None:
    lanes = Lanes()
    out, waiting, other = send_job(1), send_job(2), send_job(3, channel="mail")
    for each in (out, waiting, other):
        lanes.put(each)
    assert lanes.next("ops") == out

    assert lanes.clear("ops") == [waiting]
    assert lanes.waiting("ops") == (0, 0)
    again = send_job(4)
    lanes.put(again)
    assert lanes.next("ops") is None
    lanes.release_lane(out)
    assert lanes.next("ops") == again
    assert lanes.next("mail") == other


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("next"), st.just(0), st.booleans()),
        st.tuples(st.just("free"), st.integers(0, 3), st.booleans()),
    ),
    max_size=120,
)


@given(MOVES)
def test_the_best_delivery_of_a_free_lane_is_always_next(
    moves: list[tuple[str, int, bool]],
) -> None:
    lanes = Lanes()
    waiting: list[SendJob] = []
    out: list[SendJob] = []
    for number, (move, which, urgent) in enumerate(moves):
        if move == "put":
            waiting.append(send_job(number, str(which), urgent=urgent))
            lanes.put(waiting[-1])
        elif move == "free" and out:
            lanes.release_lane(out.pop(which % len(out)))
        elif move == "next":
            taken = {handout.delivery.lane for handout in out}
            free = [
                h
                for h in waiting
                if h.delivery.lane not in taken and (h.delivery.urgent or not urgent)
            ]
            best = min(free, key=lambda h: (not h.delivery.urgent, h.delivery.id), default=None)
            assert lanes.next("ops", urgent_only=urgent) == best
            if best is not None:
                waiting.remove(best)
                out.append(best)
        ordinary = sum(not handout.delivery.urgent for handout in waiting)
        assert lanes.waiting("ops") == (len(waiting), ordinary)
