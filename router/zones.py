"""The time zones of this machine."""

from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from router.core.conditions.hours import Zones


@cache
def zone_names() -> frozenset[str]:
    """Return the IANA names this machine knows; read once, since that takes a while."""
    return frozenset({"UTC", *available_timezones()})


def find_zone(name: str) -> tzinfo | None:
    """Return the zone of an IANA name, None for one unknown."""
    if name == "UTC":
        return UTC
    return ZoneInfo(name) if name in zone_names() else None


def read_zones() -> Zones:
    """Return every time zone there is."""
    return Zones(zone_names(), find_zone)
