"""Makes Arrow columns from the cells that a scanner found, without copying what the kernels wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.types import (
    BooleanType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    StringType,
    TimestampType,
    TimeType,
)
from fluxcore.formats import convert_kernels, float_kernels, time_kernels
from fluxcore.formats.cells import MISSING, NULL
from fluxcore.formats.faults import RowError
from fluxcore.formats.simd_kernels import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fluxcore.core.types import DataType

    Array = NDArray[Any]
    CellParser = Callable[[DataType, bytes, int], Any]


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column: where each starts in ``buffer``, its bytes, its form (see ``cells``); all int32.

    ``bad`` (int32 per row) gathers the rows that need the row reader; ``marks`` say how text is escaped (see
    ``convert_kernels.to_strings``); ``parse`` reads one cell of a type that has no kernel.
    """

    buffer: Array
    start: Array
    length: Array
    form: Array
    bad: Array
    marks: Array
    parse: CellParser

    def take(self, rows: Array) -> Cells:
        """Return the cells of these rows."""
        return Cells(
            self.buffer,
            self.start[rows],
            self.length[rows],
            self.form[rows],
            self.bad[rows],
            self.marks,
            self.parse,
        )


def build_column(type_: DataType, cells: Cells) -> pa.Array:
    """Return the column; rows that it can't build become null and are marked in ``cells.bad``.

    Out: the Arrow type of ``type_``. A null in a NOT NULL column marks its row too.
    """
    count = len(cells.start)
    valid = np.empty(count, np.uint8)
    if isinstance(type_, StringType):
        array, nulls = _strings(cells, valid)
    elif isinstance(type_, IntegerType | IntervalType):
        array, nulls = _integers(type_, cells, valid)
    elif isinstance(type_, TimestampType):
        array, nulls = _timestamps(type_, cells, valid)
    elif isinstance(type_, FloatType):
        array, nulls = _floats(type_, cells, valid)
    elif isinstance(type_, BooleanType | DecimalType | DateType | TimeType):
        array, nulls = _others(type_, cells, valid)
    else:
        array, nulls = _slow(type_, cells, valid)
    if nulls and not type_.nullable:
        cells.bad[valid == 0] = 1
    return array


def _array(arrow: pa.DataType, valid: Array, *values: Array | pa.Buffer) -> pa.Array:
    bits = None
    if not valid.all():
        bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(arrow, len(valid), [bits, *(pa.py_buffer(each) for each in values)])


def _arguments(cells: Cells) -> tuple[Array, Array, Array, Array]:
    return cells.buffer, cells.start, cells.length, cells.form


def _integers(type_: IntegerType | IntervalType, cells: Cells, valid: Array) -> tuple[pa.Array, int]:
    arrow = type_.arrow()
    bits = arrow.bit_width
    out = np.empty(len(valid), np.int64)
    high = (1 << (bits - 1)) - 1
    nulls = convert_kernels.to_integers(*_arguments(cells), -high - 1, high, out, valid, cells.bad)
    return _array(arrow, valid, out if bits == 64 else out.astype(f"int{bits}")), nulls


def _floats(type_: FloatType, cells: Cells, valid: Array) -> tuple[pa.Array, int]:
    out = np.empty(len(valid), np.float64)
    single = int(type_.bits == 32)
    nulls = float_kernels.to_floats(*_arguments(cells), single, out, valid, cells.bad)
    if single:
        with np.errstate(over="ignore"):
            out = out.astype(np.float32)
    return _array(type_.arrow(), valid, out), nulls


def _timestamps(type_: TimestampType, cells: Cells, valid: Array) -> tuple[pa.Array, int]:
    out = np.empty(len(valid), np.int64)
    shape = np.array([9 if type_.precision > 6 else 6, type_.precision, type_.local], np.int64)
    nulls = time_kernels.to_timestamps(*_arguments(cells), shape, out, valid, cells.bad)
    return _array(type_.arrow(), valid, out), nulls


def _others(type_: DataType, cells: Cells, valid: Array) -> tuple[pa.Array, int]:
    count = len(valid)
    if isinstance(type_, BooleanType):
        out = np.empty(count, np.uint8)
        nulls = convert_kernels.to_booleans(*_arguments(cells), out, valid, cells.bad)
        return _array(type_.arrow(), valid, np.packbits(out, bitorder="little")), nulls
    if isinstance(type_, DecimalType):
        out = np.empty(2 * count, np.int64)
        nulls = convert_kernels.to_decimals(*_arguments(cells), type_.precision, type_.scale, out, valid, cells.bad)
        return _array(type_.arrow(), valid, out), nulls
    out = np.empty(count, np.int32)
    if isinstance(type_, TimeType):
        nulls = time_kernels.to_times(*_arguments(cells), min(type_.precision, 3), out, valid, cells.bad)
    else:
        nulls = time_kernels.to_dates(*_arguments(cells), out, valid, cells.bad)
    return _array(type_.arrow(), valid, out), nulls


def _strings(cells: Cells, valid: Array) -> tuple[pa.Array, int]:
    nulls, size = convert_kernels.text_bytes(cells.start, cells.length, cells.form, valid, cells.bad)
    data = np.empty(size + PADDING, np.uint8)
    offsets = np.empty(len(valid) + 1, np.int32)
    used = convert_kernels.to_strings(*_arguments(cells), cells.marks, data, offsets, valid, cells.bad)
    return _array(pa.string(), valid, offsets, pa.py_buffer(data).slice(0, used)), nulls


def _slow(type_: DataType, cells: Cells, valid: Array) -> tuple[pa.Array, int]:
    """Read cell by cell what has no kernel: bytes, and nested values."""
    values: list[Any] = []
    nulls = 0
    view = cells.buffer.data
    for row, (start, length, form, bad) in enumerate(
        zip(cells.start.tolist(), cells.length.tolist(), cells.form.tolist(), cells.bad.tolist(), strict=True)
    ):
        value = None
        if not bad and form in (NULL, MISSING):
            nulls += 1
        elif not bad:
            try:
                value = cells.parse(type_, bytes(view[start : start + length]), form)
            except (RowError, ValueError):
                cells.bad[row] = 1
        valid[row] = value is not None
        values.append(value)
    return pa.array(values, type_.arrow()), nulls
