from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.core.conditions.hours import DAYS, MINUTES_OF_DAY, Calendar, Hours, Window, Zones
from router.core.errors import Place
from router.core.model.facts import Contact, Device, Recipient

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
ALL = frozenset(range(7))
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def minutes(time: str) -> int:
    hours, _, rest = time.partition(":")
    return int(hours) * 60 + int(rest)


def window(
    opens: str, closes: str, days: str = " ".join(DAYS), zone: tzinfo | None = UTC
) -> Window:
    start, end = minutes(opens), minutes(closes)
    return Window(
        name="window",
        place=Place("", 1, 1),
        opens=start,
        closes=end if end > start else end + MINUTES_OF_DAY,
        days=frozenset(DAYS.index(day) for day in days.split()),
        zone=zone,
    )


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def span(of: Window, around: str, zone: tzinfo) -> tuple[str, str]:
    """Return when a window that is open at a time opened, and when it ends, in UTC."""
    found = at(around)
    assert of.contains(found, zone)
    start = found
    while of.contains(start - MINUTE, zone):
        start -= MINUTE
    assert start == found or not of.contains(start - 1, zone)
    end = of.ends(found, zone)
    return datetime.fromtimestamp(start, UTC).isoformat(), datetime.fromtimestamp(
        end, UTC
    ).isoformat()


@pytest.mark.parametrize(
    ("zone", "around", "opened", "ended"),
    [
        # The clock jumps from 02:00 to 03:00: these nights have eight hours.
        (BERLIN, "2026-03-29T00:00+00:00", "2026-03-28T21:00:00", "2026-03-29T05:00:00"),
        (NEW_YORK, "2026-03-08T06:00+00:00", "2026-03-08T03:00:00", "2026-03-08T11:00:00"),
        # From 03:00 (02:00 in New York) back by an hour: these have ten.
        (BERLIN, "2026-10-25T00:00+00:00", "2026-10-24T20:00:00", "2026-10-25T06:00:00"),
        (NEW_YORK, "2026-11-01T05:00+00:00", "2026-11-01T02:00:00", "2026-11-01T12:00:00"),
        # By half an hour.
        (LORD_HOWE, "2026-10-03T14:00+00:00", "2026-10-03T11:30:00", "2026-10-03T20:00:00"),
        (LORD_HOWE, "2026-04-04T14:00+00:00", "2026-04-04T11:00:00", "2026-04-04T20:30:00"),
    ],
)
def test_a_night_of_daylight_saving_opens_and_ends_by_the_clock(
    zone: tzinfo, around: str, opened: str, ended: str
) -> None:
    night = window("22:00", "07:00")
    assert span(night, around, zone) == (f"{opened}+00:00", f"{ended}+00:00")


@pytest.mark.parametrize(
    ("zone", "jump", "first", "last"),
    [
        (BERLIN, "2026-03-29T01:00+00:00", "2026-10-25T00:30+00:00", "2026-10-25T01:30+00:00"),
        (NEW_YORK, "2026-03-08T07:00+00:00", "2026-11-01T05:30+00:00", "2026-11-01T06:30+00:00"),
    ],
)
def test_a_skipped_time_is_the_jump_and_of_a_repeated_one_the_first_opens_and_the_last_closes(
    zone: tzinfo, jump: str, first: str, last: str
) -> None:
    # 02:30 is skipped in spring in both; 02:30 (01:30 in New York) comes twice in autumn.
    twice = "02:30" if zone is BERLIN else "01:30"
    assert window("01:00", "02:30").ends(at(jump) - 1, zone) == at(jump)
    assert not window("02:30", "05:00").contains(at(jump) - 1, zone)
    assert window("02:30", "05:00").contains(at(jump), zone)
    assert not window("02:10", "02:50").contains(at(jump), zone)
    assert not window(twice, "05:00").contains(at(first) - 1, zone)
    opened = [window(twice, "05:00").contains(at(first) + n * MINUTE, zone) for n in range(120)]
    assert all(opened), "it does not close when the clock is set back"
    closing = window("00:00", twice)
    assert closing.ends(at(first) - HOUR / 4, zone) == at(last)
    assert not closing.contains(at(last), zone)


