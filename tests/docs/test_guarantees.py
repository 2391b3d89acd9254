"""The promise of delivery, held against the code."""

import re
from typing import get_args

from router.core.model.delivery import DeliveryState
from router.core.model.outcome import Outcome
from tests.docs.blocks import ROOT
from tests.docs.parts.facts import TABLES

PAGE = (ROOT / "docs/explanation/delivery-guarantees.md").read_text(encoding="utf-8")
TEXT = re.sub(r"^\|.*\n", "", PAGE, flags=re.MULTILINE)
NUMBER = re.compile(r"\b[\d.,]*\d (?:s|ms|min|h|d|seconds|minutes|hours|days|[KMG]i?B)\b")


def test_a_number_in_the_text_is_a_number_of_the_tables() -> None:
    tables = "".join(write() for write in TABLES.values())
    assert [found for found in NUMBER.findall(TEXT) if f" {found} |" not in tables] == []


def test_every_outcome_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", PAGE, re.MULTILINE)
    outcomes = [str(outcome.__struct_config__.tag) for outcome in get_args(Outcome)]
    assert [row for row in rows if row in outcomes] == outcomes


def test_states_and_reasons_it_names_are_those_of_the_code() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "router").rglob("*.py"))
    )
    ends = re.findall(r"`([a-z]+_[a-z_]+)`", TEXT)
    assert len(ends) > 2
    assert [word for word in ends if word.removesuffix("_total") not in source] == []
    for state in ("expired", "suppressed", "dead"):
        assert state in get_args(DeliveryState)
        assert state in TEXT.lower()
