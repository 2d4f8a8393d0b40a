"""The source ``nexmark``: hands out ranges of event numbers and makes their rows, in any thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.connectors.nexmark.config import SCHEMAS
from fluxcore.connectors.nexmark.generator import Generator
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Signal, Source, Split, SplitReader
from fluxcore.core.types import RowType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fluxcore.connectors.nexmark.config import NexmarkConfig
    from fluxcore.core.ports import ScanRequest
    from fluxcore.core.schema import Column

_UNIT_EVENTS = 65_536


class NexmarkSource(Source):
    """One split with the events in order.

    In: ``limit`` events per second of real time, None for as many as can be made; ``clock`` seconds that never go back.
    """

    def __init__(
        self,
        request: ScanRequest,
        config: NexmarkConfig,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request = request
        self.table = request.table.options.get("table")
        self.events = int(request.table.options.get("events.num", "0")) or None
        self.limit = limit
        self.clock = clock
        self.bounded = self.events is not None
        self.generator = Generator(config)

    def splits(self) -> list[Split]:
        """Return the one split."""
        return [NexmarkSplit(self)]


class NexmarkSplit(Split):
    """The events from the first on."""

    def __init__(self, source: NexmarkSource) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """Return the table's name."""
        return f"nexmark {self._source.table or 'events'}"

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from an event number on."""
        return NexmarkReader(self._source, int(position["event"]) if position else 0)


class NexmarkReader(SplitReader):
    """Hands out ranges of event numbers, and makes their rows."""

    def __init__(self, source: NexmarkSource, first: int) -> None:
        self._source = source
        self._first = self._next = first
        self._started = source.clock()
        schema = source.request.table.schema
        self._columns = [schema[index] for index in source.request.columns]
        self._schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in self._columns])

    def take(self) -> tuple[int, int] | Signal:
        """Return the next range of event numbers; with a rate limit only as many as are due."""
        source = self._source
        if source.events is not None and self._next >= source.events:
            return Signal.END
        last = self._next + _UNIT_EVENTS
        if source.limit is not None:
            last = min(last, self._first + 1 + int((source.clock() - self._started) * source.limit))
        if source.events is not None:
            last = min(last, source.events)
        if last <= self._next:
            return Signal.NOTHING_NOW
        unit = (self._next, last)
        self._next = last
        return unit

    def decode(self, unit: tuple[int, int]) -> Batch:
        """Return the rows of a range."""
        source = self._source
        if source.table is not None:
            events = source.generator.numbers(source.table, *unit)
            arrays = source.generator.columns(source.table, events, [column.name for column in self._columns])
        else:
            arrays = [self._wide(column, *unit) for column in self._columns]
        data = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        pushdown = source.request.pushdown
        return Batch(data) if pushdown is None else Batch(data).filter(pushdown.mask(data))

    def position(self) -> Mapping[str, Any]:
        """Return the next event number."""
        return {"event": self._next}

    def _wide(self, column: Column, first: int, last: int) -> pa.Array:
        """Return a column of the form with one row for any event: the type, or a ROW that is NULL for other events."""
        config = self._source.generator.config
        place = np.arange(first, last, dtype=np.int64) % config.total
        if not isinstance(column.type, RowType):
            starts = [config.start(table) for table in SCHEMAS]
            return pa.array((np.searchsorted(starts, place, side="right") - 1).astype(np.int32))
        start = config.start(column.name)
        here = (place >= start) & (place < start + config.share(column.name))
        events = self._source.generator.numbers(column.name, first, last)
        made = self._source.generator.columns(column.name, events, [name for name, _ in column.type.fields])
        rows = pa.array(np.cumsum(here) - 1, mask=~here)
        return pa.StructArray.from_arrays(
            [array.take(rows) for array in made], fields=list(column.type.arrow()), mask=pa.array(~here)
        )
