"""Result types of aggregate and OVER functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import (
    BIGINT,
    DOUBLE,
    STRING,
    ArrayType,
    DataType,
    DecimalType,
    FloatType,
    IntegerType,
    MapType,
    StringType,
    is_numeric,
)
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.errors import Span

AGGREGATES = frozenset(
    {"COUNT", "SUM", "MIN", "MAX", "AVG", "STDDEV_POP", "STDDEV_SAMP", "STDDEV", "VAR_POP", "VAR_SAMP", "VARIANCE",
     "FIRST_VALUE", "LAST_VALUE", "PERCENTILE", "LISTAGG", "ARRAY_AGG", "COLLECT", "APPROX_COUNT_DISTINCT"}
)  # fmt: skip
"""Names that mean an aggregate in SQL."""

OVER_ONLY = frozenset({"LAG", "LEAD", "ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "PERCENT_RANK", "CUME_DIST"})
"""Names that only stand before OVER."""

_SPREAD = {"STDDEV_POP", "STDDEV_SAMP", "STDDEV", "VAR_POP", "VAR_SAMP", "VARIANCE"}


def is_aggregate(name: str) -> bool:
    """Return whether a name is an aggregate function."""
    return name.upper() in AGGREGATES


def is_group_window(name: str) -> bool:
    """Return whether a function stands for a window in GROUP BY or for one of its marks, such as TUMBLE_START."""
    kind, _, mark = name.partition("_")
    return kind in ("TUMBLE", "HOP", "SESSION") and mark in ("", "START", "END", "ROWTIME", "PROCTIME")


def is_over_function(name: str) -> bool:
    """Return whether a name is a function that only OVER can follow."""
    return name.upper() in OVER_ONLY


def aggregate_type(
    function: str, args: Sequence[DataType], *, distinct: bool = False, span: Span | None = None
) -> DataType:
    """Return the result type of an aggregate or OVER function over arguments of these types.

    Raises: ``ScriptError`` FX-SQL-0211 for an unknown function, FX-SQL-0314 for arguments that it doesn't take.
    """
    name = function.upper()
    if name not in AGGREGATES and name not in OVER_ONLY:
        hint = nearest(function, AGGREGATES | OVER_ONLY)
        raise ScriptError("FX-SQL-0211", f"there is no aggregate function '{function}'", span=span, hint=hint)
    type_ = _type(name, list(args))
    if type_ is None or (distinct and not args):
        given = ", ".join(arg.name() for arg in args)
        raise ScriptError("FX-SQL-0314", f"{name} can't take ({given})", span=span)
    return type_


def _type(name: str, args: list[DataType]) -> DataType | None:
    if name in {"COUNT", "ROW_NUMBER", "RANK", "DENSE_RANK"}:
        return BIGINT.with_nullable(False) if len(args) <= 1 else None
    if not args:
        return None
    first = args[0].with_nullable(True)
    if name == "APPROX_COUNT_DISTINCT":
        return BIGINT.with_nullable(False)
    if name in {"LAG", "LEAD"}:
        return first if len(args) <= 3 else None
    if name == "PERCENTILE":
        return DOUBLE if is_numeric(first) and 2 <= len(args) <= 3 and is_numeric(args[1]) else None
    if name == "LISTAGG":
        return STRING if isinstance(first, StringType) and len(args) <= 2 else None
    if len(args) != 1:
        return None
    if name in {"MIN", "MAX", "FIRST_VALUE", "LAST_VALUE"}:
        return None if isinstance(first, ArrayType | MapType) else first
    if name == "ARRAY_AGG":
        return ArrayType(element=args[0])
    if name == "COLLECT":
        return MapType(key=args[0], value=IntegerType(bits=32, nullable=False), multiset=True)
    if not is_numeric(first):
        return None
    return _number_type(name, first)


def _number_type(name: str, first: DataType) -> DataType:
    if name in _SPREAD:
        return DOUBLE if isinstance(first, FloatType) or not isinstance(first, DecimalType) else first
    if isinstance(first, DecimalType):
        return DecimalType(precision=38, scale=first.scale if name == "SUM" else max(first.scale, 6))
    return first
