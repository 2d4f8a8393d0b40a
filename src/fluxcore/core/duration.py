"""Durations as people and Flink write them: ``10 s``, ``2 hours``, ``500ms``."""

from __future__ import annotations

import datetime as dt
import re

_UNITS_MS = {
    "ms": 1, "milli": 1, "millis": 1, "millisecond": 1, "milliseconds": 1,
    "s": 1000, "sec": 1000, "secs": 1000, "second": 1000, "seconds": 1000,
    "m": 60_000, "min": 60_000, "mins": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
}  # fmt: skip
_FORM = re.compile(r"\s*(\d+)\s*([a-zA-Z]*)\s*")


def duration_ms(value: str | int | dt.timedelta) -> int:
    """Return a duration in whole milliseconds; a bare number is milliseconds, as in Flink.

    Raises: ``ValueError`` with the accepted forms for anything else, and for a negative one.
    """
    if isinstance(value, dt.timedelta):
        milliseconds = round(value / dt.timedelta(milliseconds=1))
    elif isinstance(value, int):
        milliseconds = value
    else:
        found = _FORM.fullmatch(value)
        unit = found[2].lower() if found else ""
        if found is None or (unit and unit not in _UNITS_MS):
            raise ValueError(f"'{value}' is no duration; write a number and one of ms, s, min, h, d, such as '10 s'")
        milliseconds = int(found[1]) * _UNITS_MS.get(unit, 1)
    if milliseconds < 0:
        raise ValueError(f"a duration can't be negative: {value}")
    return milliseconds
