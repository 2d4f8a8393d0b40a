"""Prints the expressions that mean the same in DuckDB: columns, constants, comparisons, three-valued logic."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from fluxcore.core import quotes
from fluxcore.core.types import (
    BytesType,
    DataType,
    DateType,
    FloatType,
    IntegerType,
    StringType,
    TimestampType,
    TimeType,
    same,
)
from fluxcore.expr.compile import literal_scalar
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Expr, Literal
from fluxcore.targets.batch.carriers import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"})
_TESTS = frozenset(
    {"IS NULL", "IS NOT NULL", "IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS UNKNOWN", "IS NOT UNKNOWN"}
)


def printable(expr: Expr) -> bool:
    """Return whether DuckDB gives what Flink does for an expression.

    Arithmetic, conversions and functions are computed by FluxCore: they overflow, round and fail in other ways there. So are
    comparisons of floats, of which NaN equals nothing here and itself there.
    """
    match expr:
        case ColumnRef():
            return duckdb_type(expr.type) is not None
        case Literal():
            return duckdb_type(expr.type) is not None and not isinstance(expr.type, FloatType)
        case Cast():
            return _same_values(expr.arg.type, expr.type) and printable(expr.arg)
        case Call():
            if expr.function in _COMPARISONS:
                left, right = expr.args
                fits = _comparable(left.type, right.type)
            else:
                fits = expr.function in ("AND", "OR", "NOT") or expr.function in _TESTS
            return fits and all(printable(arg) for arg in expr.args)
    return False


def print_expr(expr: Expr, column: Callable[[int], str]) -> str:
    """Return a printable expression as SQL. In: ``column`` names the column at a position."""
    match expr:
        case ColumnRef():
            return column(expr.index)
        case Literal():
            return print_literal(expr)
        case Cast():
            inner = print_expr(expr.arg, column)
            return inner if not isinstance(expr.type, IntegerType) else f"CAST({inner} AS {duckdb_type(expr.type)})"
        case Call():
            args = [print_expr(arg, column) for arg in expr.args]
            if expr.function == "NOT":
                return f"(NOT {args[0]})"
            if expr.function in _TESTS:
                test = expr.function.replace("UNKNOWN", "NULL")
                return f"({args[0]} {test})"
            return "(" + f" {expr.function} ".join(args) + ")"
    raise AssertionError(f"{type(expr).__name__} is not printable")


def print_literal(literal: Literal) -> str:
    """Return a constant in the form in which its type travels."""
    type_, value = duckdb_type(literal.type), literal.value
    if value is None:
        return f"CAST(NULL AS {type_})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bytes):
        return f"from_hex('{value.hex()}')"
    if isinstance(value, dt.date | dt.time | dt.datetime):
        value = literal_scalar(literal).value
    if isinstance(value, Decimal):
        value = format(value, "f")
    return f"CAST('{value}' AS {type_})"


def quoted(text: str) -> str:
    """Return a text as a constant."""
    parts = text.split("\0")
    told = [quotes.text(part) for part in parts]
    return told[0] if len(told) == 1 else "(" + " || chr(0) || ".join(told) + ")"


def _comparable(left: DataType, right: DataType) -> bool:
    """Return whether DuckDB compares two values, as they travel, like Flink."""
    if isinstance(left, FloatType) or isinstance(right, FloatType):
        return False
    if same(left, right):
        return True
    alike = (StringType, BytesType, IntegerType, DateType, TimeType)
    if any(isinstance(left, kind) and isinstance(right, kind) for kind in alike):
        return True
    return isinstance(left, TimestampType) and _same_values(left, right)


def _same_values(source: DataType, target: DataType) -> bool:
    """Return whether a conversion leaves a value, as it travels, what it is."""
    if same(source, target):
        return True
    if isinstance(source, IntegerType) and isinstance(target, IntegerType):
        return source.bits <= target.bits
    if isinstance(source, TimestampType) and isinstance(target, TimestampType):
        finer = source.precision <= target.precision
        return finer and source.local == target.local and source.units_per_ms == target.units_per_ms
    whole = isinstance(target, StringType) and target == StringType(nullable=target.nullable)
    return isinstance(source, StringType) and whole and not source.fixed
