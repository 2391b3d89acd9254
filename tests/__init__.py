"""The tests, laid out as the packages of the router are."""

from pathlib import Path

import router.samples

ROOT = Path(__file__).parent.parent
"""The repository."""

TESTDATA = ROOT / "tests" / "testdata"
"""Tables of cases, one row or file each, that take another without a line of code."""

SAMPLES = Path(router.samples.__file__).parent
"""The payloads that CometChat's documentation shows."""
