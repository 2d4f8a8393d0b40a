"""Reads when the clocks of a place change, from the system's time zone files or those of the package ``tzdata``.

Source: RFC 8536 (TZif, version 2 and later); the rule behind the last change is POSIX's TZ with the extensions of its
section 3.3.1.
"""

from __future__ import annotations

import re
import struct
import zoneinfo
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

_HEADER = struct.Struct(">4sc15x6I")
_DAY_S = 86_400
_NAME = r"(?:[A-Za-z]+|<[^>]+>)"
_TIME = r"[+-]?\d+(?::\d+){0,2}"
_RULE = re.compile(rf"{_NAME}({_TIME})(?:{_NAME}({_TIME})?,([^,/]+)(?:/({_TIME}))?,([^,/]+)(?:/({_TIME}))?)?")


def clock_changes(key: str, last_year: int) -> tuple[int, Int64s, Int64s]:
    """Return the offset from UTC before the first change, the instants of the changes, and the offsets from each on.

    In: ``key`` such as ``Europe/Berlin``; the yearly rule is followed to the end of ``last_year``. Out: seconds, east of UTC
    positive; instants rise, and no two neighbouring offsets are equal. Raises: ``OSError`` or ``ValueError`` for a zone that
    there is not.
    """
    times, kinds, offsets, rule = _parse(_content(key))
    first = offsets[0] if len(offsets) else _seconds(rule)
    found = offsets[kinds] if len(kinds) else kinds
    more_times, more_offsets = _ruled(rule, times, last_year)
    times, found = np.concatenate([times, more_times]), np.concatenate([found, more_offsets])
    moves = found != np.concatenate([[first], found[:-1]])
    return int(first), times[moves], found[moves]


def _content(key: str) -> bytes:
    parts = key.split("/")
    if not all(re.fullmatch(r"[\w+-]+", part) for part in parts):
        raise ValueError(f"'{key}' is no name of a time zone")
    for folder in zoneinfo.TZPATH:
        path = Path(folder, *parts)
        if path.is_file():
            return path.read_bytes()
    return resources.files("tzdata").joinpath("zoneinfo", *parts).read_bytes()


def _parse(content: bytes) -> tuple[Int64s, Int64s, Int64s, str]:
    """Return the instants of the changes, which kind of time begins with each, the kinds' offsets, and the rule behind."""
    magic, version, *counts = _HEADER.unpack_from(content)
    if magic != b"TZif" or version < b"2":
        raise ValueError("this is no time zone file of version 2 or later")
    start = _HEADER.size + _block_bytes(counts, 4)
    _, _, *counts = _HEADER.unpack_from(content, start)
    _, _, _, times, kinds, _ = counts
    start += _HEADER.size
    instants = np.frombuffer(content, ">i8", times, start).astype(np.int64)
    numbers = np.frombuffer(content, "u1", times, start + 8 * times).astype(np.int64)
    records = np.frombuffer(content, np.dtype(">i4,u1,u1"), kinds, start + 9 * times)
    rule = content[start + _block_bytes(counts, 8) :].strip(b"\n").decode("ascii")
    return instants, numbers, records["f0"].astype(np.int64), rule


def _block_bytes(counts: list[int], width: int) -> int:
    """Return the length of the data behind a header, whose instants take ``width`` bytes."""
    universal, standard, leaps, times, kinds, letters = counts
    return times * (width + 1) + kinds * 6 + letters + leaps * (width + 4) + standard + universal


def _ruled(rule: str, times: Int64s, last_year: int) -> tuple[Int64s, Int64s]:
    """Return the changes that the rule makes after those in ``times``, and the offset from each on."""
    none = np.zeros(0, np.int64)
    found = _RULE.fullmatch(rule)
    if found is None or found[3] is None:
        return none, none
    standard = _seconds(found[1])
    summer = standard + 3_600 if found[2] is None else _seconds(found[2])
    first_year = (
        int(times[-1].astype("datetime64[s]").astype("datetime64[Y]").astype(int)) + 1970 if len(times) else 1970
    )
    years = np.arange(first_year, last_year + 1)
    begins = _days(found[3], years) * _DAY_S + _clock(found[4]) - standard
    ends = _days(found[5], years) * _DAY_S + _clock(found[6]) - summer
    instants = np.concatenate([begins, ends])
    offsets = np.repeat(np.array([summer, standard], np.int64), len(years))
    order = np.argsort(instants, kind="stable")
    instants, offsets = instants[order], offsets[order]
    later = instants > times[-1] if len(times) else np.ones(len(instants), np.bool_)
    return instants[later], offsets[later]


def _days(rule: str, years: Int64s) -> Int64s:
    """Return the day (since 1970) that a rule names in each year: ``M3.2.0``, ``J60`` or ``59``."""
    starts = (years - 1970).astype("datetime64[Y]")
    january = starts.astype("datetime64[D]").astype(np.int64)
    if not rule.startswith("M"):
        day = int(rule.lstrip("J"))
        if not rule.startswith("J"):
            return january + day
        leap = (starts + 1).astype("datetime64[D]").astype(np.int64) - january == 366
        return january + day - 1 + (leap & (day >= 60))
    month, week, weekday = (int(part) for part in rule[1:].split("."))
    months = starts.astype("datetime64[M]") + (month - 1)
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[D]").astype(np.int64) - first
    day_of_month = (weekday - (first + 4)) % 7 + 7 * (week - 1)  # 1970 began with a Thursday
    return first + np.where(day_of_month >= length, day_of_month - 7, day_of_month)


def _clock(text: str | None) -> int:
    """Return the seconds after midnight at which a rule begins: 2 o'clock if it doesn't say."""
    return 7_200 if text is None else -_seconds(text)


def _seconds(text: str) -> int:
    """Return an offset that is written west of UTC positive, alone or behind a name, as seconds east of it."""
    found = re.search(_TIME, re.sub("<[^>]*>", "", text))
    if found is None:
        raise ValueError(f"'{text}' is no offset of a time zone")
    parts = [int(part) for part in found[0].lstrip("+-").split(":")]
    total = sum(part * unit for part, unit in zip(parts, (3_600, 60, 1), strict=False))
    return total if found[0].startswith("-") else -total
