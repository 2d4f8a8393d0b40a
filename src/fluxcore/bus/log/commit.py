"""One turn of the log's thread: whatever waits becomes frames, one write and one sync, and everyone is told.

1. Rows become columns, small batches are joined, large ones cut; duplicates go, expectations are checked; offsets are given.
2. Appends with ``memory`` are settled. 3. The frames are written; those with ``os`` are settled. 4. Where anyone waits for
``disk``, or the last sync is long ago, one sync follows; then those with ``disk`` are settled, and never before.
A disk that is full fails this turn's appends only. Anything else fails all, for good.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.bus.log.errors import broken, conflict, not_encoded, not_written, too_large
from fluxcore.bus.log.queue import Expect, Producer, Queue, Run, Settled, call_back
from fluxcore.bus.log.writer import Broken, LogWriter
from fluxcore.errors import FluxError
from fluxcore.limits import LOG_FRAME_BYTES_MAX, LOG_FRAME_ROWS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fluxcore.bus.log.keys import LastOffsets, SeenIds
    from fluxcore.bus.log.reader import Reader

_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError, KeyError, AttributeError, FluxError)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Committer:
    """Commits runs through a writer."""

    def __init__(self, writer: LogWriter, queue: Queue, reader: Callable[[], Reader]) -> None:
        self.writer = writer
        self.queue = queue
        self.ids: SeenIds | None = None
        self.versions: LastOffsets | None = None
        self.lost_rows = 0
        self._reader = reader
        self._synced_us = writer.files.now_us()
        self._open: list[Run] = []

    def commit(self, runs: list[Run]) -> None:
        """Take runs through the four steps; every one of them is settled, well or not."""
        size = sum(run.size for run in runs)
        writer = self.writer
        promised = writer.written
        try:
            self._open = list(runs)
            self._place(runs)
            wanted = {run.producer.acks for run in self._open}
            if "memory" in wanted:
                promised = self._settle(lambda run: run.producer.acks == "memory")
            writer.write()
            if "os" in wanted:
                self._settle(lambda run: run.producer.acks == "os")
            now = writer.files.now_us()
            if "disk" in wanted or now - self._synced_us > writer.options.idle_sync_us:
                writer.sync()
                self._synced_us = now
                self._settle(lambda _: True)
        except Broken as error:
            self.break_off(str(error))
        except OSError as error:
            self._failed(error, promised)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            self.break_off(repr(error))
        finally:
            self.queue.release(size)

    def idle(self) -> None:
        """Sync what was not, and let a frame say so."""
        try:
            self.writer.mark()
        except (Broken, OSError) as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                return
            self.break_off(str(error))

    def break_off(self, cause: str) -> None:
        """Fail everyone who waits, now and from now on."""
        error = broken(self.writer.folder, cause)
        waiting = self.queue.refuse(error)
        self.queue.release(sum(run.size for run in waiting))
        refused, self._open = self._open + waiting, []
        self._tell([(run, run.settled(error)) for run in refused])

    # -- inside -----------------------------------------------------------------------------------------------------

    def _failed(self, error: OSError, promised: int) -> None:
        if error.errno not in _FULL:
            self.break_off(str(error))
            return
        writer = self.writer
        self.lost_rows += max(0, promised - writer.written)
        writer.forget(promised)
        self._forget(writer.written)
        durable = writer.durable
        self._settle(lambda run: run.offsets is not None and (not run.offsets or run.offsets[-1] < durable))
        refused, self._open = self._open, []
        cause = not_written(writer.folder, str(error))
        self._tell([(run, run.settled(cause)) for run in refused])

    def _forget(self, end: int) -> None:
        """Drop what is known of events from an offset on, which were not written."""
        for known in (self.ids, self.versions):
            if known is not None:
                known.forget(end)

    def _settle(self, ready: Callable[[Run], bool]) -> int:
        """Tell those who have what they wait for; return the offset after all that is written or was promised now."""
        done = [run for run in self._open if ready(run)]
        if done:
            self._open = [run for run in self._open if not ready(run)]
            self._tell([(run, run.settled()) for run in done])
        return max([self.writer.written, *(run.offsets[-1] + 1 for run in done if run.offsets)])

    def _tell(self, outcomes: Iterable[tuple[Run, Settled]]) -> None:
        by_producer: dict[Producer, list[Settled]] = {}
        for run, settled in outcomes:
            if run.tokens:
                by_producer.setdefault(run.producer, []).append(settled)
        for producer, each in by_producer.items():
            call_back(producer.when_done, each)

    def _refuse(self, run: Run, error: FluxError) -> None:
        self._open = [each for each in self._open if each is not run]
        self._tell([(run, run.settled(error))])

    def _place(self, runs: list[Run]) -> None:
        """Step 1: give every row an offset and stage the frames. What can't be stored is refused, and the rest goes on."""
        for unit in _units(runs, self.writer.options.frame_bytes):
            end = self.writer.end
            try:
                if unit[0].expect is None or self._meets(unit[0], unit[0].expect):
                    self._place_unit(unit)
            except FluxError as error:
                self._forget(end)
                for run in unit:
                    self._refuse(run, error)

    def _place_unit(self, unit: list[Run]) -> None:
        first = unit[0]
        frame_bytes = self.writer.options.frame_bytes
        if first.batch is None:
            self._place_rows(unit)
        elif len(unit) == 1:
            pieces = list(_pieces(first.batch, frame_bytes))
            largest = max(piece.nbytes for piece in pieces)
            if largest > LOG_FRAME_BYTES_MAX:
                raise too_large(largest, LOG_FRAME_BYTES_MAX)
            for piece in pieces:
                self._stage(piece, [(first, piece.num_rows)])
        else:
            batches = [run.batch for run in unit if run.batch is not None]
            counts = [(run, each.num_rows) for run, each in zip(unit, batches, strict=True)]
            self._stage(pa.concat_batches(batches), counts)

    def _meets(self, run: Run, expect: Expect) -> bool:
        assert self.versions is not None
        found = self.versions.get(expect.key, self._reader())
        if found != expect.offset:
            self._refuse(run, conflict(expect.key, expect.offset, found))
            return False
        return True

    def _place_rows(self, unit: list[Run]) -> None:
        try:
            batch = self._encode(unit)
        except _UNFIT as error:
            self._without_bad_rows(unit, error)
            return
        self._stage(batch, [(run, len(run.tokens)) for run in unit])

    def _without_bad_rows(self, unit: list[Run], cause: Exception) -> None:
        """Refuse the rows that can't be encoded and place the others."""
        for run in unit:
            good, bad = Run(run.producer, run.width), Run(run.producer, run.width)
            for row, token in zip(run.rows(), run.tokens, strict=True):
                alone = Run(run.producer, run.width)
                alone.values, alone.tokens = list(row), [token]
                into = good
                try:
                    self._encode([alone])
                except _UNFIT as error:
                    cause, into = error, bad
                into.values += row
                into.tokens.append(token)
            if bad.tokens:
                self._tell([(bad, bad.settled(not_encoded(str(cause))))])
            run.values, run.tokens = good.values, good.tokens
        left = [run for run in unit if run.tokens]
        if left:
            self._stage(self._encode(left), [(run, len(run.tokens)) for run in left])

    def _encode(self, unit: list[Run]) -> pa.RecordBatch:
        """Return the rows of some runs as columns."""
        options = self.writer.options
        if options.encode is not None:
            return _fitting(options.encode([row for run in unit for row in run.rows()]))
        schema = options.row_schema
        assert schema is not None
        width = len(schema)
        for run in unit:
            if run.width != width:
                raise ValueError(f"there are {run.width} values for {width} columns")
        values = unit[0].values if len(unit) == 1 else [value for run in unit for value in run.values]
        arrays = [pa.array(values[number::width], type_) for number, type_ in enumerate(schema.types)]
        return _fitting(pa.RecordBatch.from_arrays(arrays, schema=schema))

    def _stage(self, batch: pa.RecordBatch, parts: list[tuple[Run, int]]) -> None:
        """Stage a frame and note the offsets of each run's rows."""
        offsets: range | list[int] = range(self.writer.end, self.writer.end + batch.num_rows)
        new = None
        admitted = self.ids.admit(batch, self.writer.end) if self.ids is not None and batch.num_rows else None
        if admitted is not None:
            batch, offsets, new = admitted
        if batch.num_rows:
            first = self.writer.stage(batch)
            if self.versions is not None:
                self.versions.learn(batch, first, self.writer.written)
        at = 0
        for run, count in parts:
            run.place(offsets[at : at + count], None if new is None else new[at : at + count])
            at += count


