"""Any JSON value, with those that are known to hurt more often than chance gives them."""

from hypothesis import strategies as st

from router.core.model.payload import Json

leaves: st.SearchStrategy[Json] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**26), max_value=10**26),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(["\0", "custom", "group", "user", "call", "message", "action", "9" * 30]),
)
values: st.SearchStrategy[Json] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
