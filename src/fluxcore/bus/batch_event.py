"""Many events in one: an Arrow batch on the bus, whose rows have offsets one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.bus.event import ID, KEY, SUBJECT, TIME, Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ARROW = frozenset((pa.RecordBatch, pa.Table))
"""The types of payloads whose rows are events."""


class BatchEvent(Event):
    """The rows of an Arrow batch that were published together; each counts as an event.

    ``data`` the rows; ``offset`` where the first of them stands, ``end`` the offset behind the last. ``places`` the offsets of the rows,
    where some in between were left out by a condition, None where there is no gap. ``envelope`` what each row has of its own: columns
    ``$subject``, ``$key``, ``$id`` and ``$time`` (milliseconds), those that there are; all else the rows share. It is delivered, fails
    and comes again as a whole, unless it goes to a handler of single events.
    """

    __slots__ = ("end", "envelope", "places")

    def __init__(
        self,
        subject: str,
        data: pa.RecordBatch,
        key: str | None,
        headers: Mapping[str, str],
        id_: str | None,
        time_ms: int,
    ) -> None:
        super().__init__(subject, data, key, headers, id_, time_ms)
        self.end = -1
        self.places: NDArray[np.int64] | None = None
        self.envelope: pa.RecordBatch | None = None

    def stand_at(self, topic: str, offset: int, end: int | None = None) -> None:
        """Give the rows their offsets: from ``offset`` on, up to ``end`` where the batch stands for more than its rows."""
        self.topic = topic
        self.offset = offset
        self.end = offset + self.data.num_rows if end is None else end

    def offsets(self) -> NDArray[np.int64]:
        """Return the offset of each row."""
        return np.arange(self.offset, self.offset + self.data.num_rows) if self.places is None else self.places

    def select(self, mask: NDArray[np.bool_]) -> BatchEvent:
        """Return those of the rows for which the mask holds, at least one; it spans the same offsets."""
        taken = pa.array(mask)
        found = self._with(self.data.filter(taken), None if self.envelope is None else self.envelope.filter(taken))
        found.places = self.offsets()[mask]
        return found

    def slice(self, start: int, stop: int) -> BatchEvent:
        """Return some rows, by position; nothing is copied."""
        stop = min(stop, self.data.num_rows)
        count = stop - start
        found = self._with(
            self.data.slice(start, count), None if self.envelope is None else self.envelope.slice(start, count)
        )
        if self.places is not None:
            found.places = self.places[start:stop]
        if start:
            found.offset = int(self.places[start]) if self.places is not None else self.offset + start
        if stop < self.data.num_rows:
            found.end = int(self.places[stop]) if self.places is not None else self.offset + stop
        return found

    def since(self, offset: int) -> BatchEvent | None:
        """Return the rows from an offset on, None where there are none."""
        if offset <= self.offset:
            return self
        first = offset - self.offset if self.places is None else int(np.searchsorted(self.places, offset))
        return self.slice(first, self.data.num_rows) if first < self.data.num_rows else None

    def until(self, offset: int) -> BatchEvent | None:
        """Return the rows before an offset, None where there are none."""
        count = int(np.searchsorted(self.offsets(), offset))
        return self if count == self.data.num_rows else self.slice(0, count) if count else None

    def again(self, subject: str, headers: Mapping[str, str]) -> BatchEvent:
        """Return the same rows, with their keys, to be published now under another subject."""
        found = BatchEvent(subject, self.data, self.key, headers, None, time.time_ns() // 1_000_000)
        if self.has_keys() and self.envelope is not None:
            found.envelope = self.envelope.select([KEY])
        return found

    def events(self) -> list[Event]:
        """Return the rows as single events, whose payloads are dicts. Cost: about a microsecond a row and a column."""
        count = self.data.num_rows
        own = self.envelope
        subjects, keys, ids = self._each(SUBJECT, self.subject), self._each(KEY, self.key), self._each(ID, self._id)
        times = (
            [self.time_ms] * count
            if own is None or TIME not in own.schema.names
            else own.column(TIME).cast(pa.int64()).to_pylist()
        )
        found = []
        rows = zip(
            subjects,
            plain_rows(self.data),
            keys,
            ids,
            times,
            self.offsets().tolist(),
            strict=True,
        )
        for subject, row, key, id_, time_ms, offset in rows:
            event = Event(subject, row, key, self.headers, id_, time_ms)
            event.topic = self.topic
            event.offset = offset
            found.append(event)
        if self.rare is not None:
            for event in found:
                event.rare = self.rare.copy()
        return found

    def column(self, name: str) -> pa.Array:
        """Return a field of all rows, or their ``key`` or ``subject``; nulls where there is no such field."""
        own = {"key": (KEY, self.key), "subject": (SUBJECT, self.subject)}.get(name)
        if own is not None:
            if self.envelope is not None and own[0] in self.envelope.schema.names:
                return self.envelope.column(own[0])
            return pa.array([own[1]] * self.data.num_rows, pa.string())
        place = self.data.schema.get_field_index(name)
        return self.data.column(place) if place >= 0 else pa.nulls(self.data.num_rows)

    def has_keys(self) -> bool:
        """Return whether the rows have keys of their own."""
        return self.envelope is not None and KEY in self.envelope.schema.names

    def cloud_event(self) -> dict[str, Any]:
        """Return the attributes and the payload in CloudEvents' JSON form; the payload is a list of objects."""
        return {**super().cloud_event(), "data": plain_rows(self.data)}

    def _each(self, name: str, shared: str | None) -> list[Any]:
        if self.envelope is None or name not in self.envelope.schema.names:
            return [shared] * self.data.num_rows
        return self.envelope.column(name).to_pylist()

    def _with(self, data: pa.RecordBatch, envelope: pa.RecordBatch | None) -> BatchEvent:
        found = BatchEvent(self.subject, data, self.key, self.headers, self._id, self.time_ms)
        found.topic, found.offset, found.end, found.envelope = self.topic, self.offset, self.end, envelope
        found.rare = None if self.rare is None else self.rare.copy()
        return found

    def __repr__(self) -> str:
        return f"BatchEvent({self.subject!r}, {self.data.num_rows} rows, topic={self.topic!r}, offset={self.offset}, end={self.end})"


