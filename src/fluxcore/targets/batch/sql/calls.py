"""Prints the aggregate functions that DuckDB computes to the digit as Flink does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.types import BooleanType, DecimalType, FloatType, IntegerType
from fluxcore.targets.batch.carriers import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall

_SUM_DIGITS_MAX = 28
"""Decimals of up to so many digits can be summed in 38 ten thousand million times."""


@dataclass(frozen=True)
class Parts:
    """A call as SQL: ``partial`` aggregates over rows, ``merge`` the functions that join such, ``final`` the result of them.

    Without ``merge`` what was aggregated can't be joined.
    """

    partial: tuple[str, ...]
    merge: tuple[str, ...]
    final: Callable[[Sequence[str]], str]


def printable_call(call: AggCall, types: Sequence[DataType]) -> bool:
    """Return whether DuckDB gives what Flink does for a call over columns of these types.

    What looks at the order of rows, gives lists, or rounds in a way of its own is aggregated by FluxCore.
    """
    if call.user is not None or call.parameters:
        return False
    if not call.args:
        return call.function == "COUNT"
    type_ = types[call.args[0]]
    if len(call.args) != 1 or duckdb_type(type_) is None:
        return False
    match call.function:
        case "COUNT":
            return True
        case "MIN" | "MAX":
            return not isinstance(type_, FloatType | BooleanType)
        case "SUM":
            if isinstance(type_, DecimalType):
                return type_.precision <= _SUM_DIGITS_MAX
            return isinstance(type_, IntegerType) or _is_double(type_)
        case "AVG":
            return isinstance(type_, IntegerType) or _is_double(type_)
    return False


def print_call(call: AggCall) -> Parts:
    """Return a printable call over columns c0, c1, …"""
    where = f" FILTER (WHERE c{call.where})" if call.where is not None else ""
    distinct = call.distinct and call.function not in ("MIN", "MAX")
    arg = f"c{call.args[0]}" if call.args else "*"
    inside = f"DISTINCT {arg}" if distinct else arg
    wanted = duckdb_type(call.type)
    partial: tuple[str, ...]
    merge: tuple[str, ...]
    match call.function:
        case "COUNT":
            partial, merge = (f"count({inside}){where}",), ("sum",)
            final: Callable[[Sequence[str]], str] = lambda found: f"CAST({found[0]} AS BIGINT)"  # noqa: E731
        case "MIN" | "MAX":
            name = call.function.lower()
            partial, merge, final = (f"{name}({arg}){where}",), (name,), _first
        case "SUM":
            partial, merge = (f"sum({inside}){where}",), ("sum",)
            bits = call.type.bits if isinstance(call.type, IntegerType) else 0
            final = (lambda found: f"CAST({_wrapped(found[0], bits)} AS {wanted})") if bits else _first
        case _:
            partial, merge = (f"sum({inside}){where}", f"count({inside}){where}"), ("sum", "sum")
            whole = isinstance(call.type, IntegerType)
            final = (lambda found: _average(found, wanted)) if whole else (lambda found: f"({found[0]} / {found[1]})")
    return Parts(partial, () if distinct else merge, final)


def _first(found: Sequence[str]) -> str:
    return found[0]


def _average(found: Sequence[str], wanted: str | None) -> str:
    """Return the average of integers, cut towards zero; the sum wraps at 64 bits."""
    total, count = found
    return f"CASE WHEN {count} > 0 THEN CAST({_wrapped(total, 64)} // {count} AS {wanted}) END"


def _wrapped(total: str, bits: int) -> str:
    """Return a HUGEINT as a two's complement of so many bits."""
    half = 1 << (bits - 1)
    return f"((({total}::HUGEINT + {half}::HUGEINT) & {2 * half - 1}::HUGEINT) - {half}::HUGEINT)"


def _is_double(type_: DataType) -> bool:
    return isinstance(type_, FloatType) and type_.bits == 64
