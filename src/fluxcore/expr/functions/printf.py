"""PRINTF: Java's ``Formatter`` for the kinds of values that SQL has; NULL where it would fail."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.types import (
    STRING,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    NullType,
    StringType,
    TimestampType,
    TimeType,
)
from fluxcore.errors import DataError
from fluxcore.expr import utf16
from fluxcore.expr.made_text import MadeText
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import to
from fluxcore.expr.texts import double_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_SHOWN = (
    BooleanType,
    IntegerType,
    FloatType,
    DecimalType,
    StringType,
    DateType,
    TimeType,
    TimestampType,
    IntervalType,
    NullType,
)
_PIECE = re.compile(r"%(?:(\d+)\$|(<))?([-#+ 0,(]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])|([^%]+)|(%)")
_INT_MAX = 2**31 - 1
"""The largest number that Java's Formatter can read in a format; with a larger one the format is wrong."""
_INT_DIGITS = 10
_EPOCH = dt.date(1970, 1, 1)


class _BadFormat(ValueError):
    """A format, or a value for it, that Java's Formatter refuses."""


class _Spec:
    """One conversion: which argument (from 0), flags, width, precision, and its letter."""

    __slots__ = ("flags", "index", "kind", "precision", "upper", "width")

    def __init__(self, index: int, found: re.Match[str]) -> None:
        letter = found[6]
        self.index, self.flags = index, found[3]
        self.width = int(found[4]) if found[4] else None
        self.precision = int(found[5]) if found[5] else None
        self.kind, self.upper = letter.lower(), letter.isupper()


@lru_cache(1000)
def _parsed(form: str) -> tuple[tuple[str | _Spec, ...], int] | None:
    """Return a format's texts and conversions, and how many arguments it needs; None for a wrong one.

    Raises: ``DataError`` FX-RUN-0114 for a width or precision that makes too long a text.
    """
    pieces: list[str | _Spec] = []
    following, last, needed, at = 0, -1, 0, 0
    while at < len(form):
        found = _PIECE.match(form, at)
        if found is None or found[8]:
            return None
        at = found.end()
        if found[7]:
            pieces.append(found[7])
            continue
        if any(
            len(digits or "") > _INT_DIGITS or int(digits or 0) > _INT_MAX for digits in (found[1], *found.group(4, 5))
        ):
            return None
        MadeText("PRINTF").add(max(int(found[4] or 0), int(found[5] or 0)))
        if found[6] in "n%":
            if (found[6] == "n" and (found[3] or found[4] or found[5])) or found[5]:
                return None
            pieces.append(_filled("\n" if found[6] == "n" else "%", found[3], int(found[4] or 0)))
            continue
        if found[1]:
            last = int(found[1]) - 1
        elif not found[2]:
            last, following = following, following + 1
        if found[6] in "tT":  # a letter behind it says which part of a time
            at += 1
        if last < 0 or found[6] not in "bBsScCdoxXeEfgGtT" or not _flags_are_right(_Spec(last, found)):
            return None
        needed = max(needed, last + 1)
        pieces.append(_Spec(last, found))
    return tuple(pieces), needed


def _flags_are_right(spec: _Spec) -> bool:
    flags = set(spec.flags)
    if (
        len(flags) < len(spec.flags)
        or {"-", "0"} <= flags
        or {"+", " "} <= flags
        or (flags & {"-", "0"} and spec.width is None)
    ):
        return False
    allowed = {
        "b": "-",
        "s": "-#",
        "c": "-",
        "d": "-+ 0,(",
        "o": "-#0",
        "x": "-#0",
        "e": "-#+ 0(",
        "f": "-#+ 0,(",
        "g": "-+ 0,(",
        "t": "-",
    }[spec.kind]
    return flags <= set(allowed) and not (spec.kind in "cdox" and spec.precision is not None)


def _filled(text: str, flags: str, width: int) -> str:
    blanks = " " * (width - utf16.length(text))
    return text + blanks if "-" in flags else blanks + text


def _cut(text: str, length: int | None) -> str:
    return text if length is None else utf16.text_of(utf16.units(text)[:length])


def _rule(args: Sequence[Expr]) -> Resolved:
    if not args or not isinstance(args[0].type, StringType | NullType):
        return "a format and values that can be shown"
    if not all(isinstance(arg.type, _SHOWN) for arg in args[1:]):
        return "a format, and values that can be shown: CAST the others to STRING"
    cast = [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args]
    return cast, STRING


def _printf(inputs: Inputs) -> pa.Array:
    columns = [inputs.array(index).to_pylist() for index in range(len(inputs.values))]
    made = MadeText("PRINTF")
    return pa.array([_printed(row, inputs.types, made) for row in zip(*columns, strict=True)], pa.string())


def _printed(row: Sequence[Any], types: Sequence[DataType], made: MadeText) -> str | None:
    parsed = None if row[0] is None else _parsed(row[0])
    if parsed is None or parsed[1] > len(row) - 1:
        return None
    made.add(sum(len(piece) if isinstance(piece, str) else _length(piece, row[piece.index + 1]) for piece in parsed[0]))
    try:
        return "".join(
            piece if isinstance(piece, str) else _converted(piece, row[piece.index + 1], types[piece.index + 1])
            for piece in parsed[0]
        )
    except _BadFormat:
        return None


def _length(spec: _Spec, value: Any) -> int:
    """Return about how long a conversion's text is at most, but for the digits of a number."""
    shown = len(value) if isinstance(value, str) and spec.precision is None else 0
    return max(spec.width or 0, spec.precision or 0 if value is not None else 0, shown)


