"""Parses constants of times and intervals: DATE '2024-01-01', INTERVAL '1' DAY."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from fluxcore.core import types as t
from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql.cursor import Cursor
from fluxcore.sql.lexer import Kind

if TYPE_CHECKING:
    from fluxcore.errors import Span

_UNITS = {"SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000, "WEEK": 604_800_000}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


_FINEST = 6
"""Digits of a second that a Python datetime has."""


class ConstantParser(Cursor):
    """Parses constants that a word introduces."""

    def _time_constant(self) -> ast.Expression:
        token = self.advance()
        text = self.advance().text
        span = self.since(token.span)
        try:
            if token.word == "DATE":
                return ast.Constant(value=_moment(text, clock=False).date(), type=t.DATE, span=span)
            fraction = len(text.partition(".")[2])
            if token.word == "TIME":
                type_ = t.TimeType(precision=min(fraction, 3))
                return ast.Constant(value=_moment(f"1970-01-01 {text}").time(), type=type_, span=span)
            value = _moment(text)
            if fraction > _FINEST and text[_FINEST - fraction :].strip("0"):
                constant = ast.Constant(value=text, span=span)  # a Python datetime ends at microseconds
                return ast.CastTo(arg=constant, type=t.TimestampType(precision=fraction), lenient=False, span=span)
        except ValueError as error:
            raise ScriptError("FX-SQL-0303", f"'{text}' is no {token.word}", span=span) from error
        return ast.Constant(value=value, type=t.TimestampType(precision=fraction), span=span)

    def _interval(self) -> ast.Expression:
        start = self.need_word("INTERVAL").span
        sign = -1 if self.take_symbol("-") else 1
        if self.token.kind is not Kind.STRING:
            return self._counted_interval(start, sign)
        text = self.string("a string such as '10'")
        first = self.token
        unit = self.advance().word.removesuffix("S")
        if self.take_symbol("("):
            self.integer()
            self.need_symbol(")")
        last = unit
        if self.take_word("TO"):
            last = self.advance().word
            if self.take_symbol("("):
                self.integer()
                self.need_symbol(")")
        span = self.since(start)
        if unit not in _UNITS and unit not in _MONTHS:
            raise ScriptError("FX-SQL-0304", f"{first.shown()} is no unit of an interval", span=first.span)
        value = interval_value(text, unit, last)
        if value is None:
            raise ScriptError(
                "FX-SQL-0304", f"'{text}' is no INTERVAL {unit}{'' if last == unit else f' TO {last}'}", span=span
            )
        return ast.Constant(value=sign * value, type=t.IntervalType(months=unit in _MONTHS), span=span)

    def expression(self) -> ast.Expression:
        """Parse an expression; the expression parser does."""
        raise NotImplementedError

    def _access(self) -> ast.Expression:
        raise NotImplementedError

    def _counted_interval(self, start: Span, sign: int) -> ast.Expression:
        """Parse INTERVAL n DAY, with a number that is computed."""
        count = self._access()
        first = self.token
        unit = self.advance().word.removesuffix("S")
        if unit not in _UNITS and unit not in _MONTHS:
            raise ScriptError("FX-SQL-0304", f"{first.shown()} is no unit of an interval", span=first.span)
        span = self.since(start)
        one = _MONTHS[unit] if unit in _MONTHS else _UNITS[unit]
        each = ast.Constant(value=sign * one, type=t.IntervalType(months=unit in _MONTHS), span=span)
        return ast.FunctionCall(name="*", args=(each, count), span=span)


_DATE = r"\s*(\d{1,4})-(\d{1,2})-(\d{1,2})"
_MOMENT = re.compile(_DATE + r"(?: (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d*))?)?\s*", re.ASCII)


def _moment(text: str, *, clock: bool = True) -> dt.datetime:
    """Return the time of a constant such as 2024-1-2 3:04:05.6. Raises ``ValueError``."""
    found = _MOMENT.fullmatch(text)
    if not found or (found[4] and not clock):
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    return dt.datetime(year, month, day, hour, minute, second, int((found[7] or "").ljust(6, "0")[:6]))


def interval_value(text: str, unit: str, last: str) -> int | None:
    """Return an interval in whole milliseconds, or months; None where the text doesn't fit the units."""
    if unit == last:
        if unit in _MONTHS:
            return int(text) * _MONTHS[unit] if re.fullmatch(r"-?\d+", text) else None
        if unit != "SECOND":
            return int(text) * _UNITS[unit] if re.fullmatch(r"-?\d+", text) else None
        return int(Decimal(text) * 1000) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None
    if (unit, last) == ("YEAR", "MONTH"):
        found = re.fullmatch(r"(-?)(\d+)-(\d+)", text)
        months = int(found[2]) * 12 + int(found[3]) if found else 0
        return (-months if found[1] else months) if found else None
    parts = ["DAY", "HOUR", "MINUTE", "SECOND"]
    if unit not in parts or last not in parts or parts.index(unit) >= parts.index(last):
        return None
    wanted = parts[parts.index(unit) : parts.index(last) + 1]
    found = re.fullmatch(r"(-?)(\d+(?:[ :]\d+)*(?:\.\d+)?)", text)
    values = re.split(r"[ :]", found[2]) if found else []
    if not found or len(values) != len(wanted):
        return None
    total = sum(Decimal(value) * _UNITS[part] for value, part in zip(values, wanted, strict=True))
    return int(-total if found[1] else total)
