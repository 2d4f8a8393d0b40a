"""The events of the Nexmark benchmark as tables, and as files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.connectors.nexmark.generator import BASE_TIME_MS, SCHEMAS, Generator
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Connector, Option, Signal, Source, Split, SplitReader
from fluxcore.core.types import same
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import ScanRequest, TableDescription

_UNIT_EVENTS = 100_000


class NexmarkConnector(Connector):
    """Makes persons, auctions or bids; the table's columns are found by name."""

    name = "nexmark"
    options = (
        Option(
            "table", "enum", required=True, choices=("person", "auction", "bid"), help="Which events.", extension=True
        ),
        Option("events.num", "integer", help="How many events of all kinds; without it the table never ends."),
        Option("first-event.rate", "integer", "10000", help="Events of all kinds per second of event time."),
        Option(
            "rate-limit", "integer", help="Events of all kinds per second of real time at the most.", extension=True
        ),
        Option(
            "base-time", "integer", str(BASE_TIME_MS), help="Time of the first event, ms since 1970.", extension=True
        ),
        Option("seed", "integer", "1", help="Chooses the random numbers.", extension=True),
    )

    def validate(self, table: TableDescription) -> None:
        """Check the columns. Raises ``ScriptError`` FX-CON-0120 for names or types that the events don't have."""
        known = SCHEMAS[table.options["table"]]
        for column in table.schema:
            index = known.find(column.name)
            if index is None:
                hint = nearest(column.name, known.names) or f"it has {', '.join(known.names)}"
                message = f"a {table.options['table']} has no '{column.name}'"
                raise ScriptError("FX-CON-0120", message, span=table.span, hint=hint)
            if not same(known[index].type, column.type):
                message = f"'{column.name}' is {known[index].type.name()}, not {column.type.name()}"
                raise ScriptError("FX-CON-0120", message, span=table.span)

    def source(self, request: ScanRequest) -> Source:
        """Return the source."""
        return NexmarkSource(request)


class NexmarkSource(Source):
    """One split with the events in order."""

    def __init__(self, request: ScanRequest) -> None:
        options = request.table.options
        self.request = request
        self.table = options["table"]
        self.events = int(options["events.num"]) if "events.num" in options else None
        self.limit = int(options["rate-limit"]) if "rate-limit" in options else None
        self.bounded = self.events is not None
        rate = int(options.get("first-event.rate", "10000"))
        self.generator = Generator(int(options.get("seed", "1")), rate, int(options.get("base-time", BASE_TIME_MS)))

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
        return f"nexmark {self._source.table}"

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from an event number on."""
        return NexmarkReader(self._source, int(position["event"]) if position else 0)


class NexmarkReader(SplitReader):
    """Hands out ranges of event numbers, and makes their rows."""

    def __init__(self, source: NexmarkSource, first: int) -> None:
        self._source = source
        self._first = self._next = first
        self._started = time.monotonic()
        schema = source.request.table.schema
        self._names = [schema[index].name for index in source.request.columns]
        self._schema = pa.schema([pa.field(schema[i].name, schema[i].type.arrow()) for i in source.request.columns])

    def take(self) -> tuple[int, int] | Signal:
        """Return the next range of event numbers; with a rate limit only as many as are due."""
        last = self._next + _UNIT_EVENTS
        if self._source.limit is not None:
            due = self._first + int((time.monotonic() - self._started) * self._source.limit)
            last = min(last, due)
        if self._source.events is not None:
            if self._next >= self._source.events:
                return Signal.END
            last = min(last, self._source.events)
        if last <= self._next:
            return Signal.NOTHING_NOW
        unit = (self._next, last)
        self._next = last
        return unit

    def decode(self, unit: tuple[int, int]) -> Batch:
        """Return the rows of a range."""
        source = self._source
        events = source.generator.numbers(source.table, *unit)
        arrays = source.generator.columns(source.table, events, self._names)
        data = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        pushdown = source.request.pushdown
        return Batch(data) if pushdown is None else Batch(data).filter(pushdown.mask(data))

    def position(self) -> Mapping[str, Any]:
        """Return the next event number."""
        return {"event": self._next}