def test_a_day_that_a_zone_skips_has_no_hours() -> None:
    # Samoa went from Thursday the 29th to Saturday the 31st of December 2011.
    jump = at("2011-12-30T10:00+00:00")
    assert not window("09:00", "17:00", "fri").contains(jump, APIA)
    assert window("22:00", "07:00", "thu").ends(jump - HOUR, APIA) == jump
    assert window("22:00", "07:00").ends(jump - HOUR, APIA) == jump + 7 * HOUR


def test_a_clock_set_back_at_midnight_keeps_a_window_open() -> None:
    # In Havana 01:00 on the 1st of November 2026 became 00:00; in Asunción 00:00 became 23:00.
    havana, asuncion = ZoneInfo("America/Havana"), ZoneInfo("America/Asuncion")
    one = window("00:30", "03:00")
    assert all(one.contains(at("2026-11-01T04:30+00:00") + n * MINUTE, havana) for n in range(200))
    late = window("23:30", "06:00")
    back = at("2020-03-22T03:00+00:00")
    assert all(late.contains(back + n * MINUTE, asuncion) for n in range(-30, 400))


def test_a_day_names_the_evening_on_which_a_window_opens() -> None:
    friday = window("22:00", "07:00", "fri")
    assert friday.ends(at("2026-11-27T23:00+00:00"), UTC) == at("2026-11-28T07:00+00:00")
    assert friday.contains(at("2026-11-28T06:59:59+00:00"), UTC)
    assert not friday.contains(at("2026-11-27T06:00+00:00"), UTC)
    assert not friday.contains(at("2026-11-28T22:30+00:00"), UTC)


def test_a_window_opens_on_a_leap_day_and_ends_with_the_day() -> None:
    evening = window("20:00", "24:00", "tue")
    assert evening.ends(at("2028-02-29T20:00+00:00"), UTC) == at("2028-03-01T00:00+00:00")
    assert window("20:00", "04:00", "tue").contains(at("2028-03-01T03:00+00:00"), UTC)


def test_the_same_time_twice_is_the_whole_day_from_then() -> None:
    sunday = window("06:00", "06:00", "sun")
    assert sunday.ends(at("2026-11-29T06:00+00:00"), UTC) == at("2026-11-30T06:00+00:00")
    weekend = window("06:00", "06:00", "sat sun")
    assert weekend.ends(at("2026-11-28T07:00+00:00"), UTC) == at("2026-11-30T06:00+00:00")


@pytest.mark.parametrize("times", [("06:00", "06:00"), ("00:00", "24:00"), ("00:00", "00:00")])
def test_a_window_that_is_always_open_never_ends(times: tuple[str, str]) -> None:
    always = window(*times)
    assert always.is_endless
    assert always.contains(at("2026-03-29T01:00+00:00"), BERLIN)
    assert always.ends(0.0, BERLIN) == inf
    assert not window(*times, "mon tue wed thu fri sat").is_endless


ZONES = st.sampled_from([UTC, BERLIN, NEW_YORK, LORD_HOWE, APIA, ZoneInfo("Asia/Kathmandu")])
TIMES = st.integers(0, MINUTES_OF_DAY - 1)
windows = st.builds(
    lambda opens, closes, days: Window(
        name="window",
        place=Place("", 1, 1),
        opens=opens,
        closes=closes if closes > opens else closes + MINUTES_OF_DAY,
        days=days,
    ),
    TIMES,
    st.integers(0, MINUTES_OF_DAY),
    st.frozensets(st.integers(0, 6), min_size=1),
)
INSTANTS = st.integers(1_262_304_000, 1_893_456_000).map(float)
SPRING = at("2026-03-29T00:59:30+00:00")


