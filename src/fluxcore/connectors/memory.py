"""Arrow data of the running program as a table, for ``from_arrow`` and ``from_feed`` in Python."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import pyarrow as pa

from fluxcore.core.batch import Batch, data_bytes
from fluxcore.core.feed import Feed
from fluxcore.core.ports import Connector, Option, Signal, Source, Split, SplitReader
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from fluxcore.core.ports import ScanRequest

_DATA: WeakValueDictionary[str, MemoryData] = WeakValueDictionary()


class MemoryData:
    """Record batches of one schema, found by ``key`` for as long as somebody holds this object."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.key = str(id(self))
        _DATA[self.key] = self


class MemoryConnector(Connector):
    """Reads batches that the program handed over; made by the Python API, not by hand."""

    name = "memory"
    options = (Option("memory.key", required=True, help="The number of the data in this process.", extension=True),)

    def hold(
        self, batches: Sequence[pa.RecordBatch] | pa.RecordBatchReader | Feed, *, endless: bool = False
    ) -> MemoryData:
        """Return a handle for batches; they can be read for as long as somebody keeps it.

        A reader gives its batches once, as they come; an ``endless`` one is a source that does not end by itself.
        """
        if isinstance(batches, Feed):
            return MemoryData(batches)
        live = isinstance(batches, pa.RecordBatchReader)
        return MemoryData(_ReaderFeed(batches, endless=endless) if live else _ListFeed(batches, endless=endless))

    def source(self, request: ScanRequest) -> Source:
        """Return the source. Raises ``JobError`` FX-CON-0110 when the data is gone."""
        data = _DATA.get(request.table.options["memory.key"])
        if data is None:
            raise JobError("FX-CON-0110", f"the data of table '{request.table.name}' is no longer in memory")
        return _MemorySource(data, request)


class _ListFeed(Feed):
    """Gives batches that lie in memory."""

    replayable = True

    def __init__(self, batches: Sequence[pa.RecordBatch], *, endless: bool) -> None:
        self._batches = list(batches)
        self._next = 0
        self.bounded = not endless

    def open(self, position: Mapping[str, Any] | None) -> None:
        """Go to a batch by its number."""
        self._next = int(position["batch"]) if position else 0

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next batch."""
        if self._next == len(self._batches):
            return Signal.END
        self._next += 1
        return self._batches[self._next - 1]

    def position(self) -> Mapping[str, Any]:
        """Return the number of the next batch."""
        return {"batch": self._next}

    def size(self) -> int | None:
        """Return the bytes of the data."""
        return sum(data_bytes(batch) for batch in self._batches)

    def rows(self) -> int | None:
        """Return the number of rows."""
        return sum(batch.num_rows for batch in self._batches)


class _ReaderFeed(Feed):
    """Gives what a reader gives, once it is there; only once, since all copies share the reader."""

    def __init__(self, reader: pa.RecordBatchReader, *, endless: bool) -> None:
        self._left = [reader]
        self._reader: pa.RecordBatchReader | None = None
        self.bounded = not endless

    def open(self, position: Mapping[str, Any] | None) -> None:  # noqa: ARG002
        """Take the reader, the first time. Raises ``JobError`` FX-CON-0111 after that."""
        if not self._left:
            raise JobError("FX-CON-0111", "the reader was read already", hint="make a new stream of a new reader")
        self._reader = self._left.pop()

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next batch, once it is there."""
        assert self._reader is not None, "it is open"
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            return Signal.END


class _MemorySource(Source):
    def __init__(self, data: MemoryData, request: ScanRequest) -> None:
        self._data = data
        self._request = request
        self.bounded = data.feed.bounded
        self.replayable = data.feed.replayable

    def splits(self) -> list[Split]:
        """Return the one split."""
        return [_MemorySplit(self._data, self._request)]

    def size(self) -> int | None:
        """Return the bytes of the data; None where they are not known."""
        return self._data.feed.size()

    def rows(self) -> int | None:
        """Return the number of rows; None where it is not known."""
        return self._data.feed.rows()


class _MemorySplit(Split):
    def __init__(self, data: MemoryData, request: ScanRequest) -> None:
        self._data = data
        self._request = request

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self._request.table.name

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from a position on."""
        feed = copy.copy(self._data.feed)
        feed.open(position)
        return _MemoryReader(feed, self._request)


class _MemoryReader(SplitReader):
    def __init__(self, feed: Feed, request: ScanRequest) -> None:
        self._feed = feed
        self._request = request
        schema = request.table.schema
        self._schema = pa.schema([pa.field(schema[i].name, schema[i].type.arrow()) for i in request.columns])

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next batch."""
        return self._feed.take()

    def decode(self, unit: pa.RecordBatch) -> Batch:
        """Return the wanted columns in their types; no copy where the types fit."""
        arrays = []
        for index, field in zip(self._request.columns, self._schema, strict=True):
            array = unit.column(index)
            arrays.append(array if array.type == field.type else array.cast(field.type))
        data = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        batch = Batch(data)
        pushdown = self._request.pushdown
        return batch if pushdown is None else batch.filter(pushdown.mask(data))

    def position(self) -> Mapping[str, Any]:
        """Return where the next batch is."""
        return self._feed.position()

    def close(self) -> None:
        """Close the feed."""
        self._feed.close()
