"""Writes frames to segments, one after the other: staging, writing, syncing, rolling. It runs in one thread.

Nothing is retried after a failed sync: the system may have dropped what it could not write, and a second sync would succeed
without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.bus.log import statistics
from fluxcore.bus.log.frame import CHAIN_BYTES, HEADER_BYTES, SPARSE, Compression, Draft, Kind, filled
from fluxcore.bus.log.index import SegmentIndex, save_index
from fluxcore.bus.log.live import LiveMark
from fluxcore.bus.log.manifest import save
from fluxcore.bus.log.recovery import Recovered, SegmentState
from fluxcore.bus.log.schemas import schema_bytes, schema_id
from fluxcore.bus.log.segment import BrokenFile, Head, SegmentFile

if TYPE_CHECKING:
    from fluxcore.bus.log.files import Files
    from fluxcore.bus.log.options import LogOptions

_CODECS = {"lz4": (Compression.LZ4, "lz4"), "zstd": (Compression.ZSTD, "zstd")}
_SLACK = 2048  # the head of a segment and an empty header at its end


class Broken(Exception):
    """The log must not be written any more."""


class LogWriter:
    """Puts batches into the log's files.

    ``end`` is the offset of the next event, ``written`` the one after the last that the system took, ``durable`` the one after the
    last that is on the disk.
    """

    def __init__(self, files: Files, folder: str, options: LogOptions, state: Recovered) -> None:
        self.files = files
        self.folder = folder
        self.options = options
        self.manifest = state.manifest
        self.segments = state.segments
        self.end = self.written = self.durable = state.end
        self.syncs = 0
        self.frames = 0
        self.time_us = max((each.index.time_max_us for each in state.segments), default=0)
        self._segment = state.active
        self._index = state.segments[-1].index if state.active is not None else SegmentIndex()
        self._marked = self._index.durable
        self._dirty = False
        self._last: tuple[pa.Schema, int] | None = None
        self._live = LiveMark(files, folder)
        self._live.put(self.durable)

    # -- events -----------------------------------------------------------------------------------------------------

    def stage(self, batch: pa.RecordBatch) -> int:
        """Put the rows of a batch behind those that the next ``write`` writes, as a frame; return their first offset.

        Raises: ``OSError`` when a new segment is needed and can't be made; ``Broken`` when a sync fails on the way.
        """
        first = self.end
        schema = batch.schema
        draft = self._draft(batch, schema, first)
        self._make_room(draft.size, schema)
        assert self._segment is not None
        if draft.schema not in self._segment.schemas:
            self._stage_schema(self._segment, schema, first)
        self._segment.stage(draft, self.durable)
        self.end = first + draft.span
        return first

    def write(self) -> None:
        """Hand what was staged to the system. Raises ``OSError`` when it refuses and the write was taken back."""
        if self._segment is None:
            return
        try:
            headers = self._segment.write()
        except BrokenFile as error:
            raise Broken(str(error)) from error
        for header, raw in headers:
            self._index.add(header, raw)
            self.frames += header.kind == Kind.DATA
            self._dirty = True
        if headers:
            self._marked = max(self._marked, headers[-1][0].durable)
            self.written = max(self.written, headers[-1][0].end_offset)

    def sync(self) -> None:
        """Make all that was written durable. Raises ``Broken``: a failed sync is not tried again."""
        if self._segment is None or not self._dirty:
            return
        try:
            self._segment.sync()
        except OSError as error:
            raise Broken(f"sync: {error}") from error
        self.syncs += 1
        self._dirty = False
        self.durable = self.written
        self._live.put(self.durable)

    def forget(self, end: int) -> None:
        """Drop what was staged after a failure; offsets from ``end`` on are given to the next events."""
        if self._segment is not None:
            self._segment.forget()
        self.end = max(end, self.written)

    @property
    def unmarked(self) -> bool:
        """Whether something is not durable yet, or no frame says that it is."""
        return self._dirty or self._marked < self.durable

    def mark(self) -> None:
        """Sync, and write an empty frame that carries the durable mark forward, so that it survives by itself."""
        self.sync()
        if self._marked >= self.durable or self._segment is None or not self._segment.room(HEADER_BYTES):
            return
        self._segment.stage(Draft(Kind.MARK, self.end), self.durable)
        self.write()
        self.sync()

    # -- segments ---------------------------------------------------------------------------------------------------

    def roll(self) -> None:
        """End the segment, so that the next event begins a new one. An empty one is kept."""
        if self._segment is None or self._index.rows == 0:
            return
        self.write()
        if self._segment.fits(HEADER_BYTES):  # the end, so that a reader can tell offsets never given out from damage
            self._segment.stage(Draft(Kind.MARK, self.end), self.durable)
            self.write()
        self.sync()
        segment, index = self._segment, self._index
        save_index(self.files, self.folder, segment.name, index)
        self._segment = None
        self._index = SegmentIndex(chain=index.chain)
        index.drop_entries()
        segment.close()

    def begin(self) -> None:
        """Begin a new segment if none is being written, so that all others are whole."""
        if self._segment is None:
            self._make_room(0, pa.schema([]))
            self.write()

    def close(self) -> None:
        """Give the files back."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        self._live.close()

    @property
    def first_time_us(self) -> int:
        """When the first event of the last segment was appended, or 0."""
        return self._index.time_min_us if self._segment is not None else 0

    def _make_room(self, size: int, schema: pa.Schema) -> None:
        schema_size = HEADER_BYTES + filled(len(schema_bytes(schema))) if self._segment_lacks(schema) else 0
        if self._segment is not None and self._segment.room(size + schema_size):
            return
        if self._segment is not None:
            self.write()
            self.roll()
        needed = size + HEADER_BYTES + filled(len(schema_bytes(schema))) + _SLACK
        chain = self._index.chain if self.segments else bytes(CHAIN_BYTES)
        head = Head(
            self.manifest.topic,
            self.manifest.log,
            self.files.random_id(),
            self.end,
            chain=chain.hex(),
            created_us=self.files.now_us(),
        )
        room = filled(max(self.options.segment_bytes, needed))
        made = SegmentFile.create(self.files, self.folder, head, room)
        if self._segment is not None:
            self._segment.close()
        self._segment = made
        self._index = SegmentIndex(segment=head.segment, end=self.end)
        for header, raw in self._segment.first:
            self._index.add(header, raw)
        self._marked = 0
        if self.segments and self.segments[-1].name == self._segment.name:
            self.segments.pop()
        self.segments.append(SegmentState(self._segment.name, self._index, room))

    def _segment_lacks(self, schema: pa.Schema) -> bool:
        return self._segment is None or self._id(schema) not in self._segment.schemas

    def _stage_schema(self, segment: SegmentFile, schema: pa.Schema, first: int) -> None:
        """Put a schema before its first use in the segment, and into the manifest before that."""
        content = schema_bytes(schema)
        if self.manifest.learn(content):
            try:
                save(self.files, self.folder, self.manifest)
            except OSError:
                self.manifest.unlearn(content)
                raise
        segment.stage(Draft(Kind.SCHEMA, first, body=content, schema=self._id(schema)), self.durable)

    def _id(self, schema: pa.Schema) -> int:
        last = self._last
        if last is None or not last[0].equals(schema, check_metadata=True):  # the hash of a schema takes long
            last = self._last = (schema, schema_id(schema_bytes(schema)))
        return last[1]

    def _draft(self, batch: pa.RecordBatch, schema: pa.Schema, first: int) -> Draft:
        self.time_us = max(self.time_us, self.files.now_us())
        return make_draft(batch, first, self._id(schema), (self.time_us, self.time_us), self.options)


def make_draft(
    batch: pa.RecordBatch, first: int, schema: int, times: tuple[int, int], options: LogOptions, span: int = 0
) -> Draft:
    """Return the frame of a batch. With ``span`` it is sparse: the batch's last column holds the rows' distances."""
    events = batch.select(range(batch.num_columns - 1)) if span else batch
    meta = statistics.collect(events, options.filtered)
    body = batch.serialize()
    raw_length = body.size
    kind, codec = _CODECS.get(options.compression, (Compression.NONE, None))
    if codec is not None:
        body = pa.Codec(codec).compress(body)
    return Draft(
        Kind.DATA,
        first,
        meta=meta,
        body=body,
        rows=batch.num_rows,
        span=span or batch.num_rows,
        schema=schema,
        flags=SPARSE if span else 0,
        compression=kind,
        raw_length=raw_length,
        time_min_us=times[0],
        time_max_us=times[1],
    )