def is_open(of: Window, day: date, minute: int) -> bool:
    """Tell by the clock on the wall alone whether a window is open."""
    yesterday = (day.weekday() - 1) % 7
    return (day.weekday() in of.days and of.opens <= minute < of.closes) or (
        yesterday in of.days and minute + MINUTES_OF_DAY < of.closes
    )


def is_steady(instant: float, zone: tzinfo) -> bool:
    """Return whether the clock of a zone is left alone for two days before and after."""
    offsets = {
        datetime.fromtimestamp(instant + days * DAY, zone).utcoffset() for days in range(-2, 3)
    }
    return len(offsets) == 1


@given(windows, ZONES, INSTANTS)
def test_a_window_is_open_when_the_clock_on_the_wall_says_so(
    of: Window, zone: tzinfo, instant: float
) -> None:
    if not is_steady(instant, zone):
        return
    for minute in range(0, 24 * 60, 7):
        now = instant + minute * MINUTE
        wall = datetime.fromtimestamp(now, zone)
        shown = is_open(of, wall.date(), wall.hour * 60 + wall.minute)
        assert of.contains(now, zone) is shown


@given(windows, ZONES, INSTANTS)
@example(Window(name="", place=Place("", 1, 1), opens=90, closes=150), BERLIN, SPRING)
@example(
    Window(name="", place=Place("", 1, 1), opens=150, closes=90 + MINUTES_OF_DAY), BERLIN, SPRING
)
def test_a_window_ends_at_the_first_instant_at_which_it_is_not_open(
    of: Window, zone: tzinfo, instant: float
) -> None:
    end = of.ends(instant, zone)
    if end == inf:
        assert of.is_endless
        return
    assert end >= instant
    assert not of.contains(end, zone)
    between = int((end - instant) // MINUTE)
    step = max(1, between // 500)
    assert all(of.contains(instant + n * MINUTE, zone) for n in range(0, between, step))
    assert end == instant or of.contains(end - 1, zone)


@given(windows, ZONES, st.sampled_from([SPRING, at("2026-10-25T00:00+00:00")]))
def test_no_window_opens_more_often_than_there_are_days(
    of: Window, zone: tzinfo, around: float
) -> None:
    states = [of.contains(around + n * MINUTE, zone) for n in range(-1440, 1440)]
    openings = sum(now and not before for before, now in pairwise(states))
    assert openings <= 3


DEVICES = tuple(
    Contact(
        id=str(n), kind="push", address="a", device=Device(platform="fcm_android", timezone=zone)
    )
    for n, zone in enumerate(("", "Mars/Olympus", "America/New_York", "Pacific/Apia"))
)
NAMES = ("Europe/Berlin", "America/New_York", "Pacific/Apia")


@pytest.mark.parametrize(
    ("zone", "contacts", "expected"),
    [
        ("Pacific/Apia", DEVICES, "Pacific/Apia"),
        ("", DEVICES, "America/New_York"),
        ("Mars/Olympus", (Contact(id="m", kind="email", address="a"),), "Europe/Berlin"),
        ("", (), "Europe/Berlin"),
    ],
)
def test_a_recipient_s_zone_is_their_own_or_a_device_s_or_the_file_s(
    zone: str, contacts: tuple[Contact, ...], expected: str
) -> None:
    known = Zones(NAMES, lambda name: ZoneInfo(name) if name in NAMES else None)
    theirs, ours = window("22:00", "07:00", zone=None), window("22:00", "07:00", zone=UTC)
    hours = Hours(windows={"theirs": theirs, "ours": ours}, zones=known, zone=BERLIN)
    recipient = Recipient(app_id="app", uid="ann", timezone=zone, contacts=contacts)
    now = datetime(2026, 11, 25, 23, tzinfo=ZoneInfo(expected))
    calendar = Calendar(hours, recipient, now.timestamp())
    assert calendar.zone("theirs") == ZoneInfo(expected)
    assert calendar.zone("ours") == UTC
    assert "theirs" in calendar.open
    assert calendar.open is calendar.open, "it is worked out once"
    assert calendar.ends("theirs", now.timestamp()) == (now + timedelta(hours=8)).timestamp()
