import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.model.byte_order_mark import skip_byte_order_mark

MARK = "\ufeff"


@given(text=st.text().filter(lambda text: not text.startswith(MARK)))
def test_a_mark_at_the_beginning_is_left_out_and_nothing_else(text: str) -> None:
    assert skip_byte_order_mark(MARK + text) == skip_byte_order_mark(text) == text


@pytest.mark.parametrize("text", ["", "{}", '{"a": "\ufeff"}'])
def test_bytes_are_read_as_utf_8(text: str) -> None:
    assert skip_byte_order_mark((MARK + text).encode()) == text.encode()
