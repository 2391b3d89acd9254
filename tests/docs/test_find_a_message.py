"""Every state and every reason that can be met is explained."""

import re
from typing import get_args

from router.core.model.delivery import DeliveryState, NotificationState
from router.queue.ports import CAUSES
from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/howto/trace-a-message.md").read_text(encoding="utf-8")
SOURCE = "".join(
    path.read_text(encoding="utf-8")
    for folder in ("core", "queue", "worker", "store")
    for path in sorted((ROOT / "router" / folder).rglob("*.py"))
)
REASONS = (
    r'\b(?:Dead|Expired|Cancelled)\("([^"]+)"',
    r'\bHold\([^\n]*, "(\w+)"\)',
    r'\bsuppression="(\w+)"',
    r'\bend_deliveries\([^\n]*, "(?:dead|expired|cancelled)", "([^"]+)", ',
    r'\breason="(\w+)"\)',
    r'\bTOO_OLD_REASON = "([^"]+)"',
    r'\breturn "(no_\w+)"',
    r'\breason = "(\w+)"',
)


def test_every_cause_that_holds_a_channel_has_its_row() -> None:
    page = (ROOT / "docs/howto/pause-a-channel.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(CAUSES)


def test_every_state_has_its_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {*get_args(NotificationState), *get_args(DeliveryState)} <= rows


def test_every_reason_the_code_gives_is_explained() -> None:
    given = [re.findall(pattern, SOURCE) for pattern in REASONS]
    assert all(given), "a pattern finds nothing any more"
    missing = [reason for found in given for reason in found if f"`{reason}`" not in PAGE]
    assert missing == []
