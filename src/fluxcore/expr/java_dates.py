"""Date patterns as Java has them: those of DateTimeFormatter, and with ``simple`` those of SimpleDateFormat, which is lenient."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from functools import cache
from typing import TYPE_CHECKING

from fluxcore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    Piece = tuple[str, int]

_MONTHS = calendar.month_name[1:]
_DAYS = calendar.day_name
_LETTERS = frozenset("GyuYMLdDEecahHkKmsSnNAwWQqBXxZz")
_ZONED = frozenset("XxZz")
_NOT_SIMPLE = frozenset("ecnNAQqBx")
_LONG = 4
"""From so many letters on a name is written in full; one letter more stands for the shortest form."""


def pieces_of(pattern: str) -> list[Piece]:
    """Return a pattern's fields as (letter, how often it stands), and texts as ("'" + text, 0).

    Raises: ``DataError`` FX-RUN-0105 for a letter without a meaning.
    """
    found: list[Piece] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "'":
            end = at + 1
            text = ""
            while end < len(pattern) and (pattern[end] != "'" or pattern[end + 1 : end + 2] == "'"):
                text += pattern[end]
                end += 2 if pattern[end] == "'" else 1
            found.append(("'" + (text or "'"), 0))
            at = end + 1
        elif letter.isascii() and letter.isalpha():
            count = len(pattern) - at - len(pattern[at:].lstrip(letter))
            if letter not in _LETTERS:
                raise DataError("FX-RUN-0105", f"the date pattern '{pattern}' uses '{letter}', which is not supported")
            found.append((letter, count))
            at += count
        else:
            found.append(("'" + letter, 0))
            at += 1
    return found


@cache
def formatter(pattern: str, *, simple: bool = False) -> Callable[[dt.datetime], str]:
    """Return what writes a time (with microseconds, without a zone) by a pattern."""
    pieces = pieces_of(pattern)
    if any(letter in (_NOT_SIMPLE if simple else _ZONED) for letter, _ in pieces):
        raise DataError("FX-RUN-0105", f"the date pattern '{pattern}' holds a letter that has no meaning here")

    def write(value: dt.datetime) -> str:
        return "".join(letter[1:] if letter[0] == "'" else _field(letter, count, value) for letter, count in pieces)

    return write


def _field(letter: str, count: int, value: dt.datetime) -> str:
    if letter == "S":
        return f"{value.microsecond:06}000"[:count].ljust(count, "0")
    if letter in "yuY":
        year = _week_year(value)[0] if letter == "Y" else value.year
        return f"{year % 100:02}" if count == 2 else str(year).rjust(count, "0")
    names = _named(letter, count, value)
    return names if names is not None else str(_number(letter, value)).rjust(count, "0")


def _named(letter: str, count: int, value: dt.datetime) -> str | None:
    """Return a field that is written as a word, or None."""
    if letter in "ML" and count > 2:
        return _short(_MONTHS[value.month - 1], count)
    if letter == "E" or (letter in "ec" and count > 2):
        return _short(_DAYS[value.weekday()], max(count, 3))
    if letter in "Qq" and count > 2:
        quarter = (value.month + 2) // 3
        return f"Q{quarter}" if count < _LONG else f"{('1st', '2nd', '3rd', '4th')[quarter - 1]} quarter"
    if letter == "a":
        return "AM" if value.hour < 12 else "PM"
    if letter == "G":
        return "AD" if count < _LONG else "Anno Domini" if count == _LONG else "A"
    return _part_of_day(value) if letter == "B" else None


def _short(name: str, count: int) -> str:
    return name[:3] if count < _LONG else name if count == _LONG else name[0]


def _part_of_day(value: dt.datetime) -> str:
    if not value.minute and value.hour in (0, 12):
        return "midnight" if not value.hour else "noon"
    hour = value.hour
    if 6 <= hour < 12:
        return "in the morning"
    if 12 <= hour < 18:
        return "in the afternoon"
    return "in the evening" if 18 <= hour < 21 else "at night"


def _number(letter: str, value: dt.datetime) -> int:
    day_ms = ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000
    numbers: dict[str, Callable[[], int]] = {
        "M": lambda: value.month, "L": lambda: value.month, "d": lambda: value.day,
        "D": lambda: value.timetuple().tm_yday, "e": lambda: _sunday(value) + 1, "c": lambda: _sunday(value) + 1,
        "H": lambda: value.hour, "h": lambda: value.hour % 12 or 12, "k": lambda: value.hour or 24,
        "K": lambda: value.hour % 12, "m": lambda: value.minute, "s": lambda: value.second,
        "n": lambda: value.microsecond * 1000, "A": lambda: day_ms,
        "N": lambda: day_ms * 1_000_000 + value.microsecond % 1000 * 1000,
        "Q": lambda: (value.month + 2) // 3, "q": lambda: (value.month + 2) // 3,
        "w": lambda: _week_year(value)[1], "W": lambda: (value.day - 1 + _sunday(value.replace(day=1))) // 7 + 1,
        "X": lambda: 0, "x": lambda: 0, "Z": lambda: 0, "z": lambda: 0,
    }  # fmt: skip
    return numbers[letter]()


def _sunday(value: dt.datetime) -> int:
    return (value.weekday() + 1) % 7


def _week_year(value: dt.datetime) -> tuple[int, int]:
    """Return year and week: weeks start on Sundays, and the first one holds January 1."""
    day = value.timetuple().tm_yday
    days = 366 if calendar.isleap(value.year) else 365
    if day + 6 - _sunday(value) > days:
        return value.year + 1, 1
    first = (_sunday(value) - (day - 1)) % 7
    return value.year, (day - 1 + first) // 7 + 1


_DIGITS = {"y": 4, "u": 4, "M": 2, "L": 2, "d": 2, "H": 2, "h": 2, "k": 2, "K": 2, "m": 2, "s": 2, "D": 3}
_WORDS = {
    "E": "|".join(name for day in _DAYS for name in (day, day[:3])),
    "M": "|".join(name for month in _MONTHS for name in (month, month[:3])),
    "a": "AM|PM", "G": "AD|BC",
}  # fmt: skip


@cache
def parser(pattern: str, *, simple: bool = False) -> Callable[[str], tuple[dt.datetime, int | None] | None]:
    """Return what reads a text by a pattern: the time and the offset in seconds that it names, None where it is none.

    What the pattern lacks is taken from 1970-01-01 00:00. A day that its month doesn't have is the month's last, or with
    ``simple`` one of the next month; with ``simple`` text may follow.
    """
    pieces = pieces_of(pattern)
    if simple and any(letter in _NOT_SIMPLE for letter, _ in pieces):
        raise DataError("FX-RUN-0105", f"the date pattern '{pattern}' holds a letter that has no meaning here")
    form, fields = "", []
    for place, (letter, count) in enumerate(pieces):
        if letter[0] == "'":
            form += re.escape(letter[1:])
            continue
        fields.append((letter, count))
        adjacent = place + 1 < len(pieces) and pieces[place + 1][0] in _DIGITS
        form += _group(letter, count, simple=simple, adjacent=adjacent)
    compiled = re.compile(form, re.ASCII | (re.IGNORECASE if simple else 0))

    def read(text: str) -> tuple[dt.datetime, int | None] | None:
        found = compiled.match(text) if simple else compiled.fullmatch(text)
        if not found:
            return None
        values = {letter: (each, count) for (letter, count), each in zip(fields, found.groups(), strict=True)}
        try:
            return _resolved(values, simple=simple)
        except (ValueError, OverflowError):
            return None

    return read


def _group(letter: str, count: int, *, simple: bool, adjacent: bool) -> str:
    if letter in _ZONED:
        return r"(Z|[A-Z]{2,4}|[+-]\d{2}:?\d{2}|[+-]\d{2})"
    if letter in _WORDS and (letter != "M" or count > 2):
        return f"({_WORDS[letter]})"
    if letter == "S" and not simple:
        return rf"(\d{{{count}}})"
    if letter not in _DIGITS and letter != "S":
        return r"(\d+)"
    if simple:
        return rf"(\d{{{count}}})" if adjacent else r"\s*(\d+)"
    if letter in "yu":
        return rf"(\d{{{count}}})" if count in (2, 4) else r"(\d+)"
    return rf"(\d{{{count}}})" if count > 1 or adjacent else r"(\d{1,2})"


def _resolved(values: dict[str, tuple[str, int]], *, simple: bool) -> tuple[dt.datetime, int | None]:
    year = _year(values, simple=simple)
    month, day = _month(values), int(values["d"][0]) if "d" in values else 1
    hour, minute, second = _hour(values), _whole(values, "m"), _whole(values, "s")
    fraction, digits = values.get("S", ("0", 1))
    micros = int(fraction) * 1000 if simple else int(fraction.ljust(9, "0")[:6])
    if not simple:
        if not (1 <= month <= 12 and 1 <= day <= 31):
            raise ValueError(digits)
        day = min(day, calendar.monthrange(year, month)[1])
        moment = dt.datetime(year, month, day, hour, minute, second, micros)
    else:
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
        rest = dt.timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second, microseconds=micros)
        moment = dt.datetime(year, month, 1) + rest
    if "D" in values and "d" not in values:
        moment = moment.replace(month=1, day=1) + dt.timedelta(days=int(values["D"][0]) - 1)
    return moment, _offset(values)


def _year(values: dict[str, tuple[str, int]], *, simple: bool) -> int:
    text, count = values.get("y") or values.get("u") or ("1970", 4)
    if count != 2 or len(text) != 2:
        return int(text)
    base = 2000 + int(text)
    return base - 100 if simple and base > dt.datetime.now(dt.UTC).year + 20 else base


def _month(values: dict[str, tuple[str, int]]) -> int:
    text = (values.get("M") or values.get("L") or ("1", 1))[0]
    return int(text) if text.isdigit() else [name[:3].lower() for name in _MONTHS].index(text[:3].lower()) + 1


def _hour(values: dict[str, tuple[str, int]]) -> int:
    if "H" in values:
        return int(values["H"][0])
    if "k" in values:
        return int(values["k"][0]) % 24
    half = values.get("h") or values.get("K")
    later = values["a"][0].upper() == "PM" if "a" in values else False
    return (int(half[0]) % 12 if half else 0) + (12 if later else 0)


def _whole(values: dict[str, tuple[str, int]], letter: str) -> int:
    return int(values[letter][0]) if letter in values else 0


def _offset(values: dict[str, tuple[str, int]]) -> int | None:
    text = next((values[letter][0] for letter in _ZONED if letter in values), None)
    if text is None:
        return None
    if text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if text[0] == "-" else seconds
