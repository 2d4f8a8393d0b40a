"""Names of partitions' folders: ``key=value``, escaped as Hive and Flink do, and values as text."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.types import (
    BooleanType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    StringType,
    TimestampType,
)
from fluxcore.expr.texts import double_text
from fluxcore.formats.faults import RowError
from fluxcore.formats.values import parse_text

if TYPE_CHECKING:
    from fluxcore.core.types import DataType

DEFAULT_NAME = "__DEFAULT_PARTITION__"
"""What stands for NULL, and for an empty text, when ``partition.default-name`` says nothing else."""

HIVE_NAME = "__HIVE_DEFAULT_PARTITION__"
"""What Hive, Spark and DuckDB write for it; it is read as NULL too, when ``partition.default-name`` says nothing else."""

_ESCAPED = re.compile(r"""[\x00-\x1f\x7f"#%'*/:=?\\{\}\[\]^]""")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_DAYS = re.compile(r"-?[0-9]{1,7}")
_NANOS_OF_DAY = 86400 * 10**9


def escaped(text: str) -> str:
    """Return a text as it stands in a folder's name: ``12:30`` is ``12%3A30``."""
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def unescaped(text: str) -> str:
    """Return what :func:`escaped` was given."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def is_nameable(type_: DataType) -> bool:
    """Return whether values of a type have a text that can name a folder."""
    if isinstance(type_, TimestampType):
        return not type_.local
    return isinstance(type_, BooleanType | IntegerType | FloatType | DecimalType | StringType | DateType)


def texts_of(values: pa.Array, type_: DataType) -> list[str | None]:
    """Return the text of each value, as Java writes it; NULL and an empty text are None. A DATE is ``2024-01-31``.

    Cost: plain Python for each value; give it distinct ones.
    """
    if isinstance(type_, TimestampType):
        scale = 1 if type_.precision > 6 else 1000
        plain = values.cast(pa.int64()).to_pylist()
        return [None if value is None else _timestamp_text(value * scale) for value in plain]
    return [None if value is None else _text(value, type_) or None for value in values.to_pylist()]


def value_of(text: str | None, type_: DataType) -> pa.Scalar:
    """Return the value that a text names. Raises: ``RowError`` where it is none of the type."""
    if text is None:
        return pa.scalar(None, type_.arrow())
    if isinstance(type_, BooleanType) and text.lower() not in ("true", "false"):
        raise RowError("not a BOOLEAN", value=text)
    if isinstance(type_, DateType) and _DAYS.fullmatch(text):
        return pa.scalar(int(text), pa.int32()).cast(type_.arrow())  # days since 1970: so Flink writes it
    value = parse_text(type_, text)
    if value is None:
        raise RowError(f"not a {type_.name()}", value=text)
    return pa.array([value], type_.arrow())[0]


def _text(value: Any, type_: DataType) -> str:
    if isinstance(type_, BooleanType):
        return "true" if value else "false"
    if isinstance(type_, FloatType):
        return double_text(value, single=type_.bits == 32)
    if isinstance(type_, DecimalType):
        return format(value, "f")
    return str(value)


def _timestamp_text(nanos: int) -> str:
    """Return a time as Java's LocalDateTime writes it: seconds and their fraction only where there are some."""
    days, rest = divmod(nanos, _NANOS_OF_DAY)
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
    minutes, rest = divmod(rest, 60 * 10**9)
    text = f"{day.isoformat()}T{minutes // 60:02}:{minutes % 60:02}"
    if rest == 0:
        return text
    seconds, fraction = divmod(rest, 10**9)
    text += f":{seconds:02}"
    for digits in (3, 6, 9):
        if fraction % 10 ** (9 - digits) == 0:
            return text + (f".{fraction // 10 ** (9 - digits):0{digits}}" if fraction else "")
    raise AssertionError(nanos)