def _fitting(batch: pa.RecordBatch) -> pa.RecordBatch:
    size = batch.get_total_buffer_size()
    if size > LOG_FRAME_BYTES_MAX:
        raise too_large(size, LOG_FRAME_BYTES_MAX)
    return batch


def _units(runs: list[Run], frame_bytes: int) -> Iterator[list[Run]]:
    """Give runs that become one frame: rows with rows, batches with batches of the same schema, up to a frame's size."""
    unit: list[Run] = []
    size = 0
    for run in runs:
        alike = unit and run.expect is None and unit[0].expect is None and _alike(unit[0], run)
        if unit and (not alike or size + run.size > frame_bytes):
            yield unit
            unit, size = [], 0
        unit.append(run)
        size += run.size
    if unit:
        yield unit


def _alike(one: Run, other: Run) -> bool:
    if one.batch is None or other.batch is None:
        return one.batch is other.batch
    return bool(one.batch.schema.equals(other.batch.schema, check_metadata=True))


def _pieces(batch: pa.RecordBatch, frame_bytes: int) -> Iterator[pa.RecordBatch]:
    """Cut a large batch into pieces of about a frame's size."""
    rows = max(1, min(LOG_FRAME_ROWS_MAX, int(batch.num_rows * frame_bytes / max(batch.nbytes, 1))))
    if batch.num_rows <= rows or batch.nbytes <= frame_bytes * 5 // 4:
        yield batch
        return
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
