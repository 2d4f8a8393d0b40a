"""What CSV and JSON lines have in common: a block of bytes becomes a batch in two readings.

1. A scanner finds the wanted cells of each record, kernels turn them into columns and mark rows that they can't read.
2. Only those rows are read again, one by one in Python, by rules that know every spelling; they are repaired, or dealt
   with by the row policy.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch
from fluxcore.core.types import StringType
from fluxcore.formats.base import Decoder
from fluxcore.formats.columns import Cells, build_column
from fluxcore.formats.faults import RowError, RowSource
from fluxcore.formats.simd_kernels import PADDING, count_byte

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fluxcore.formats.base import DecodeRequest

    Array = NDArray[Any]


@dataclass(slots=True)
class TextBlock:
    """Whole records cut off a file: ``size`` bytes of ``buffer`` (with padding), the last of them a newline.

    ``offset`` and ``line`` say where they begin in the file; ``layout`` is what the format learned from its header.
    """

    buffer: Array
    size: int
    file: str
    offset: int
    line: int
    layout: Any = None


@dataclass(slots=True)
class Scan:
    """Where the wanted cells of a block are.

    ``cells`` int32 [start|length|form, wanted, row]; ``record`` int32 [start|end|bad, row]; ``high`` whether a byte is
    not ASCII; ``escapes`` whether JSON strings may hold escapes.
    """

    cells: Array
    record: Array
    high: bool
    escapes: bool = True


class Scratch(threading.local):
    """Arrays that a thread uses again from block to block; what is taken is overwritten by the next taking."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def take(self, name: str, *shape: int) -> Array:
        """Return an int32 array of this shape with any content."""
        size = int(np.prod(shape))
        held = self._arrays.get(name)
        if held is None or len(held) < size:
            held = np.empty(size + size // 4, np.int32)
            self._arrays[name] = held
        return held[:size].reshape(shape)


@dataclass(slots=True)
class _Repair:
    """Rows read again: which of them stay, and the values of those by column."""

    dropped: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)


