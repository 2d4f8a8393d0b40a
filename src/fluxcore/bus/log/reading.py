"""Frames as readers see them: decoding without copying, filtering, and the offsets of the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.log import statistics
from fluxcore.bus.log.frame import SPARSE, Compression, Header
from fluxcore.expr.compile import compile_predicate
from fluxcore.expr.pushdown import bounds
from fluxcore.limits import LOG_FRAME_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fluxcore.bus.log.segment import SegmentView
    from fluxcore.core.ports import Bound
    from fluxcore.expr.nodes import Expr

_OFFSET = pa.field("offset", pa.uint32(), nullable=False)
_INVALID = (pa.ArrowException, OSError, EOFError, ValueError, TypeError, KeyError)
_CODECS = {Compression.LZ4: "lz4", Compression.ZSTD: "zstd"}


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows of the log that were written together.

    ``first_offset`` and ``end_offset`` say which offsets the frame stands for; ``time_us`` when its last row was appended.
    ``rows`` holds the distance of each row of ``batch`` from ``first_offset``, or None where the rows follow each other.
    """

    batch: pa.RecordBatch
    first_offset: int
    end_offset: int
    time_us: int
    rows: NDArray[np.int64] | None = field(default=None)

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.batch.num_rows

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The offset of each row."""
        if self.rows is None:
            return np.arange(self.first_offset, self.first_offset + self.batch.num_rows)
        return self.first_offset + self.rows


@dataclass(frozen=True, slots=True)
class Filter:
    """A SQL condition over the rows, and the simple comparisons in it by which whole frames are skipped."""

    mask: Callable[[pa.RecordBatch], pa.BooleanArray]
    bounds: tuple[Bound, ...]


class Filters:
    """Makes the filter of each schema that a log holds. In: a condition, or a function that binds one to a schema."""

    def __init__(self, where: Expr | Callable[[pa.Schema], Expr] | None) -> None:
        self._where = where
        self._made: dict[int, Filter | None] = {}

    def get(self, id_: int, schema: pa.Schema) -> Filter | None:
        """Return the filter for rows of a schema, or None for all rows."""
        if id_ not in self._made:
            where = self._where(schema) if callable(self._where) else self._where
            self._made[id_] = None if where is None else Filter(compile_predicate(where), bounds(where))
        return self._made[id_]


def excluded(view: SegmentView, header: Header, schema: pa.Schema, comparisons: tuple[Bound, ...]) -> bool:
    """Return whether the statistics of a frame exclude every row of it. A damaged meta excludes nothing."""
    found = statistics.known(view, header) if comparisons else None
    return found is not None and statistics.excluded(found, comparisons, schema)


def decode(view: SegmentView, header: Header, schema: pa.Schema) -> Frame | None:
    """Return the rows of a frame, or None where its bytes are damaged. Without compression nothing is copied.

    A checksum tells chance from intent badly: bytes that were forged, or that a faulty program wrote, have a right one. So the
    batch is validated in full too, since Arrow's kernels trust lengths and offsets; that takes a fifth of what the checksum takes.
    """
    if not view.holds(header):
        return None
    sparse = header.flags & SPARSE
    try:
        batch = _batch(view.body(header), header, schema.append(_OFFSET) if sparse else schema)
    except _INVALID:
        return None
    if batch.num_rows != header.rows or header.rows > header.span:
        return None
    if not sparse:
        return Frame(batch, header.first_offset, header.end_offset, header.time_max_us)
    rows = batch.column(batch.num_columns - 1).to_numpy().astype(np.int64)
    if len(rows) and (rows[-1] >= header.span or (np.diff(rows) <= 0).any()):
        return None
    batch = batch.select(range(batch.num_columns - 1)).cast(schema)
    return Frame(batch, header.first_offset, header.end_offset, header.time_max_us, rows)


def _batch(body: pa.Buffer, header: Header, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch in a body. Raises one of ``_INVALID`` where it holds none that is fit to be used."""
    if header.compression:
        if header.raw_length > LOG_FRAME_BYTES_MAX:
            raise ValueError("no frame is so large")
        body = pa.Codec(_CODECS[Compression(header.compression)]).decompress(body, header.raw_length)
    batch = pa.ipc.read_record_batch(body, schema)
    batch.validate(full=True)
    return batch


def chosen(frame: Frame, found: Filter | None, between: tuple[int, int], columns: Sequence[str] | None) -> Frame:
    """Return the rows of a frame that pass a filter and stand between two offsets, with the wanted columns."""
    start, stop = between
    batch, rows = frame.batch, frame.rows
    if stop < frame.end_offset:
        distance = stop - frame.first_offset
        kept = distance if rows is None else int(np.searchsorted(rows, distance))
        batch, rows = batch.slice(0, kept), None if rows is None else rows[:kept]
    if start > frame.first_offset:
        distance = start - frame.first_offset
        skipped = min(distance, batch.num_rows) if rows is None else int(np.searchsorted(rows, distance))
        batch = batch.slice(skipped)
        rows = np.arange(distance, distance + batch.num_rows) if rows is None else rows[skipped:]
    if found is not None and batch.num_rows:
        passed = pc.indices_nonzero(found.mask(batch))
        if len(passed) < batch.num_rows:
            places: NDArray[np.int64] = passed.to_numpy().astype(np.int64)
            rows = places if rows is None else rows[places]
            batch = batch if columns is None else batch.select(columns)
            batch = batch.take(passed)
            return Frame(batch, frame.first_offset, frame.end_offset, frame.time_us, rows)
    if columns is not None:
        batch = batch.select(columns)
    if batch is frame.batch:
        return frame
    return Frame(batch, frame.first_offset, frame.end_offset, frame.time_us, rows)
