"""Reads a topic as rows: frame by frame from its log, beside whoever writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.event import ID, KEY, SUBJECT, TIME
from fluxcore.bus.log import Reader, ReadOptions
from fluxcore.bus.rows import DATA, MORE, headers_of, is_plain
from fluxcore.bus.subjects import Pattern
from fluxcore.bus.transports.file.layout import folder_of
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Signal, Source, Split, SplitReader
from fluxcore.core.schema import Schema
from fluxcore.core.types import IntegerType, MapType, StringType, TimestampType
from fluxcore.errors import DataError, JobError, nearest
from fluxcore.formats.base import DecodeRequest
from fluxcore.formats.faults import RowFaults
from fluxcore.formats.json_decoder import JsonDecoder
from fluxcore.formats.simd_kernels import PADDING
from fluxcore.formats.text import TextBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.bus.log import Frame
    from fluxcore.core.ports import Bound, Pushdown, ScanRequest, TableDescription
    from fluxcore.core.types import DataType

_TEXT = StringType()
METADATA: Mapping[str, DataType] = {
    "topic": StringType(nullable=False),
    "offset": IntegerType(bits=64, nullable=False),
    "subject": StringType(nullable=False),
    "key": _TEXT,
    "id": _TEXT,
    "timestamp": TimestampType(precision=3, local=True, nullable=False),
    "headers": MapType(StringType(nullable=False), _TEXT, nullable=False),
}
_COLUMNS = {"subject": SUBJECT, "key": KEY, "id": ID, "timestamp": TIME}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a scan begins and ends: a mode as the options name it, and its value."""

    topic: str
    start: tuple[str, int]
    stop: tuple[str, int]

    @staticmethod
    def of(table: TableDescription) -> Places:
        """Return the places that a table's options name."""
        given = table.options

        def place(part: str, usual: str) -> tuple[str, int]:
            mode = given.get(f"scan.{part}.mode", usual)
            name = {"timestamp": "timestamp-millis", "specific-offset": "offset"}.get(mode)
            return mode, int(given[f"scan.{part}.{name}"]) if name is not None else 0

        return Places(given["topic"], place("startup", "earliest-offset"), place("bounded", "unbounded"))


class TopicSource(Source):
    """The events of a topic; its one split is the log."""

    def __init__(self, request: ScanRequest, places: Places) -> None:
        self.bounded = places.stop[0] != "unbounded"
        self._places = places
        self._faults = RowFaults.from_options(request.table.options)
        self._rows = _Rows(request, self._faults)

    def splits(self) -> list[Split]:
        """Return the one split: events stand in the order of the topic."""
        return [_TopicSplit(self._rows, self._places)]

    def statistics(self) -> Mapping[str, int]:
        """Return the rows that the row policy took out."""
        return self._faults.statistics()