class TextDecoder(Decoder):
    """Turns blocks of records into batches; ``decode`` may be called by any number of threads."""

    def __init__(self, request: DecodeRequest) -> None:
        assert request.columns, "a scan of no columns can't carry a number of rows"
        self.request = request
        self.wanted = [request.schema[index] for index in request.columns]
        self.arrow = pa.schema(
            [pa.field(column.name, column.type.arrow(), column.type.nullable) for column in self.wanted]
        )
        self.scratch = Scratch()
        pushdown = request.pushdown
        self._late = {
            index
            for index, column in enumerate(self.wanted)
            if pushdown is not None and pushdown.columns and index not in pushdown.columns
            if isinstance(column.type, StringType)
        }

    @abstractmethod
    def cut(self, buffer: Array, size: int) -> int:
        """Return the byte behind the last complete record in ``buffer[:size]``, 0 when there is none."""

    @abstractmethod
    def scan(self, block: TextBlock) -> Scan:
        """Find the wanted cells of a block."""

    @abstractmethod
    def marks(self, scan: Scan) -> Array:
        """Return how text is escaped (see ``convert_kernels.to_strings``)."""

    @abstractmethod
    def read_row(self, raw: bytes, layout: Any) -> list[Any] | None:
        """Return the wanted values of one record, or None when the format's own options skip it.

        Raises: ``RowError``.
        """

    @abstractmethod
    def parse_cell(self, type_: Any, raw: bytes, form: int) -> Any:
        """Return the value of a cell of a type that has no kernel. Raises: ``RowError``, ``ValueError``."""

    def has_header(self) -> bool:
        """Return whether a file begins with a record that names the fields."""
        return False

    def cut_first(self, buffer: Array, size: int) -> int:
        """Return the byte behind the first complete record in ``buffer[:size]``, 0 when there is none."""
        raise NotImplementedError

    def is_comment(self, raw: bytes) -> bool:  # noqa: ARG002
        """Return whether a record is no record but a remark."""
        return False

    def read_header(self, row: RowSource) -> Any:
        """Return the layout that a header names. Raises: ``DataError`` FX-DAT-0006."""
        raise NotImplementedError

    def decode(self, block: TextBlock) -> Batch:
        """Return the rows of a block that pass the pushed-down predicate."""
        scan = self.scan(block)
        record = scan.record
        bad = np.ascontiguousarray(record[2])
        if scan.high:
            _mark_wrong_utf8(block, record, bad)
        marks = self.marks(scan)
        cells = [
            Cells(block.buffer, found[0], found[1], found[2], bad, marks, self.parse_cell)
            for found in scan.cells.swapaxes(0, 1)
        ]
        arrays = [
            None if slot in self._late else build_column(column.type, cells[slot])
            for slot, column in enumerate(self.wanted)
        ]
        if self._late and not bad.any():
            batch = self._decode_late(arrays, cells)
            if batch is not None:
                return batch
        for slot in self._late:
            arrays[slot] = build_column(self.wanted[slot].type, cells[slot])
        if bad.any():
            arrays = self._repaired(arrays, block, record, bad)
        return self._filtered(pa.RecordBatch.from_arrays(arrays, schema=self.arrow))

    def decode_messages(self, messages: Sequence[bytes], origin: str = "message") -> Batch:
        """Return the rows of messages that hold one row each (see :class:`Decoder`)."""
        plain = [message for message in messages if b"\n" not in message.rstrip(b"\r\n")]
        if len(plain) < len(messages):
            return self._decode_one_by_one(messages, origin)
        content = b"\n".join(message.rstrip(b"\r\n") for message in messages) + b"\n"
        buffer = np.empty(len(content) + PADDING, np.uint8)
        buffer[: len(content)] = np.frombuffer(content, np.uint8)
        return self.decode(TextBlock(buffer, len(content), origin, 0, 1))

    def _decode_one_by_one(self, messages: Sequence[bytes], origin: str) -> Batch:
        repair = _Repair(values=[[] for _ in self.wanted])
        for number, message in enumerate(messages):
            if message.strip():
                self._read_again(number, RowSource(origin, number + 1, message.rstrip(b"\r\n")), None, repair)
        arrays = [pa.array(values, each.type) for values, each in zip(repair.values, self.arrow, strict=True)]
        return self._filtered(pa.RecordBatch.from_arrays(arrays, schema=self.arrow))

    def _filtered(self, data: pa.RecordBatch) -> Batch:
        batch = Batch(data)
        pushdown = self.request.pushdown
        return batch if pushdown is None or data.num_rows == 0 else batch.filter(pushdown.mask(data))

    def _decode_late(self, arrays: list[pa.Array | None], cells: list[Cells]) -> Batch | None:
        """Gather the strings that the predicate doesn't read only for the rows that pass it.

        Out: None when one of them needs the row reader.
        """
        pushdown = self.request.pushdown
        assert pushdown is not None
        count = len(cells[0].start)
        known = [
            pa.nulls(count, kind.type) if each is None else each for each, kind in zip(arrays, self.arrow, strict=True)
        ]
        nullable = pa.schema([kind.with_nullable(True) for kind in self.arrow])
        mask = pushdown.mask(pa.RecordBatch.from_arrays(known, schema=nullable))
        if mask.null_count:
            mask = pc.fill_null(mask, False)
        rows = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        everything = len(rows) == count
        picked = pa.array(rows)
        chosen: list[pa.Array] = []
        for array, each, column in zip(arrays, cells, self.wanted, strict=True):
            if array is not None:
                chosen.append(array if everything else array.take(picked))
                continue
            part = each.take(rows)
            chosen.append(build_column(column.type, part))
            if part.bad.any():
                return None
        return Batch(pa.RecordBatch.from_arrays(chosen, schema=self.arrow))

    def _repaired(self, arrays: list[Any], block: TextBlock, record: Array, bad: Array) -> list[pa.Array]:
        """Return the columns with the bad rows read again: repaired, or left out."""
        rows = np.flatnonzero(bad)
        repair = _Repair(values=[[] for _ in self.wanted])
        view = block.buffer.data
        line, counted = block.line, 0
        for row in rows.tolist():
            start, end = int(record[0, row]), int(record[1, row])
            line += count_byte(block.buffer, counted, start, 10)
            counted = start
            self._read_again(row, RowSource(block.file, line, bytes(view[start:end])), block.layout, repair)
        count = len(bad)
        index = np.arange(count)
        index[repair.kept] = count + np.arange(len(repair.kept))
        stays = np.ones(count, np.bool_)
        stays[repair.dropped] = False
        picked = pa.array(index[stays])
        return [
            pa.concat_arrays([array, pa.array(values, array.type)]).take(picked)
            for array, values in zip(arrays, repair.values, strict=True)
        ]

    def _read_again(self, row: int, source: RowSource, layout: Any, repair: _Repair) -> None:
        try:
            values = self.read_row(source.raw, layout)
            if values is None:
                self.request.faults.skip()
                repair.dropped.append(row)
                return
            for column, value in zip(self.wanted, values, strict=True):
                if value is None and not column.type.nullable:
                    raise RowError(f"null in a column of type {column.type.sql()}", field=column.name)
        except RowError as error:
            self.request.faults.reject(error, source)
            repair.dropped.append(row)
            return
        repair.kept.append(row)
        for held, value in zip(repair.values, values, strict=True):
            held.append(value)


def _mark_wrong_utf8(block: TextBlock, record: Array, bad: Array) -> None:
    """Mark the rows whose bytes aren't UTF-8; the whole block is tested first, which is fast."""
    content = pa.py_buffer(block.buffer).slice(0, block.size)
    offsets = pa.py_buffer(np.array([0, block.size], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, content).validate(full=True)
        return
    except pa.ArrowInvalid:
        view = block.buffer.data
    for row, (start, end) in enumerate(record[:2].T.tolist()):
        try:
            str(view[start:end], "utf-8")
        except UnicodeDecodeError:
            bad[row] = 1


def decode_utf8(raw: bytes) -> str:
    """Return the text of a record. Raises: ``RowError`` for bytes that aren't UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(f"the row is not valid UTF-8 (byte {error.start + 1})") from error
