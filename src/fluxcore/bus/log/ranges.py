"""The ranges of all frames of a full segment as arrays, beside its index: one comparison excludes many frames at once.

It holds what the frames' own statistics say of columns of numbers and times, for frames that have statistics, and only for segments
with few frames: where they are small, it costs more than it saves. A frame that it does not know is looked at by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fluxcore.bus.log import statistics
from fluxcore.bus.log.frame import Header, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from fluxcore.bus.log.segment import SegmentView
    from fluxcore.core.ports import Bound

FRAMES_MAX = 8192
_EXACT = 2**53  # whole numbers up to here are doubles too


class _Column(msgspec.Struct, array_like=True):
    """The least and greatest values of a column in the frames of a schema; NaN or an empty range (1, 0) where nothing is known."""

    schema: int
    number: int
    kind: str
    low: bytes
    high: bytes


class _Stored(msgspec.Struct, array_like=True):
    """Four rows of 64-bit integers (position, next position, first offset, end offset), the schemas' ids, the columns."""

    places: bytes
    schemas: bytes
    columns: list[_Column]


_decoder = msgspec.msgpack.Decoder(_Stored)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Neighbouring frames none of whose rows can be wanted."""

    frames: int
    position: int
    next_position: int
    first_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True)
class Ranges:
    """The frames of a segment that have statistics, in order, and their ranges by schema and column."""

    places: NDArray[np.int64]
    schemas: NDArray[np.uint64]
    columns: dict[tuple[int, int], tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)

    def skips(self, comparisons: Callable[[int], tuple[Sequence[Bound], pa.Schema] | None]) -> dict[int, Skipped]:
        """Return the runs of frames that no row can be wanted of, by the position of their first frame.

        In: the comparisons that rows of a schema, by its id, must meet; None where that is not known.
        """
        out = np.zeros(len(self.schemas), np.bool_)
        for id_ in np.unique(self.schemas).tolist():
            found = comparisons(id_)
            if found is not None:
                of_schema = self.schemas == id_
                for bound in found[0]:
                    out |= of_schema & self._outside(id_, bound, found[1])
        return dict(self._runs(out))

    def _outside(self, id_: int, bound: Bound, schema: pa.Schema) -> NDArray[np.bool_]:
        column = self.columns.get((id_, bound.column))
        nothing = np.zeros(len(self.schemas), np.bool_)
        if column is None:
            return nothing
        low, high = column
        value = statistics.comparable(bound.value, schema.field(bound.column).type)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if low.dtype == np.int64:
            if not whole or not _fits(value):
                return nothing
        elif not isinstance(value, float) and not (whole and abs(value) <= _EXACT):
            return nothing
        if bound.op == "=":
            outside = (low > value) | (high < value)
        elif bound.op in {"<", "<="}:
            outside = low >= value if bound.op == "<" else low > value
        else:
            outside = high <= value if bound.op == ">" else high < value
        return outside & (low <= high)

    def _runs(self, out: NDArray[np.bool_]) -> Iterator[tuple[int, Skipped]]:
        """Give runs of frames that follow each other without a gap in offsets or bytes."""
        position, following, first, end = self.places
        joined = out[1:] & out[:-1] & (position[1:] == following[:-1]) & (first[1:] == end[:-1])
        begins = np.flatnonzero(out & ~np.concatenate([[False], joined]))
        ends = np.flatnonzero(out & ~np.concatenate([joined, [False]]))
        for a, b in zip(begins.tolist(), ends.tolist(), strict=True):
            run = Skipped(b - a + 1, int(position[a]), int(following[b]), int(first[a]), int(end[b]))
            yield run.position, run

    def encode(self) -> bytes:
        """Return the bytes that stand in the file of the index."""
        columns = [
            _Column(id_, number, low.dtype.str[1:], low.tobytes(), high.tobytes())
            for (id_, number), (low, high) in self.columns.items()
        ]
        return msgspec.msgpack.encode(_Stored(self.places.tobytes(), self.schemas.tobytes(), columns))

    @staticmethod
    def decode(content: bytes) -> Ranges | None:
        """Return the ranges in these bytes, or None where there are none."""
        try:
            found = _decoder.decode(content)
            places = np.frombuffer(found.places, "<i8").reshape(4, -1)
            schemas = np.frombuffer(found.schemas, "<u8")
            columns = {
                (each.schema, each.number): (
                    np.frombuffer(each.low, f"<{each.kind}"),
                    np.frombuffer(each.high, f"<{each.kind}"),
                )
                for each in found.columns
            }
        except (msgspec.DecodeError, ValueError, TypeError):
            return None
        lengths = {places.shape[1], len(schemas), *(len(end) for column in columns.values() for end in column)}
        return Ranges(places, schemas, columns) if len(lengths) == 1 else None


def collect(view: SegmentView) -> Ranges | None:
    """Return the ranges of a segment's frames, from their own statistics; None for too many frames, or none with statistics."""
    frames: list[tuple[Header, statistics.Statistics]] = []
    for header in view.headers():
        found = statistics.known(view, header) if header.kind == Kind.DATA else None
        if found is not None:
            frames.append((header, found))
            if len(frames) > FRAMES_MAX:
                return None
    if not frames:
        return None
    places = [(h.position, h.next_position, h.first_offset, h.end_offset) for h, _ in frames]
    made = Ranges(np.array(places, "<i8").T.copy(), np.array([h.schema for h, _ in frames], "<u8"))
    for key in dict.fromkeys((h.schema, number) for h, found in frames for number in found.ranges):
        column = _column([found.ranges.get(key[1]) if h.schema == key[0] else None for h, found in frames])
        if column is not None:
            made.columns[key] = column
    return made


def _column(ranges: list[statistics.Range | None]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return both ends of a column's ranges as arrays; None for values that are no numbers."""
    pairs = [(each.low, each.high) if each is not None else (None, None) for each in ranges]
    kinds = {type(value) for pair in pairs for value in pair} - {type(None)}
    if kinds == {float}:
        kind = "<f8"
    elif kinds == {int}:
        kind = "<i8"
        pairs = [pair if pair[0] is not None and _fits(pair[0]) and _fits(pair[1]) else (None, None) for pair in pairs]
    else:
        return None
    low, high = np.array([pair if pair[0] is not None else (1, 0) for pair in pairs], kind).T.copy()
    return low, high


def _fits(value: Any) -> bool:
    return bool(-(2**63) <= value < 2**63)
