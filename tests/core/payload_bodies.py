"""Request bodies as Hypothesis makes them: free JSON, free bytes, and spoilt samples."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st

from router.core.model.payload import Json
from router.samples import SAMPLE_NAMES
from tests.core.notifications import sample

Draw = Callable[[st.SearchStrategy[Any]], Any]

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["secret", "uid", "name", "a", "b"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def spoil(value: Json, draw: Draw) -> Json:
    """Return a value with one part of it, somewhere, gone or exchanged."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 5)):
        whole: Any = value
        at = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        if draw(st.integers(0, 7)):
            whole[at] = spoil(whole[at], draw)
        else:
            del whole[at]
        return value
    spoilt: Json = draw(json_values | st.just(str(value)))
    return spoilt


@st.composite
def bodies(draw: Draw) -> bytes:
    """Make free JSON, free bytes, and samples with up to four things wrong."""
    if not draw(st.integers(0, 4)):
        return bytes(draw(st.binary(max_size=60) | json_values.map(msgspec.json.encode)))
    body = json.loads(sample(draw(st.sampled_from(SAMPLE_NAMES))))
    for _ in range(draw(st.integers(1, 4))):
        body = spoil(body, draw)
    encoded = json.dumps(body).encode()
    return encoded[: draw(st.integers(0, len(encoded)))] if not draw(st.integers(0, 9)) else encoded
