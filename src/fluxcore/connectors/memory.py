"""Arrow data of the running program as a table, for ``from_arrow`` in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import pyarrow as pa

from fluxcore.core.batch import Batch, data_bytes
from fluxcore.core.ports import Connector, Option, Signal, Source, Split, SplitReader
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from fluxcore.core.ports import ScanRequest

_DATA: WeakValueDictionary[str, MemoryData] = WeakValueDictionary()


class MemoryData:
    """Record batches of one schema, found by ``key`` for as long as somebody holds this object.

    A reader gives its batches once, as they come; an ``endless`` one is a source that does not end by itself.
    """

    def __init__(self, batches: Sequence[pa.RecordBatch] | pa.RecordBatchReader, *, endless: bool = False) -> None:
        self.batches = batches if isinstance(batches, pa.RecordBatchReader) else list(batches)
        self.endless = endless
        self.key = str(id(self))
        self._taken = False
        _DATA[self.key] = self

    def once(self) -> pa.RecordBatchReader:
        """Return the reader, the first time. Raises ``JobError`` FX-CON-0111 after that."""
        if self._taken:
            raise JobError("FX-CON-0111", "the reader was read already", hint="make a new stream of a new reader")
        self._taken = True
        return self.batches


class MemoryConnector(Connector):
    """Reads batches that the program handed over; made by the Python API, not by hand."""

    name = "memory"
    options = (Option("memory.key", required=True, help="The number of the data in this process.", extension=True),)

    def hold(self, batches: Sequence[pa.RecordBatch] | pa.RecordBatchReader, *, endless: bool = False) -> MemoryData:
        """Return a handle for batches; they can be read for as long as somebody keeps it."""
        return MemoryData(batches, endless=endless)

    def source(self, request: ScanRequest) -> Source:
        """Return the source. Raises ``JobError`` FX-CON-0110 when the data is gone."""
        data = _DATA.get(request.table.options["memory.key"])
        if data is None:
            raise JobError("FX-CON-0110", f"the data of table '{request.table.name}' is no longer in memory")
        return _MemorySource(data, request)


class _MemorySource(Source):
    def __init__(self, data: MemoryData, request: ScanRequest) -> None:
        self._data = data
        self._request = request
        self.bounded = not data.endless
        self.replayable = not isinstance(data.batches, pa.RecordBatchReader)

    def splits(self) -> list[Split]:
        """Return the one split."""
        return [_MemorySplit(self._data, self._request)]

    def size(self) -> int | None:
        """Return the bytes of the data; None where a reader gives it."""
        batches = self._data.batches
        return None if isinstance(batches, pa.RecordBatchReader) else sum(data_bytes(batch) for batch in batches)


class _MemorySplit(Split):
    def __init__(self, data: MemoryData, request: ScanRequest) -> None:
        self._data = data
        self._request = request

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self._request.table.name

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from a batch number on."""
        return _MemoryReader(self._data, self._request, int(position["batch"]) if position else 0)


class _MemoryReader(SplitReader):
    def __init__(self, data: MemoryData, request: ScanRequest, first: int) -> None:
        live = isinstance(data.batches, pa.RecordBatchReader)
        self._live = data.once() if live else None
        self._batches = [] if live else data.batches
        self._request = request
        self._next = first
        schema = request.table.schema
        self._schema = pa.schema([pa.field(schema[i].name, schema[i].type.arrow()) for i in request.columns])

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next batch, once it is there."""
        if self._live is not None:
            try:
                return self._live.read_next_batch()
            except StopIteration:
                return Signal.END
        if self._next == len(self._batches):
            return Signal.END
        self._next += 1
        return self._batches[self._next - 1]

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
        """Return the number of the next batch."""
        return {"batch": self._next}
