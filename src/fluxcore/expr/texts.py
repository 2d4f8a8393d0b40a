"""Text forms of values as Flink's CAST gives them."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def double_text(value: float, *, single: bool = False) -> str:
    """Return a DOUBLE (or FLOAT when ``single``) as Java writes it: ``1.0``, ``1.0E10``, ``NaN``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    shortest = str(np.float32(value)) if single else repr(value)
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    if len(text) == 1:  # two digits are written in any case: those next to the value
        written = np.format_float_scientific(np.float32(value), 1, unique=False) if single else f"{value:.1e}"
        sign, digits, exponent = Decimal(written).normalize().as_tuple()
        text, point = "".join(map(str, digits)), len(digits) + int(exponent)
    minus = "-" if sign else ""
    if 1e-3 <= abs(value) < 1e7:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{text}"
        whole, fraction = text[:point].ljust(point, "0"), text[point:] or "0"
        return f"{minus}{whole}.{fraction}"
    return f"{minus}{text[0]}.{text[1:] or '0'}E{point - 1}"


def timestamp_text(array: pa.Array, precision: int) -> pa.Array:
    """Return wall-clock timestamps as ``yyyy-MM-dd HH:mm:ss`` with ``precision`` digits of a fraction."""
    unit = "s" if precision == 0 else "ms" if precision <= 3 else "us" if precision <= 6 else "ns"
    whole = array.cast(pa.timestamp(array.type.unit)).cast(pa.timestamp(unit), safe=False)
    text = pc.strftime(whole, "%Y-%m-%d %H:%M:%S")
    full = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    return text if full == precision else pc.utf8_slice_codeunits(text, 0, 20 + precision)


def time_text(array: pa.Array, precision: int) -> pa.Array:
    """Return times of day as ``HH:mm:ss`` with at most 3 digits of a fraction."""
    text = array.cast(pa.string())
    return pc.utf8_slice_codeunits(text, 0, 8 if precision == 0 else 9 + min(precision, 3))


def milliseconds_text(value: int) -> str:
    """Return a day-time interval as ``+1 02:03:04.567``."""
    seconds, milliseconds = divmod(abs(value), 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{'-' if value < 0 else '+'}{day} {hour:02}:{minute:02}:{second:02}.{milliseconds:03}"


def months_text(value: int) -> str:
    """Return a year-month interval as ``+1-02``."""
    years, months = divmod(abs(value), 12)
    return f"{'-' if value < 0 else '+'}{years}-{months:02}"
