"""Local times beside zoneinfo's, and the watermark of a clock beside a model that looks at each millisecond."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Steps
from fluxcore.core.settings import Settings
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.core.tz_files import clock_changes
from fluxcore.core.zones import Zone, zone_of
from fluxcore.errors import ScriptError

EPOCH = dt.datetime(1970, 1, 1)
UTC_EPOCH = EPOCH.replace(tzinfo=dt.UTC)
MS = dt.timedelta(milliseconds=1)
HOUR = 3_600_000
NAMES = sorted(name for name in zoneinfo.available_timezones() if name != "localtime")


def ms(text: str) -> int:
    return (dt.datetime.fromisoformat(text).replace(tzinfo=None) - EPOCH) // MS


@pytest.mark.parametrize(
    "name", [*NAMES[::7], "Africa/Casablanca", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Gaza"]
)
def test_every_change_is_that_of_zoneinfo(name: str) -> None:
    zone, other = zone_of(name), zoneinfo.ZoneInfo(name)
    first, changes, _ = clock_changes(name, 2450)
    assert (UTC_EPOCH - dt.timedelta(days=73_000)).astimezone(other).utcoffset() in (dt.timedelta(seconds=first), None)
    around = np.concatenate([changes * 1000 + shift for shift in (-1, 0, 1, 30 * 60_000, -HOUR, 9_000_000_000)])
    ever = np.arange(-4, 77) * 3_155_692_597_470  # a century each
    instants = np.unique(np.concatenate([around[around < 2 * 10**14], ever]))
    wanted = []
    for each in instants.tolist():
        local = (UTC_EPOCH + each * MS).astimezone(other).replace(tzinfo=None)
        wanted.append((local - EPOCH) // MS)
    assert zone.local(instants).tolist() == wanted


@pytest.mark.parametrize(
    ("name", "local", "instant"),
    [
        ("America/New_York", "2024-03-10 01:59:59.999", "2024-03-10 06:59:59.999"),
        ("America/New_York", "2024-03-10 02:30:00", "2024-03-10 07:30:00"),  # never is: 03:30 with the offset after it
        ("America/New_York", "2024-03-10 03:00:00", "2024-03-10 07:00:00"),
        ("America/New_York", "2024-11-03 01:30:00", "2024-11-03 05:30:00"),  # the first of two
        ("America/New_York", "2024-11-03 02:00:00", "2024-11-03 07:00:00"),
        ("America/New_York", "2400-07-04 12:00:00", "2400-07-04 16:00:00"),
        ("America/New_York", "9024-07-04 12:00:00", "9024-07-04 16:00:00"),
        ("Australia/Lord_Howe", "2024-10-06 02:10:00", "2024-10-05 15:40:00"),
        ("Australia/Lord_Howe", "2024-04-07 01:45:00", "2024-04-06 14:45:00"),
        ("Asia/Kathmandu", "2024-05-01 00:00:00", "2024-04-30 18:15:00"),
        ("Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 22:00:00"),  # a day that was left out
        ("GMT-03:30", "2024-05-01 00:00:00", "2024-05-01 03:30:00"),
        ("UTC", "2024-05-01 00:00:00", "2024-05-01 00:00:00"),
    ],
)  # fmt: skip
def test_local_times_become_instants_as_in_java(name: str, local: str, instant: str) -> None:
    assert zone_of(name).instants(np.array([ms(local)])).tolist() == [ms(instant)]


@pytest.mark.parametrize(
    ("name", "local", "instant"),
    [  # Flink's own examples, beside TimeWindowUtil.toEpochMillsForTimer
        ("America/Los_Angeles", "2021-03-14 00:00:00", 1615708800000),
        ("America/Los_Angeles", "2021-03-14 01:00:00", 1615712400000),
        ("America/Los_Angeles", "2021-03-14 02:00:00", 1615716000000),
        ("America/Los_Angeles", "2021-03-14 02:59:59", 1615716000000),
        ("America/Los_Angeles", "2021-03-14 03:00:00", 1615716000000),
        ("America/Los_Angeles", "2021-11-07 00:00:00", 1636268400000),
        ("America/Los_Angeles", "2021-11-07 01:00:00", 1636275600000),
        ("America/Los_Angeles", "2021-11-07 02:00:00", 1636279200000),
        # where Flink's formula fails
        ("Australia/Adelaide", "2024-10-06 02:10:00", ms("2024-10-05 16:30:00")),
        ("Australia/Lord_Howe", "2024-10-06 02:10:00", ms("2024-10-05 15:30:00")),
        ("Australia/Lord_Howe", "2024-04-07 01:29:00", ms("2024-04-06 14:29:00")),
        ("Australia/Lord_Howe", "2024-04-07 01:31:00", ms("2024-04-06 15:01:00")),
        ("America/Sao_Paulo", "2018-02-17 23:10:00", ms("2018-02-18 02:10:00")),
        ("Pacific/Apia", "2011-12-30 12:00:00", ms("2011-12-30 10:00:00")),
    ],
)  # fmt: skip
def test_local_times_are_over_when_clocks_show_them_for_the_last_time(name: str, local: str, instant: int) -> None:
    zone = zone_of(name)
    assert zone.passed(np.array([ms(local)])).tolist() == [instant]
    assert zone.progress_at(instant) >= ms(local) > zone.progress_at(instant - 1)


@given(
    first=st.integers(-3, 3),
    moves=st.lists(st.tuples(st.integers(1, 12), st.integers(-4, 4)), max_size=4),
    values=st.lists(st.integers(-20_000, 80_000), min_size=1, max_size=6),
)
def test_progress_is_what_no_later_millisecond_shows_again(
    first: int, moves: list[tuple[int, int]], values: list[int]
) -> None:
    """Seconds stand for milliseconds: a clock changes by seconds, and every millisecond of two minutes is looked at."""
    changes, offsets, at, offset = [], [], 0, first
    for wait, move in moves:
        at, offset = at + wait, offset + move
        if move:
            changes.append(at)
            offsets.append(offset)
    zone = Zone("test", first, np.array(changes, np.int64), np.array(offsets, np.int64))
    instants = np.arange(-60_000, 120_000)
    local = zone.local(instants)
    later = np.append(np.minimum.accumulate(local[::-1])[::-1][1:], MAX_TIME_MS)
    progress = np.minimum(local, later - 1)
    assert (zone.progress(instants) == progress).all()
    for value in values:
        over = int(instants[np.searchsorted(progress, value)])
        assert zone.passed(np.array([value])).tolist() == [over]
        shown = instants[local == value]
        if len(shown):
            assert zone.instants(np.array([value])).tolist() == [int(shown[0])]


def test_progress_stands_still_in_the_hour_that_comes_twice() -> None:
    zone = zone_of("America/New_York")
    at = [ms(f"2024-11-03 {time}") for time in ("04:59:59.999", "05:10", "05:59", "06:30", "06:59:59.999", "07:00")]
    steps = zone.progress_of(Steps(np.arange(6), np.array(at)))
    assert steps.rows.tolist() == [0, 3, 4, 5]
    shown = ("00:59:59.999", "01:30", "01:59:59.999", "02:00")
    assert steps.values.tolist() == [ms(f"2024-11-03 {time}") for time in shown]


def test_marks_beyond_all_clocks_stay() -> None:
    marks = np.array([MIN_TIME_MS, MAX_TIME_MS])
    assert zone_of("Asia/Tokyo").progress(marks).tolist() == marks.tolist()
    assert zone_of("Asia/Tokyo").progress(np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize("name", ["GMT+5", "GMT+05:30", "GMT-0930", "Etc/GMT+3", "UTC", "Europe/London"])
def test_zones_are_named_as_in_flink(name: str) -> None:
    assert Settings().with_value("table.local-time-zone", name).zone is zone_of(name)


@pytest.mark.parametrize(
    "name", ["UTC+8", "+08:00", "GMT+19:00", "GMT+05:75", "../passwd", "Europe", "europe/berlin", ""]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Settings().with_value("table.local-time-zone", name)
    assert caught.value.code == "FX-SET-0002"


def test_python_knows_the_zones() -> None:
    names = ("GMT-0930", "UTC", "Asia/Kathmandu")
    assert [dt.datetime(2024, 1, 1, tzinfo=zone_of(name).tzinfo).utcoffset() for name in names] == [
        dt.timedelta(hours=-9, minutes=-30), dt.timedelta(0), dt.timedelta(hours=5, minutes=45),
    ]  # fmt: skip


def test_utc_is_told_apart() -> None:
    assert [zone_of(name).is_utc for name in ("UTC", "Etc/UTC", "Africa/Abidjan", "GMT+01:00")] == [
        True,
        True,
        False,
        False,
    ]