class _TopicSplit(Split):
    def __init__(self, rows: _Rows, places: Places) -> None:
        self._rows = rows
        self._places = places

    @property
    def name(self) -> str:
        """Return the topic's name."""
        return f"topic {self._places.topic}"

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader. Raises ``JobError`` FX-CON-0167 where there is no such topic."""
        options = self._rows.request.table.options
        reader = open_topic(options["bus"], self._places.topic)
        start = int(position["offset"]) if position else _offset(reader, self._places.start)
        stop = None if self._places.stop[0] == "unbounded" else _offset(reader, self._places.stop)
        return _TopicReader(reader, self._rows, start, stop)


def open_topic(url: str, topic: str) -> Reader:
    """Return a reader of a topic. Raises ``JobError`` FX-CON-0167 where there is none."""
    folder = folder_of(url)
    if folder.declaration(topic) is None:
        known = folder.topics()
        hint = nearest(topic, known) or (
            f"there are {', '.join(known)}" if known else "it comes to be with its first event"
        )
        raise JobError("FX-CON-0167", f"there is no topic '{topic}' in '{folder.root}'", hint=hint)
    return Reader(folder.topic(topic), folder.files)


def _offset(reader: Reader, place: tuple[str, int]) -> int:
    """Return the offset that a place means now."""
    mode, value = place
    if mode == "earliest-offset":
        return reader.start
    if mode == "latest-offset":
        return reader.end
    return value if mode == "specific-offset" else offset_at(reader, value)


def offset_at(reader: Reader, time_ms: int) -> int:
    """Return the offset of the first event that was published at a time or after it; the end where there is none.

    Events stand in the log in the order in which they were appended, which is never before they were published.
    """
    first = reader.offset_at(time_ms * 1000)
    for frame in reader.read(ReadOptions(first, columns=(TIME,), earliest=True)):
        late = np.flatnonzero(frame.batch.column(0).cast(pa.int64()).to_numpy() >= time_ms)
        if len(late):
            return int(frame.offsets[late[0]])
    return reader.end


class _TopicReader(SplitReader):
    """Takes frames as they lie in the log, and makes rows of the table of them."""

    def __init__(self, reader: Reader, rows: _Rows, start: int, stop: int | None) -> None:
        self._reader = reader
        self._rows = rows
        self._next = self._asked = start
        self._stop = stop
        self._frames: Iterator[Frame] = iter(())

    def take(self) -> Frame | Signal:
        """Return the next frame. Raises ``DataError`` FX-LOG-0010 for damage, ``JobError`` FX-LOG-0011 where retention was faster."""
        frame = next(self._frames, None)
        if frame is None:
            end = self._reader.end if self._stop is None else min(self._reader.end, self._stop)
            if self._asked < end:
                options = ReadOptions(self._asked, end, excluded_by=self._rows.bounds, earliest=self._asked == 0)
                self._frames, self._asked = self._reader.read(options), end
                frame = next(self._frames, None)
        if frame is not None:
            self._next = frame.end_offset
            return frame
        self._next = max(self._next, self._asked)
        return Signal.END if self._stop is not None and self._asked >= self._stop else Signal.NOTHING_NOW

    def decode(self, unit: Frame) -> Batch:
        """Return the rows of a frame."""
        return self._rows.of(unit)

    def position(self) -> Mapping[str, Any]:
        """Return the offset from which on nothing was taken."""
        return {"offset": self._next}

    def close(self) -> None:
        """Give the files back."""
        self._reader.close()


class _Rows:
    """Makes rows of a table from the frames of a topic; any number of threads may call it."""

    def __init__(self, request: ScanRequest, faults: RowFaults) -> None:
        self.request = request
        table = request.table
        self._topic = table.options["topic"]
        self._wanted = [(table.schema[index], table.metadata.get(index)) for index in request.columns]
        self._schema = pa.schema(
            [pa.field(each.name, each.type.arrow(), each.type.nullable) for each, _ in self._wanted]
        )
        subjects = table.options.get("subjects")
        self._patterns = None if subjects is None else tuple(Pattern(each.strip()) for each in subjects.split(";"))
        self._pushdown: Pushdown | None = request.pushdown
        names = [column.name for column, key in self._wanted if key is None]
        self._needed = {
            each.name for i, each in enumerate(table.schema) if i == table.time_column or not each.type.nullable
        }
        self._decoder = self._json(table, tuple(names), faults)

    def of(self, frame: Frame) -> Batch:
        """Return the rows of a frame. Raises ``DataError`` FX-DAT-0001 for a payload, FX-CON-0164 for a column that doesn't fit."""
        batch, offsets = frame.batch, frame.offsets
        if self._patterns is not None:
            kept = self._of_subjects(batch.column(SUBJECT))
            if len(kept) < batch.num_rows:
                batch, offsets = batch.take(pa.array(kept)), offsets[kept]
        if is_plain(batch.schema):
            data = self._plain(batch, offsets)
        else:
            data = self._assemble(batch, offsets, lambda name, type_: self._stored((batch, offsets), name, type_))
        found = Batch(data)
        if self._pushdown is None or not data.num_rows:
            return found
        return found.filter(self._pushdown.mask(data))

    def bounds(self, schema: pa.Schema) -> tuple[Bound, ...]:
        """Return the comparisons by which whole frames of a schema may be passed over."""
        if self._pushdown is None:
            return ()
        found = []
        for bound in self._pushdown.bounds:
            column, key = self._wanted[bound.column]
            name = column.name if key is None else _COLUMNS.get(key, "")
            number = schema.get_field_index(name)
            if number >= 0 and schema.field(number).type == column.type.arrow():
                found.append(replace(bound, column=number))
        return tuple(found)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _json(self, table: TableDescription, names: Sequence[str], faults: RowFaults) -> JsonDecoder | None:
        """Return what decodes the payloads of single events; None where none of their fields is wanted."""
        if not names:
            return None
        columns = [
            replace(each, type=each.type.with_nullable(False)) if i == table.time_column else each
            for i, each in enumerate(table.schema)
            if i not in table.metadata
        ]
        schema = Schema.of(columns)
        places = {column.name: number for number, column in enumerate(schema)}
        return JsonDecoder(DecodeRequest(schema, tuple(places[name] for name in names), table.options, faults=faults))

    def _plain(self, batch: pa.RecordBatch, offsets: NDArray[np.int64]) -> pa.RecordBatch:
        """Return rows whose payloads are JSON."""
        if self._decoder is None:
            return self._assemble(batch, offsets, lambda _, type_: pa.nulls(batch.num_rows, type_))
        decoded = self._decoded(batch.column(DATA), int(offsets[0]) if len(offsets) else 0)
        if decoded.num_rows < batch.num_rows:  # the row policy left some out: find out which
            one_by_one = [
                self._decoded(batch.column(DATA).slice(row, 1), int(offsets[row])) for row in range(batch.num_rows)
            ]
            kept = np.flatnonzero([each.num_rows for each in one_by_one])
            decoded = (
                pa.Table.from_batches(one_by_one).combine_chunks().to_batches()[0] if len(kept) else decoded.slice(0, 0)
            )
            batch, offsets = batch.take(pa.array(kept)), offsets[kept]
        return self._assemble(batch, offsets, lambda name, _: decoded.column(name))

    def _decoded(self, data: pa.BinaryArray, first: int) -> pa.RecordBatch:
        assert self._decoder is not None
        origin = f"topic {self._topic}, from offset {first} on"
        if pc.any(pc.match_substring(data, "\n")).as_py():
            return self._decoder.decode_messages(data.to_pylist(), origin).data
        lines = pc.binary_join_element_wise(data, b"\n", b"")
        buffers, content = lines.buffers(), np.empty(0, np.uint8)
        if len(lines):
            starts = np.frombuffer(buffers[1], np.int32, len(lines) + 1, lines.offset * 4)
            size = int(starts[-1] - starts[0])
            content = np.empty(size + PADDING, np.uint8)
            content[:size] = np.frombuffer(buffers[2], np.uint8, size, int(starts[0]))
            return self._decoder.decode(TextBlock(content, size, origin, 0, 1)).data
        return self._decoder.decode_messages([], origin).data

    def _assemble(
        self, batch: pa.RecordBatch, offsets: NDArray[np.int64], stored: Callable[[str, pa.DataType], pa.Array]
    ) -> pa.RecordBatch:
        """Return the wanted columns: those of the payload as ``stored`` gives them, and what the envelope says."""
        arrays = []
        for (column, key), field in zip(self._wanted, self._schema, strict=True):
            if key is None:
                arrays.append(stored(column.name, field.type))
            elif key == "offset":
                arrays.append(pa.array(offsets, field.type))
            elif key == "topic":
                arrays.append(pa.repeat(pa.scalar(self._topic), batch.num_rows))
            elif key == "headers":
                arrays.append(headers_of(batch.column(MORE)).cast(field.type))
            else:
                arrays.append(batch.column(_COLUMNS[key]).cast(field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _stored(self, rows: tuple[pa.RecordBatch, NDArray[np.int64]], name: str, type_: pa.DataType) -> pa.Array:
        batch, offsets = rows
        number = batch.schema.get_field_index(name)
        array = pa.nulls(batch.num_rows, type_) if number < 0 else batch.column(number)
        if array.null_count and name in self._needed:
            offset = offsets[int(np.flatnonzero(array.is_null())[0])]
            message = f"the event at offset {offset} of topic '{self._topic}' has no '{name}'"
            raise DataError(
                "FX-DAT-0001", message, hint="leave such events out by 'scan.startup.offset', or let the column be NULL"
            )
        try:
            return array if array.type == type_ else array.cast(type_)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            message = f"column '{name}' of topic '{self._topic}' is {array.type} and can't be read as {type_}: {error}"
            raise DataError("FX-CON-0164", message, hint="declare it with the type that the topic has") from error

    def _of_subjects(self, subjects: pa.Array) -> NDArray[np.int64]:
        """Return the rows whose subject is wanted."""
        assert self._patterns is not None
        codes = subjects.dictionary_encode()
        wanted = [any(pattern.matches(each) for pattern in self._patterns) for each in codes.dictionary.to_pylist()]
        return np.flatnonzero(np.array(wanted, bool)[codes.indices.to_numpy()])
