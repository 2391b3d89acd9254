"""Ids grow with time, whatever the clock does."""

from hypothesis import given
from hypothesis import strategies as st

from router.store.schema.ids import IdGenerator, first_id_at

moments = st.floats(0, 4e9, allow_nan=False)
throws = st.floats(0, 1, exclude_max=True, allow_nan=False)


@given(st.lists(st.tuples(moments, throws), min_size=2))
def test_each_id_is_greater_than_the_one_before(steps: list[tuple[float, float]]) -> None:
    dice = iter([throw for _, throw in steps for _ in range(2)])
    minter = IdGenerator(lambda: next(dice))
    ids = [minter.mint(now) for now, _ in steps]
    assert ids == sorted(set(ids))
    assert {len(id_) for id_ in ids} == {28}
    assert all(id_ == id_.lower() and id_.isalnum() for id_ in ids)


@given(moments, moments, throws)
def test_a_floor_parts_what_came_before_from_what_came_after(
    time: float, other: float, throw: float
) -> None:
    id_ = IdGenerator(lambda: throw).mint(time)
    assert (id_ >= first_id_at(other)) is (int(time * 1000) >= int(other * 1000))


def test_two_processes_mint_different_ids_in_the_same_moment() -> None:
    one, other = IdGenerator(lambda: 0.25), IdGenerator(lambda: 0.75)
    assert one.mint(1.0) != other.mint(1.0)
