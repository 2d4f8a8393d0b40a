"""Calls that give any number of rows for each row of their input: UNNEST, and table functions written in Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.types import INT, ArrayType, DataType, MapType, RowType
from fluxcore.errors import FluxError, ScriptError
from fluxcore.expr.compile import compile_expr
from fluxcore.expr.show import show_expr
from fluxcore.expr.user_kernels import table_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.settings import Settings
    from fluxcore.core.user_functions import TableFunction
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import Expr

    Rows = tuple[NDArray[np.int64], list[pa.Array]]

UNNEST = "UNNEST"
REPEAT = "REPEAT"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCall:
    """A call over the columns of a row that gives rows of ``columns``; with ``ordinality`` the last one numbers them from 1."""

    function: str
    args: tuple[Expr, ...]
    columns: tuple[tuple[str, DataType], ...]
    ordinality: bool = False
    user: TableFunction | None = None
    span: Span | None = field(default=None, compare=False)

    def show(self, names: Sequence[str]) -> str:
        """Return the call as SQL; ``names`` are the input's column names by position."""
        inside = ", ".join(show_expr(arg, names) for arg in self.args)
        return f"{self.function}({inside}){' WITH ORDINALITY' if self.ordinality else ''}"


def unnest_call(arg: Expr, *, ordinality: bool = False, span: Span | None = None) -> TableCall:
    """Return the call that gives a row for each element of an array or multiset, or entry of a map.

    Elements that are rows become one column a field, and one that is NULL none, as in Flink. Raises: ``ScriptError`` FX-SQL-0316 for any other type.
    """
    type_ = arg.type
    if isinstance(type_, MapType) and not type_.multiset:
        columns: tuple[tuple[str, DataType], ...] = (("KEY", type_.key), ("VALUE", type_.value))
    elif isinstance(type_, ArrayType | MapType):
        element = type_.element if isinstance(type_, ArrayType) else type_.key
        columns = _columns_of(element)
    else:
        message = f"UNNEST takes an ARRAY, a MAP or a MULTISET, and this is {type_.name()}"
        raise ScriptError("FX-SQL-0316", message, span=arg.span or span)
    if ordinality:
        columns += (("ORDINALITY", INT.with_nullable(False)),)
    return TableCall(function=UNNEST, args=(arg,), columns=columns, ordinality=ordinality, span=span)


def repeat_call(times: Expr) -> TableCall:
    """Return the call that gives as many rows as a whole number says, of no column."""
    return TableCall(function=REPEAT, args=(times,), columns=())


def _columns_of(element: DataType) -> tuple[tuple[str, DataType], ...]:
    if isinstance(element, RowType):
        return element.fields
    return (("EXPR$0", element),)


def compile_table_call(call: TableCall, settings: Settings) -> Callable[[pa.RecordBatch], Rows]:
    """Return the function of a batch that gives, for each row of the call, its row in the batch (not falling), and columns."""
    if call.user is not None:
        return _compile_user(call, call.user, settings)
    compute = compile_expr(call.args[0], settings)
    if call.function == REPEAT:
        return lambda batch: (np.repeat(np.arange(batch.num_rows), np.asarray(compute(batch))), [])
    assert call.function == UNNEST
    type_ = call.args[0].type
    types = [each.arrow() for _, each in call.columns]

    def run(batch: pa.RecordBatch) -> Rows:
        rows, numbers, columns = _elements(compute(batch), type_)
        if call.ordinality:
            columns.append(pa.array(numbers + 1, pa.int32()))
        return rows, [
            each if each.type == wanted else each.cast(wanted, safe=False)
            for each, wanted in zip(columns, types, strict=True)
        ]

    return run


def _compile_user(call: TableCall, user: TableFunction, settings: Settings) -> Callable[[pa.RecordBatch], Rows]:
    computes = [compile_expr(arg, settings) for arg in call.args]
    give = table_kernel(user, len(computes))

    def run(batch: pa.RecordBatch) -> Rows:
        try:
            return give([compute(batch) for compute in computes], batch.num_rows)
        except FluxError as error:
            if error.span is None:
                error.span = call.span
            raise

    return run


def _elements(lists: pa.Array, type_: DataType) -> tuple[NDArray[np.int64], NDArray[np.int64], list[pa.Array]]:
    """Return for each element its row, its place in it from 0, and the columns that it becomes."""
    offsets = np.asarray(lists.offsets, np.int64)
    lengths = np.diff(offsets)
    if lists.null_count:
        lengths[np.asarray(lists.is_null())] = 0
    rows = np.repeat(np.arange(len(lists), dtype=np.int64), lengths)
    places = np.arange(len(rows), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    start, end = (int(offsets[0]), int(offsets[-1])) if len(lists) else (0, 0)
    is_map = isinstance(type_, MapType)
    parts = [lists.keys, lists.items] if is_map else [lists.values]
    if len(rows) == end - start:
        found = [each.slice(start, end - start) for each in parts]
    else:  # what stands behind a NULL is left out
        chosen = pa.array(np.repeat(offsets[:-1], lengths) + places)
        found = [each.take(chosen) for each in parts]
    if isinstance(type_, MapType) and type_.multiset:
        return _repeated(rows, found)
    if isinstance(type_, ArrayType) and isinstance(type_.element, RowType):
        return _fields(rows, places, found[0])
    return rows, places, found


def _fields(
    rows: NDArray[np.int64], places: NDArray[np.int64], elements: pa.Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[pa.Array]]:
    """Return rows as a column for each field; one that is NULL is none."""
    if elements.null_count:
        there = np.asarray(elements.is_valid())
        rows, places, elements = rows[there], places[there], elements.filter(pa.array(there))
    return rows, places, elements.flatten()


def _repeated(
    rows: NDArray[np.int64], found: list[pa.Array]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[pa.Array]]:
    """Return the elements of multisets, each as often as it occurs."""
    keys, counts = found[0], np.asarray(found[1], np.int64)
    keys = keys.take(pa.array(np.repeat(np.arange(len(keys)), counts)))
    repeated = np.repeat(rows, counts)
    starts = np.flatnonzero(np.diff(repeated, prepend=-1))
    lengths = np.diff(np.append(starts, len(repeated)))
    places = np.arange(len(repeated), dtype=np.int64) - np.repeat(starts, lengths)
    return _fields(repeated, places, keys) if pa.types.is_struct(keys.type) else (repeated, places, [keys])
