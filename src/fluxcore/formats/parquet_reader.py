"""Reads Parquet files, one unit a row group.

1. ``take`` passes over row groups whose statistics exclude every row.
2. ``decode`` reads the columns of the predicate first, and the others only when a row passes.
"""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fluxcore.core.arrays import whole
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Signal, SplitReader
from fluxcore.core.types import TimestampType
from fluxcore.errors import DataError, Place, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import Bound
    from fluxcore.core.schema import Column
    from fluxcore.core.types import DataType
    from fluxcore.formats.base import DecodeRequest

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_CUT = datetime.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group: its number, and the number of its first row in the file."""

    number: int
    first_row: int


class ParquetReader(SplitReader):
    """Reads the wanted columns of a file; each thread has its own handle."""

    def __init__(self, path: str, request: DecodeRequest, position: Mapping[str, Any] | None = None) -> None:
        assert request.columns, "a scan of no columns can't carry a number of rows"
        self._path = path
        self._request = request
        self._wanted = [request.schema[index] for index in request.columns]
        self.arrow = pa.schema([pa.field(each.name, each.type.arrow(), each.type.nullable) for each in self._wanted])
        self._local = threading.local()
        self._lock = threading.Lock()
        self._handles: list[pq.ParquetFile] = []
        try:
            first = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise DataError(
                "FX-DAT-0010",
                f"the file is not Parquet: {str(error).splitlines()[0]}",
                place=Place(file=path),
                hint="is the table's format right, and the file complete?",
            ) from error
        self._handles.append(first)
        self._metadata = first.metadata
        try:
            self._check(first.schema_arrow)
        except DataError:
            first.close()
            raise
        self._leaves = {self._metadata.schema.column(leaf).path: leaf for leaf in range(self._metadata.num_columns)}
        self._next = int(position["row_group"]) if position else 0
        self._row = sum(self._metadata.row_group(number).num_rows for number in range(self._next))

    def take(self) -> RowGroup | Signal:
        """Return the next row group that may hold a row that passes."""
        while self._next < self._metadata.num_row_groups:
            unit = RowGroup(self._next, self._row)
            group = self._metadata.row_group(self._next)
            self._next += 1
            self._row += group.num_rows
            bounds = self._request.pushdown.bounds if self._request.pushdown is not None else ()
            if group.num_rows and not any(self._excludes(group, bound) for bound in bounds):
                return unit
        return Signal.END

    def decode(self, unit: RowGroup) -> Batch:
        """Return the rows of a row group that pass the predicate."""
        pushdown = self._request.pushdown
        everything = range(len(self._wanted))
        if pushdown is None:
            return self._batch(self._read(unit, everything))
        early = sorted(set(pushdown.columns)) or list(everything)
        arrays = self._read(unit, early)
        count = len(next(iter(arrays.values())))
        known = [
            arrays[slot] if slot in arrays else pa.nulls(count, self.arrow.field(slot).type) for slot in everything
        ]
        nullable = pa.schema([field.with_nullable(True) for field in self.arrow])
        mask = pushdown.mask(pa.RecordBatch.from_arrays(known, schema=nullable))
        if mask.null_count:
            mask = pc.fill_null(mask, False)
        passed = mask.true_count
        if passed == 0:
            return Batch(pa.RecordBatch.from_arrays([array.slice(0, 0) for array in known], schema=self.arrow))
        arrays |= self._read(unit, [slot for slot in everything if slot not in arrays])
        if passed == count:
            return self._batch(arrays)
        rows = pa.array(np.flatnonzero(mask.to_numpy(zero_copy_only=False)))
        return self._batch({slot: array.take(rows) for slot, array in arrays.items()})

    def position(self) -> Mapping[str, Any]:
        """Return the next row group."""
        return {"file": self._path, "row_group": self._next}

    def close(self) -> None:
        """Close all handles."""
        for handle in self._handles:
            handle.close()

    def _batch(self, arrays: dict[int, pa.Array]) -> Batch:
        return Batch(pa.RecordBatch.from_arrays([arrays[slot] for slot in sorted(arrays)], schema=self.arrow))

    def _file(self) -> pq.ParquetFile:
        handle = getattr(self._local, "file", None)
        if handle is None:
            handle = pq.ParquetFile(self._path, metadata=self._metadata)
            self._local.file = handle
            with self._lock:
                self._handles.append(handle)
        return handle

    def _read(self, unit: RowGroup, slots: Sequence[int]) -> dict[int, pa.Array]:
        """Return these wanted columns of a row group, in the table's types."""
        if not slots:
            return {}
        names = [self._wanted[slot].name for slot in slots]
        try:
            table = self._file().read_row_group(unit.number, columns=names, use_threads=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise self._broken(error) from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise self._broken(error) from error
        found: dict[int, pa.Array] = {}
        for slot in slots:
            column = self._wanted[slot]
            array = self._converted(column, whole(table.column(column.name)))
            if not column.type.nullable and array.null_count:
                self._refuse_nulls(unit, column, array)
            found[slot] = array
        return found

    def _broken(self, error: Exception) -> DataError:
        return DataError("FX-DAT-0010", f"the file can't be read: {error}", place=Place(file=self._path))

    def _refuse_nulls(self, unit: RowGroup, column: Column, array: pa.Array) -> None:
        """Raise ``DataError`` FX-DAT-0013: the columns of a row group can't lose single rows."""
        row = pc.index(array.is_null(), True).as_py()
        raise DataError(
            "FX-DAT-0013",
            f"row {unit.first_row + row + 1}: null in a column of type {column.type.sql()}",
            place=Place(file=self._path, field=column.name),
            hint="an event time is never NULL, nor a NOT NULL column; a row policy can't skip rows of a Parquet file",
        )

    def _converted(self, column: Column, array: pa.Array) -> pa.Array:
        """Return the array in the table's type; times are cut to its precision, and nothing wraps."""
        target, held = column.type.arrow(), array.type
        if array.type != target:
            try:
                array = _floored(array, target) if _narrows(array.type, target) else array.cast(target)
            except pa.ArrowInvalid as error:
                raise DataError(
                    "FX-DAT-0012",
                    f"a value does not fit {column.type.name()}: {error}",
                    place=Place(file=self._path, field=column.name),
                    hint="declare the column with a wider type",
                ) from error
        return array if _coarse(column.type, held) else _cut(column.type, array)

    def _check(self, schema: pa.Schema) -> None:
        """Raise ``DataError`` FX-DAT-0011 for a column that the file lacks or holds in another kind of type."""
        for column in self._wanted:
            if column.name not in schema.names:
                hint = nearest(column.name, schema.names) or f"the file has {', '.join(schema.names)}"
                raise DataError(
                    "FX-DAT-0011", f"the file has no column '{column.name}'", place=Place(file=self._path), hint=hint
                )
            held = schema.field(column.name).type
            if not _fits(held, column.type.arrow()):
                raise DataError(
                    "FX-DAT-0011",
                    f"the file holds {held}, which is no {column.type.name()}",
                    place=Place(file=self._path, field=column.name),
                    hint="declare the column with the type of the file",
                )

    def _excludes(self, group: Any, bound: Bound) -> bool:
        """Return whether statistics say that no row of the group meets a bound."""
        column = self._wanted[bound.column]
        leaf = self._leaves.get(column.name)
        if leaf is None or pa.types.is_floating(column.type.arrow()):
            return False  # statistics don't count NaN
        statistics = group.column(leaf).statistics
        if statistics is None or not statistics.has_min_max:
            return False
        low, high = statistics.min, statistics.max
        value = bound.value
        if isinstance(low, datetime.datetime):
            low, high = low.replace(tzinfo=None) - _CUT, high.replace(tzinfo=None)
            value = value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value
        try:
            excluded = {
                "=": lambda: value < low or value > high,
                "<": lambda: low >= value,
                "<=": lambda: low > value,
                ">": lambda: high <= value,
                ">=": lambda: high < value,
            }[bound.op]()
        except TypeError:
            return False  # kinds that don't compare say nothing
        return bool(excluded)


def rows_of(path: str) -> int | None:
    """Return the number of rows that a file's footer says; None for a file that can't be read."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return None


def _narrows(held: pa.DataType, target: pa.DataType) -> bool:
    """Return whether a cast only drops digits of a second."""
    both = pa.types.is_timestamp(held) and pa.types.is_timestamp(target)
    both = both or (pa.types.is_time(held) and pa.types.is_time(target))
    return both and _UNITS[held.unit] > _UNITS[target.unit]


def _floored(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Return times in a coarser unit, rounded towards the past (Arrow's own cast rounds towards zero)."""
    numbers = array.cast(pa.int64())
    values = (pc.fill_null(numbers, 0) if numbers.null_count else numbers).to_numpy()
    coarse = pa.array(values // (_UNITS[array.type.unit] // _UNITS[target.unit]), pa.int64())
    if numbers.null_count:
        coarse = pc.if_else(numbers.is_valid(), coarse, pa.scalar(None, pa.int64()))
    return (coarse.cast(pa.int32()) if pa.types.is_time32(target) else coarse).cast(target)


def _fits(held: pa.DataType, target: pa.DataType) -> bool:
    """Return whether values of a type in a file can be read as another type."""
    kinds = (
        pa.types.is_integer,
        lambda type_: pa.types.is_floating(type_) or pa.types.is_integer(type_),
        lambda type_: pa.types.is_decimal(type_) or pa.types.is_integer(type_),
        pa.types.is_boolean,
        lambda type_: pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_),
        lambda type_: (
            pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_) or pa.types.is_large_binary(type_)
        ),
        pa.types.is_date,
        pa.types.is_time,
        pa.types.is_timestamp,
    )
    if pa.types.is_dictionary(held):
        held = held.value_type
    if pa.types.is_nested(target):
        return bool(held.id == target.id or (pa.types.is_large_list(held) and pa.types.is_list(target)))
    if pa.types.is_integer(target):
        return bool(pa.types.is_integer(held))
    return bool(pa.types.is_null(held)) or any(kind(held) and kind(target) for kind in kinds)


def _coarse(type_: DataType, held: pa.DataType) -> bool:
    """Return whether the values of a type in a file have no digits that a timestamp of the table has no room for."""
    if not isinstance(type_, TimestampType) or not pa.types.is_timestamp(held):
        return False
    return {"s": 0, "ms": 3, "us": 6, "ns": 9}[held.unit] <= type_.precision


def _cut(type_: DataType, array: pa.Array) -> pa.Array:
    """Return timestamps without the digits that the type's precision has no room for."""
    if not isinstance(type_, TimestampType):
        return array
    step = 10 ** ((9 if type_.precision > 6 else 6) - type_.precision)
    if step == 1 or len(array) == 0:
        return array
    numbers = array.cast(pa.int64())
    values = (pc.fill_null(numbers, 0) if numbers.null_count else numbers).to_numpy()
    rest = values % step
    if not rest.any():
        return array
    cut = pa.array(values - rest, pa.int64())
    if numbers.null_count:
        cut = pc.if_else(numbers.is_valid(), cut, pa.scalar(None, pa.int64()))
    return cut.cast(array.type)
