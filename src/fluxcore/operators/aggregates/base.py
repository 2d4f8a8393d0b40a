"""What an accumulator is, and how a call becomes one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.types import DecimalType
from fluxcore.operators.sort_words import raw_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall

    Int64s = NDArray[np.int64]
    Columns = Mapping[str, Any]

NO_MASK = np.zeros(0, np.bool_)
NO_WEIGHTS = np.zeros(0, np.int8)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that an accumulator takes: slot per row, argument columns, which rows count, weights, arrival numbers."""

    slots: Int64s
    args: list[pa.Array]
    where: NDArray[np.bool_]
    weights: NDArray[np.int8]
    first_row: int = 0

    def valid(self) -> NDArray[np.bool_]:
        """Return which rows count: FILTER holds and the first argument is not NULL; empty when all do."""
        if not self.args or self.args[0].null_count == 0:
            return self.where
        known = ~np.asarray(self.args[0].is_null())
        return known & self.where if len(self.where) else known

    def counted(self) -> tuple[Int64s, pa.Array, NDArray[np.int8]]:
        """Return slots, first argument and weights (empty: all 1) of the rows that count."""
        valid = self.valid()
        if not len(valid):
            return self.slots, self.args[0], self.weights
        chosen = np.flatnonzero(valid)
        weights = self.weights[chosen] if len(self.weights) else self.weights
        return self.slots[chosen], self.args[0].take(pa.array(chosen)), weights


class Accumulator(ABC):
    """One aggregate call. Its state stands in columns named ``prefix`` + name of a keyed table."""

    takes_retractions = False
    mergeable = True
    """Whether states that were made apart may be merged in any order."""
    merges = True
    """Whether states that were made apart can be merged at all."""

    def __init__(self, call: AggCall, arg_type: DataType | None, prefix: str) -> None:
        self.call = call
        self.arg_type = arg_type
        self.prefix = prefix

    @abstractmethod
    def columns(self) -> dict[str, str]:
        """Return the state's columns: name without prefix -> NumPy dtype."""

    @abstractmethod
    def update(self, columns: Columns, rows: Rows) -> None:
        """Take rows."""

    @abstractmethod
    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add the state of ``from_slots`` of another table to ``slots``, in the order given."""

    @abstractmethod
    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the results at slots, in the call's Arrow type."""

    def open(self, state: StateBackend, name: str) -> None:  # noqa: B027
        """Make what is kept outside the columns; ``name`` tells this accumulator's tables from others."""

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add to ``slots`` what ``giver``, an accumulator of the same call, knows of its ``from_slots``."""
        del giver
        self.merge(into, slots, source, from_slots)

    def forget(self, columns: Columns, slots: Int64s) -> None:  # noqa: B027
        """Drop what is kept outside the columns for these distinct slots."""

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:  # noqa: ARG002
        """Return what is kept outside the columns for these slots, which it names by their places among them.

        In: ``owner`` is the name of the frozen batch that has a row for each slot.
        """
        return {}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:  # noqa: B027
        """Take what :meth:`freeze` gave for slots that are now ``slots``; their columns are back already."""

    def scratch(self) -> Accumulator:
        """Return an accumulator for a table in which windows are merged; it is opened apart."""
        return type(self)(self.call, self.arg_type, self.prefix)

    def at(self, columns: Columns, name: str) -> Any:
        """Return a state column."""
        return columns[self.prefix + name]


def numbers(array: pa.Array) -> Any:
    """Return fixed-width values as int64 or float64, NULLs as anything."""
    type_ = array.type
    if pa.types.is_floating(type_):
        return np.asarray(array.fill_null(0.0) if array.null_count else array).astype(np.float64, copy=False)
    if pa.types.is_boolean(type_):
        return np.asarray(array.cast(pa.int8()).fill_null(0)).astype(np.int64)
    return raw_values(array, f"i{type_.bit_width // 8}").astype(np.int64, copy=False)


def wide_words(array: pa.Array) -> Any:
    """Return decimals as 128-bit integers: uint64, rows x 2, low word first."""
    data = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, 2)
    return data[array.offset : array.offset + len(array)]


def from_numbers(values: Any, type_: pa.DataType, nulls: Any) -> pa.Array:
    """Return int64 or float64 values as an Arrow array of a fixed-width type; integers wrap."""
    mask = nulls if nulls is not None and nulls.any() else None
    if pa.types.is_boolean(type_):
        return pa.array(values != 0, mask=mask)
    if pa.types.is_floating(type_):
        return pa.array(values, mask=mask).cast(type_)
    narrow = np.ascontiguousarray(values.astype(f"i{type_.bit_width // 8}"))
    bitmap = None if mask is None else pa.array(~mask).buffers()[1]
    return pa.Array.from_buffers(type_, len(narrow), [bitmap, pa.py_buffer(narrow)])


def is_wide(type_: DataType | None) -> bool:
    """Return whether values are decimals, which take two words."""
    return isinstance(type_, DecimalType)