def record_batch(data: pa.RecordBatch | pa.Table) -> pa.RecordBatch:
    """Return a table's rows as one batch."""
    if isinstance(data, pa.RecordBatch):
        return data
    batches = data.combine_chunks().to_batches()
    if len(batches) == 1:
        return batches[0]
    return pa.concat_batches(batches) if batches else pa.RecordBatch.from_pylist([], schema=data.schema)


def plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return rows as dicts of Python's own values. Nanoseconds, which those don't have, are cut off; of a map the last value of a key stays."""
    columns = [_without_nanoseconds(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist(maps_as_pydicts="lossy")


def _without_nanoseconds(column: pa.Array) -> pa.Array:
    type_ = column.type
    if getattr(type_, "unit", None) != "ns":
        return column
    if pa.types.is_timestamp(type_):
        return column.cast(pa.timestamp("us", type_.tz), safe=False)
    return column.cast(pa.duration("us") if pa.types.is_duration(type_) else pa.time64("us"), safe=False)


def rows_of(event: Event) -> int:
    """Return how many rows an event stands for: 1, but for a batch."""
    return event.data.num_rows if isinstance(event, BatchEvent) else 1


def end_of(event: Event) -> int:
    """Return the offset behind an event or a batch."""
    return event.end if isinstance(event, BatchEvent) else event.offset + 1


def offsets_of(event: Event) -> list[int]:
    """Return the offset of an event, or those of a batch's rows."""
    return event.offsets().tolist() if isinstance(event, BatchEvent) else [event.offset]
