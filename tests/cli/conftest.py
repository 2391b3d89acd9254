import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo what a verb that logs does to the logging of this process."""
    root, ours = logging.getLogger(), logging.getLogger("router")
    before = root.handlers, root.level, ours.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level, ours.level = before
