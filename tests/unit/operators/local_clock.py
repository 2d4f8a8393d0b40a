"""A naive clock of a place: zoneinfo's answers for one instant after the other, around a change of the clocks."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = dt.datetime(1970, 1, 1)
MS = dt.timedelta(milliseconds=1)
MINUTE = 60_000

CHANGES = {
    "New York, forward": ("America/New_York", "2024-03-10T07:00"),
    "New York, back": ("America/New_York", "2024-11-03T06:00"),
    "Lord Howe, half an hour forward": ("Australia/Lord_Howe", "2024-10-05T15:30"),
    "Lord Howe, half an hour back": ("Australia/Lord_Howe", "2024-04-06T15:00"),
    "Kathmandu, never": ("Asia/Kathmandu", "2024-05-01T00:00"),
    "Apia, a day left out": ("Pacific/Apia", "2011-12-30T10:00"),
    "Sao Paulo, back": ("America/Sao_Paulo", "2018-02-18T02:00"),
    "Adelaide, forward": ("Australia/Adelaide", "2024-10-05T16:30"),
}
"""Zones and instants near which their clocks change, or don't."""


def at(text: str) -> int:
    """Return an instant (ms)."""
    return (dt.datetime.fromisoformat(text) - EPOCH) // MS


@lru_cache(maxsize=200_000)
def local(zone: str, instant: int) -> int:
    """Return the local time (ms) at an instant."""
    moment = (EPOCH + instant * MS).replace(tzinfo=dt.UTC)
    return (moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - EPOCH) // MS


@lru_cache(maxsize=200_000)
def instant(zone: str, time: int) -> int:
    """Return the instant of a local time: the first one, or with the offset before a gap."""
    moment = (EPOCH + time * MS).replace(tzinfo=ZoneInfo(zone), fold=0)
    return (moment.astimezone(dt.UTC).replace(tzinfo=None) - EPOCH) // MS


@lru_cache(maxsize=200_000)
def over(zone: str, watermark: int) -> int:
    """Return the greatest local time that clocks have shown and will not show again, or skipped, when time is ``watermark``.

    Clocks change at whole minutes and never by more than two hours back.
    """
    first = watermark // MINUTE + 1
    later = [local(zone, minute * MINUTE) for minute in range(first, first + 181)]
    return min(local(zone, watermark), min(later) - 1)
