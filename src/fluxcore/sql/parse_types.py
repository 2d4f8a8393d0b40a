"""Parses type names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import types as t
from fluxcore.errors import ScriptError
from fluxcore.sql.cursor import Cursor
from fluxcore.sql.lexer import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.types import DataType

_PLAIN: dict[str, DataType] = {
    "BOOLEAN": t.BOOLEAN,
    "TINYINT": t.TINYINT,
    "SMALLINT": t.SMALLINT,
    "INT": t.INT,
    "INTEGER": t.INT,
    "BIGINT": t.BIGINT,
    "FLOAT": t.FLOAT,
    "REAL": t.FLOAT,
    "STRING": t.STRING,
    "BYTES": t.BYTES,
    "DATE": t.DATE,
    "VARIANT": t.VARIANT,
}


def parse_type(cursor: Cursor) -> DataType:
    """Return the type that stands at the cursor, with NOT NULL, ARRAY and MULTISET behind it."""
    with cursor.deeper():
        found = _nullable(cursor, _base(cursor))
        while cursor.is_word("ARRAY") or cursor.is_word("MULTISET"):
            if cursor.advance().word == "ARRAY":
                found = t.ArrayType(element=found)
            else:
                found = t.MapType(key=found, value=t.INT.with_nullable(False), multiset=True)
            found = _nullable(cursor, found)
        return found


def _nullable(cursor: Cursor, type_: DataType) -> DataType:
    if cursor.take_word("NOT", "NULL"):
        return type_.with_nullable(False)
    if not cursor.is_word("NULL", "ON"):  # JSON functions: RETURNING INT NULL ON EMPTY
        cursor.take_word("NULL")
    return type_


def _base(cursor: Cursor) -> DataType:
    token = cursor.token
    word = token.word
    if word in _PLAIN:
        cursor.advance()
        return _PLAIN[word]
    make = _MAKERS.get(word)
    if make is None:
        raise ScriptError(
            "FX-SQL-0301", f"{token.shown()} is no type", span=token.span, hint="such as BIGINT or STRING"
        )
    cursor.advance()
    return make(cursor)


def _number(cursor: Cursor, default: int, low: int, high: int) -> int:
    if not cursor.take_symbol("("):
        return default
    token = cursor.token
    value = cursor.integer()
    if not low <= value <= high:
        raise ScriptError("FX-SQL-0302", f"this must be between {low} and {high}", span=token.span)
    cursor.need_symbol(")")
    return value


def _decimal(cursor: Cursor) -> DataType:
    precision, scale = 10, 0
    if cursor.take_symbol("("):
        token = cursor.token
        precision = cursor.integer()
        if cursor.take_symbol(","):
            scale = cursor.integer()
        cursor.need_symbol(")")
        if not (1 <= precision <= 38 and scale <= precision):
            message = "DECIMAL(p, s) needs p from 1 to 38 and s from 0 to p"
            raise ScriptError("FX-SQL-0302", message, span=token.span)
    return t.DecimalType(precision=precision, scale=scale)


def _text(fixed: bool, bytes_: bool) -> Callable[[Cursor], DataType]:
    def make(cursor: Cursor) -> DataType:
        length = _number(cursor, 1, 1, t.VARCHAR_MAX)
        return t.BytesType(length=length, fixed=fixed) if bytes_ else t.StringType(length=length, fixed=fixed)

    return make


def _timestamp(cursor: Cursor) -> DataType:
    precision = _number(cursor, 6, 0, 9)
    if cursor.take_word("WITH", "LOCAL", "TIME", "ZONE"):
        return t.TimestampType(precision=precision, local=True)
    if cursor.is_word("WITH", "TIME"):
        raise cursor.unsupported("TIMESTAMP WITH TIME ZONE")
    cursor.take_word("WITHOUT", "TIME", "ZONE")
    return t.TimestampType(precision=precision)


def _time(cursor: Cursor) -> DataType:
    precision = _number(cursor, 0, 0, 9)
    cursor.take_word("WITHOUT", "TIME", "ZONE")
    return t.TimeType(precision=min(precision, 3))


def _double(cursor: Cursor) -> DataType:
    cursor.take_word("PRECISION")
    return t.DOUBLE


def _interval(cursor: Cursor) -> DataType:
    unit = cursor.advance().word
    _number(cursor, 2, 1, 9)
    if cursor.take_word("TO"):
        cursor.advance()
        _number(cursor, 6, 0, 9)
    return t.IntervalType(months=unit in ("YEAR", "MONTH"))


def _array(cursor: Cursor) -> DataType:
    cursor.need_symbol("<")
    element = parse_type(cursor)
    close(cursor)
    return t.ArrayType(element=element)


def _multiset(cursor: Cursor) -> DataType:
    cursor.need_symbol("<")
    element = parse_type(cursor)
    close(cursor)
    return t.MapType(key=element, value=t.INT.with_nullable(False), multiset=True)


def _map(cursor: Cursor) -> DataType:
    cursor.need_symbol("<")
    key = parse_type(cursor)
    cursor.need_symbol(",")
    value = parse_type(cursor)
    close(cursor)
    return t.MapType(key=key, value=value)


def close(cursor: Cursor) -> None:
    """Move behind the ``>`` of a type's parameters."""
    cursor.need_symbol(">")


def _row(cursor: Cursor) -> DataType:
    brackets = cursor.take_symbol("(")
    if not brackets:
        if cursor.take_symbol("<>"):
            return t.RowType(fields=())
        cursor.need_symbol("<")

    def one() -> tuple[str, DataType]:
        name = cursor.name("a field")
        type_ = parse_type(cursor)
        if cursor.token.kind.name == "STRING":
            cursor.advance()
        return name, type_

    fields = cursor.listed(one)
    if brackets:
        cursor.need_symbol(")")
    else:
        close(cursor)
    return t.RowType(fields=fields)


_MAKERS: dict[str, Callable[[Cursor], DataType]] = {
    "DECIMAL": _decimal,
    "DEC": _decimal,
    "NUMERIC": _decimal,
    "CHAR": _text(True, False),
    "VARCHAR": _text(False, False),
    "BINARY": _text(True, True),
    "VARBINARY": _text(False, True),
    "DOUBLE": _double,
    "TIME": _time,
    "TIMESTAMP": _timestamp,
    "TIMESTAMP_LTZ": lambda cursor: t.TimestampType(precision=_number(cursor, 6, 0, 9), local=True),
    "INTERVAL": _interval,
    "ARRAY": _array,
    "MULTISET": _multiset,
    "MAP": _map,
    "ROW": _row,
}


def type_of(text: str) -> DataType:
    """Return the type that a text names, such as ``DECIMAL(10, 2)``. Raises ``ScriptError``."""
    cursor = Cursor(tokens(text))
    found = parse_type(cursor)
    if not cursor.at_end():
        raise cursor.unexpected("the end of the type")
    return found