def _converted(spec: _Spec, value: Any, type_: DataType) -> str:
    if value is None and spec.kind != "b":
        text = "null" if spec.precision is None or spec.kind in "cdox" else "null"[: spec.precision]
    elif spec.kind == "b":
        text = ("true" if value else "false") if isinstance(value, bool) else "false" if value is None else "true"
        text = text[: spec.precision]
    elif spec.kind == "s":
        if "#" in spec.flags:
            raise _BadFormat
        text = _cut(_shown(value, type_), spec.precision)
    elif spec.kind == "c":
        if not isinstance(type_, IntegerType) or not 0 <= value <= 0x10FFFF:
            raise _BadFormat
        text = chr(value)
    elif spec.kind == "t":
        if isinstance(type_, IntegerType) and type_.bits == 64:
            raise DataError("FX-RUN-0107", "PRINTF does not show parts of times", hint="use DATE_FORMAT")
        raise _BadFormat
    elif spec.kind in "dox":
        text = _whole(spec, value, type_)
    else:
        text = _real(spec, value, type_)
    return _filled(text.upper() if spec.upper else text, spec.flags, spec.width or 0)


def _shown(value: Any, type_: DataType) -> str:
    """Return what ``toString`` gives of the value as Flink holds it: dates are days, times milliseconds."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            assert isinstance(type_, FloatType)
            return double_text(value, single=type_.bits == 32)
        case Decimal():
            return format(value, "f")
        case dt.datetime():
            return value.replace(tzinfo=None).isoformat(timespec="auto").replace("+00:00", "")
        case dt.date():
            return str((value - _EPOCH).days)
        case dt.time():
            return str(((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000)
        case _:
            return str(value)


def _whole(spec: _Spec, value: Any, type_: DataType) -> str:
    if isinstance(type_, DateType | TimeType | IntervalType):
        value, bits = int(_shown(value, type_)), 32 if not isinstance(type_, IntervalType) or type_.months else 64
    elif isinstance(type_, IntegerType):
        bits = type_.bits
    else:
        raise _BadFormat
    if spec.kind == "d":
        return _signed(spec, f"{abs(value):,}" if "," in spec.flags else str(abs(value)), negative=value < 0)
    digits = format(value if value >= 0 else value + (1 << bits), spec.kind)
    digits = ({"o": "0", "x": "0x"}[spec.kind] if "#" in spec.flags else "") + digits
    return digits.zfill(spec.width or 0) if "0" in spec.flags else digits


def _signed(spec: _Spec, digits: str, *, negative: bool) -> str:
    before, behind = ("(", ")") if negative and "(" in spec.flags else ("-", "") if negative else ("", "")
    if not negative:
        before = "+" if "+" in spec.flags else " " if " " in spec.flags else ""
    if "0" in spec.flags and spec.width:
        digits = digits.zfill(spec.width - len(before) - len(behind))
    return before + digits + behind


def _real(spec: _Spec, value: Any, type_: DataType) -> str:
    if not isinstance(type_, FloatType):
        raise _BadFormat
    if math.isnan(value):
        return "NaN"
    negative = math.copysign(1, value) < 0
    if math.isinf(value):
        return (
            "(Infinity)"
            if negative and "(" in spec.flags
            else "-Infinity"
            if negative
            else "+Infinity"
            if "+" in spec.flags
            else "Infinity"
        )
    shortest = Decimal(double_text(abs(value), single=type_.bits == 32))
    places = 6 if spec.precision is None else spec.precision
    if spec.kind == "g":
        places = max(places, 1)
        rounded = _to_digits(shortest, places)
        if rounded and not Decimal("1E-4") <= rounded < Decimal(10) ** places:
            return _signed(spec, _scientific(shortest, places - 1), negative=negative)
        whole_digits = rounded.adjusted() + 1 if rounded else 1
        return _signed(
            spec, _fixed(shortest, max(places - whole_digits, 0), commas="," in spec.flags), negative=negative
        )
    text = _scientific(shortest, places) if spec.kind == "e" else _fixed(shortest, places, commas="," in spec.flags)
    return _signed(spec, text, negative=negative)


def _to_digits(value: Decimal, digits: int) -> Decimal:
    if len(value.as_tuple().digits) <= digits:  # nothing to round, and no more digits than Decimal works with
        return value
    return value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1), ROUND_HALF_UP)


def _fixed(value: Decimal, places: int, *, commas: bool) -> str:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "infinities are told before"
    known = min(places, max(-exponent, 0))  # behind them stand zeros
    rounded = value.quantize(Decimal(1).scaleb(-known), ROUND_HALF_UP) if -exponent > known else value
    text = format(rounded, ",f" if commas else "f")
    return text + ("." if places and not known else "") + "0" * (places - known)


def _scientific(value: Decimal, places: int) -> str:
    if not value:
        return f"{'0.' + '0' * places if places else '0'}e+00"
    rounded = _to_digits(value, places + 1)
    digits = "".join(map(str, rounded.as_tuple().digits)).ljust(places + 1, "0")[: places + 1]
    exponent = rounded.adjusted()
    return f"{digits[0]}{'.' + digits[1:] if places else ''}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"


register(Function("PRINTF", "Text", _rule, _printf, "Values put into a format, as Java's Formatter does; NULL where they don't fit, as a DECIMAL for %f: CAST it to DOUBLE.",
                  ("PRINTF('%s is %d', 'a', 1)", "a is 1"), total=False))  # fmt: skip
