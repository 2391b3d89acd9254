"""Hours for conditions to ask for, at the time of their subjects."""

from datetime import UTC
from zoneinfo import ZoneInfo

from router.core.conditions.hours import Hours, Window, Zones
from router.core.errors import Place

OFFSETS = {"Asia/Tokyo": 9, "America/New_York": -4, "Europe/Berlin": 1}
"""Hours that the clock of a zone is ahead of UTC then."""
HOURS = Hours(
    windows={
        name: Window(name=name, place=Place("", 1, 1), opens=opens, closes=closes, zone=zone)
        for name, opens, closes, zone in (
            ("day", 8 * 60, 20 * 60, None),
            ("night", 20 * 60, 32 * 60, None),
            ("office", 9 * 60, 17 * 60, UTC),
        )
    },
    zones=Zones((*OFFSETS, "UTC"), lambda name: ZoneInfo(name) if name in OFFSETS else None),
)
