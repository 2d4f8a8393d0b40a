"""JSON text and values: numbers keep their digits, keys are written in order, as Flink's JSON functions do."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from decimal import Decimal
from typing import Any

from fluxcore.core.types import (
    ArrayType,
    BooleanType,
    BytesType,
    DataType,
    DecimalType,
    FloatType,
    IntegerType,
    MapType,
    RowType,
    StringType,
    TimestampType,
    VariantType,
)
from fluxcore.expr.texts import double_text

_BLANK = re.compile(r"[ \t\n\r]*")
_UNSAFE = re.compile(r'[\x00-\x1f"\\]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_WORD_START = re.compile(r"[A-Za-z0-9_$]")


def _exact(text: str) -> Decimal:
    found = Decimal(text)
    return found if found else abs(found)


def refused(text: str) -> Any:
    """Raise ``ValueError`` for a constant such as NaN, which is no JSON."""
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_float=_exact, parse_constant=refused)


def parse(text: str) -> Any:
    """Return a JSON value; numbers with a point or an exponent are ``Decimal``. What follows the value does not count.

    Raises: ``ValueError`` for what is no JSON, ``RecursionError`` for too deep nesting.
    """
    return first_value(text, _DECODER)


def first_value(text: str, decoder: json.JSONDecoder) -> Any:
    """Return what a decoder makes of the first JSON value of a text. Raises as :func:`parse`."""
    start = _BLANK.match(text)
    assert start is not None
    value, end = decoder.raw_decode(text, start.end())
    last, follower = text[end - 1], text[end : end + 1]
    if (
        follower
        and last not in '"]}'
        and (follower not in " \t\n\r" if last.isdigit() else _WORD_START.match(follower))
    ):
        raise ValueError(f"'{follower}' can't follow a number or a word")
    return value


def write(value: Any) -> str:
    """Return a value as JSON without blanks, the keys of objects in order."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{quoted(key)}:{write(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return str(value)


def quoted(text: str) -> str:
    """Return a text in double quotes, with what JSON can't hold escaped."""
    return '"' + _UNSAFE.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return _SHORT.get(letter) or f"\\u{ord(letter):04X}"


def storable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no column can hold."""
    return text.encode("utf-8", "replace").decode()


def java_numbers(text: str) -> str:
    """Return a VARIANT's text with its numbers as Flink shows them: DOUBLEs in Java's form, DECIMALs without zeros at their end."""
    return write(_JAVA_NUMBERS.decode(text)) if "E" in text or "." in text else text


class Raw:
    """A text that is JSON already and is written as it is."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def is_json_type(type_: DataType) -> bool:
    """Return whether values of a type can be written as JSON."""
    if isinstance(type_, ArrayType):
        return is_json_type(type_.element)
    if isinstance(type_, MapType):
        return isinstance(type_.key, StringType) and is_json_type(type_.value)
    if isinstance(type_, RowType):
        return all(is_json_type(field) for _, field in type_.fields)
    plain = StringType | BooleanType | DecimalType | IntegerType | FloatType | TimestampType | BytesType | VariantType
    return isinstance(type_, plain)


def json_value(value: Any, type_: DataType) -> Any:
    """Return a column's value (as ``to_pylist`` gives it) as a JSON value."""
    if value is None:
        return None
    match type_:
        case FloatType():
            return float_value(float(value))
        case TimestampType():
            return _moment(value, type_)
        case VariantType():
            return Raw(java_numbers(value))
        case BytesType():
            return base64.b64encode(value).decode()
        case ArrayType():
            return [json_value(each, type_.element) for each in value]
        case MapType():
            return {key: json_value(each, type_.value) for key, each in dict(value).items()}
        case RowType():
            return {name: json_value(value[name], field) for name, field in type_.fields}
    return value


def float_value(value: float) -> Any:
    """Return a DOUBLE as the decimal that Java makes of it; NaN and the infinite ones as texts."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _exact(double_text(value))


def _moment(value: dt.datetime, type_: TimestampType) -> str:
    """Return a time as ISO 8601 with as many digits of a fraction as it has."""
    nanos = getattr(value, "nanosecond", 0)
    fraction = f"{value.microsecond:06}{nanos:03}".rstrip("0")
    text = f"{value.year:04}-{value:%m-%dT%H:%M:%S}"
    return text + (f".{fraction}" if fraction else "") + ("Z" if type_.local else "")


def _java_number(text: str) -> Raw:
    return Raw(double_text(float(text)) if "E" in text else text.rstrip("0").rstrip("."))


_JAVA_NUMBERS = json.JSONDecoder(parse_float=_java_number, parse_int=Raw)
