"""What a log knows of the ids and keys of its events: duplicates by id, and the last offset of a key."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.log.reader import Reader, ReadOptions
from fluxcore.core.ports import Bound
from fluxcore.limits import LOG_VERSION_KEYS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class SeenIds:
    """The ids of the last events and their offsets. An id that is null is never a duplicate.

    In: how many ``rows`` back an id is known at most, and for how long, ``window_us``, where that is given; the time as ``now_us``.
    """

    def __init__(self, column: str, rows: int, window_us: int | None, now_us: Callable[[], int]) -> None:
        self.column = column
        self._rows = rows
        self._window_us = window_us
        self._now_us = now_us
        self._seen: OrderedDict[Any, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def load(self, reader: Reader, end: int) -> None:
        """Take in the last events of a log."""
        start = max(reader.start, end - self._rows)
        if self._window_us is not None:
            start = max(start, reader.offset_at(self._now_us() - self._window_us))
        for frame in reader.read(ReadOptions(start, on_lost=lambda _: None)):
            if self.column in frame.batch.schema.names:
                self._learn(frame.batch.column(self.column).to_pylist(), frame.offsets.tolist(), frame.time_us)
        self._trim()

    def admit(self, batch: pa.RecordBatch, first: int) -> tuple[pa.RecordBatch, list[int], list[bool]] | None:
        """Return the rows that are new, the offset of each row, and which are new; None where all are.

        In: the offset that the first new row gets. A row whose id was seen has the offset of that event.
        """
        number = batch.schema.get_field_index(self.column)
        if number < 0 or batch.column(number).null_count == batch.num_rows:
            return None
        now = self._now_us()
        self._trim(now)
        ids = batch.column(number).to_pylist()
        known = self._seen
        distinct = set(ids)
        if known.keys().isdisjoint(distinct) and (len(distinct) == len(ids)):
            self._learn(ids, range(first, first + len(ids)), now)
            return None
        offsets, new = [], []
        for value in ids:
            found = known.get(value) if value is not None else None
            new.append(found is None)
            offsets.append(first if found is None else found[0])
            if found is None:
                if value is not None:
                    known[value] = (first, now)
                first += 1
        self._trim()
        return batch.filter(pa.array(new)), offsets, new

    def forget(self, end: int) -> None:
        """Drop what was learned of events from an offset on, which were not written."""
        while self._seen and next(reversed(self._seen.values()))[0] >= end:
            self._seen.popitem()

    def _learn(self, ids: list[Any], offsets: Iterable[int], time_us: int) -> None:
        self._seen.update((id_, (offset, time_us)) for id_, offset in zip(ids, offsets, strict=True))
        self._seen.pop(None, None)
        self._trim()

    def _trim(self, now_us: int | None = None) -> None:
        """Forget the oldest ids, where there are too many, and those that are too old."""
        seen = self._seen
        while len(seen) > self._rows:
            seen.popitem(last=False)
        if now_us is not None and self._window_us is not None:
            oldest = now_us - self._window_us
            while seen and next(iter(seen.values()))[1] <= oldest:
                seen.popitem(last=False)


class LastOffsets:
    """The last offset of each key: of recent events from memory, of older ones through the filters in the frames."""

    def __init__(self, column: str, start: int) -> None:
        self.column = column
        self._recent: dict[Any, int] = {}
        self._since = start

    def learn(self, batch: pa.RecordBatch, first: int, written: int) -> None:
        """Take in the rows of a batch; what is below ``written`` can be found in the files."""
        if self.column not in batch.schema.names:
            return
        if len(self._recent) > LOG_VERSION_KEYS_MAX:
            self._recent = {key: offset for key, offset in self._recent.items() if offset >= written}
            self._since = written
        keys = batch.column(self.column).to_pylist()
        self._recent.update(zip(keys, range(first, first + len(keys)), strict=True))

    def forget(self, end: int) -> None:
        """Drop what was learned of events that were not written."""
        if any(offset >= end for offset in self._recent.values()):
            self._recent, self._since = {}, end

    def get(self, key: Any, reader: Reader) -> int | None:
        """Return the offset of the last event of a key, or None. Frames whose filter excludes the key are not decoded."""
        found = self._recent.get(key)
        return found if found is not None else last_offset(reader, self.column, key, self._since)


def last_offset(reader: Reader, column: str, key: Any, stop: int) -> int | None:
    """Return the offset of the last event below ``stop`` whose key this is, looking from the end backwards."""
    for frame in reader.backwards(stop, lambda schema: _equals(schema, column, key)):
        if column not in frame.batch.schema.names:
            continue
        array = frame.batch.column(column)
        hits = np.flatnonzero(pc.fill_null(pc.equal(array, pa.scalar(key, array.type)), False))
        hits = hits[frame.offsets[hits] < stop]
        if len(hits):
            return int(frame.offsets[hits[-1]])
    return None


def _equals(schema: pa.Schema, column: str, key: Any) -> tuple[Bound, ...]:
    number = schema.get_field_index(column)
    return (Bound(number, "=", key),) if number >= 0 else ()
