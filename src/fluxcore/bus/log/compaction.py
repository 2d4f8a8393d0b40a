"""Compaction: of each key only the last event stays. Offsets don't change; frames get gaps.

1. Read the whole log and note the last offset of each key. 2. Write the rows that stay of neighbouring full segments into a new
segment of a higher generation, under a hidden name. 3. Sync it and give it its name: in this step it stands for those that it
covers. 4. Remove those. A crash before 3 leaves the old ones, one after it the new one; recovery removes the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.log.frame import CHAIN_BYTES, HEADER_BYTES, Draft, Header, Kind, filled
from fluxcore.bus.log.index import SegmentIndex, index_name, load_index, save_index
from fluxcore.bus.log.reader import ReadOptions
from fluxcore.bus.log.reading import Frame
from fluxcore.bus.log.recovery import SegmentState
from fluxcore.bus.log.schemas import schema_bytes, schema_id
from fluxcore.bus.log.segment import Head, SegmentFile, SegmentView
from fluxcore.bus.log.writer import make_draft

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.bus.log.log import Log
    from fluxcore.bus.log.manifest import Lost

_OFFSET = pa.field("offset", pa.uint32(), nullable=False)
_DISTANCE_MAX = 2**31


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compaction did: segments before and after, rows before and after, among those that it touched."""

    segments_before: int
    segments_after: int
    rows_before: int
    rows_after: int


def compact(log: Log, in_thread: Callable[[Callable[[], Any]], Any]) -> Compacted:
    """Compact all full segments of a log; ``in_thread`` runs the change of the segments in the log's thread."""
    states = list(log._writer.segments[:-1])  # the last one is being written
    last = _last_offsets(log)
    total = Compacted(0, 0, 0, 0)
    for group in _groups(states, log.options.segment_bytes):
        done = _rewrite(log, group, last, in_thread)
        if done is not None:
            total = Compacted(
                total.segments_before + len(group),
                total.segments_after + 1,
                total.rows_before + done[0],
                total.rows_after + done[1],
            )
    return total


class _LastOffsets:
    """The last offset of each key, as arrays."""

    def __init__(self) -> None:
        self.keys: pa.Array | None = None
        self.offsets = np.empty(0, np.int64)

    def add(self, keys: pa.Array, offsets: Any) -> None:
        table = pa.table({"key": keys, "offset": pa.array(offsets)})
        if self.keys is not None:
            before = pa.table({"key": self.keys, "offset": pa.array(self.offsets)})
            table = pa.concat_tables([before, table.set_column(0, "key", table.column("key").cast(self.keys.type))])
        found = table.group_by("key").aggregate([("offset", "max")])
        self.keys = found.column("key").combine_chunks()
        self.offsets = found.column("offset_max").to_numpy()

    def stays(self, keys: pa.Array, offsets: Any) -> Any:
        """Return which rows are the last ones of their keys, or have none."""
        places = pc.index_in(keys.cast(self.keys.type), self.keys) if self.keys is not None else pa.nulls(len(keys))
        known = pc.fill_null(places, -1).to_numpy().astype(np.int64)
        newest = np.where(known >= 0, self.offsets[np.maximum(known, 0)], offsets)
        return (newest <= offsets) | np.asarray(keys.is_null())


def _last_offsets(log: Log) -> _LastOffsets:
    column = log.options.key_column
    last = _LastOffsets()
    pending: list[tuple[pa.Array, Any]] = []
    rows = 0
    for frame in log.read(options=ReadOptions(log.start, on_lost=lambda _: None, earliest=True)):
        if column not in frame.batch.schema.names:
            continue
        pending.append((frame.batch.column(column), frame.offsets))
        rows += frame.count
        if rows > max(262_144, len(last.offsets)):
            last.add(pa.chunked_array([each for each, _ in pending]), np.concatenate([each for _, each in pending]))
            pending, rows = [], 0
    if pending:
        last.add(pa.chunked_array([each for each, _ in pending]), np.concatenate([each for _, each in pending]))
    return last


def _groups(states: list[SegmentState], size: int) -> list[list[SegmentState]]:
    """Return neighbouring segments that fit into one together."""
    groups: list[list[SegmentState]] = []
    filled_bytes = 0
    for state in states:
        if not groups or filled_bytes + state.index.used > size:
            groups.append([])
            filled_bytes = 0
        groups[-1].append(state)
        filled_bytes += state.index.used
    return groups


def _rewrite(
    log: Log, group: list[SegmentState], last: _LastOffsets, in_thread: Callable[[Callable[[], Any]], Any]
) -> tuple[int, int] | None:
    """Replace a group of segments by one with the rows that stay; None where all of them stay and it is one already.

    A group with damage stays as it is: in a compacted segment what is missing would look as if it had been taken out.
    """
    files, folder, column = log.files, log.folder, log.options.key_column
    drafts: list[tuple[Draft, pa.Schema]] = []
    damaged: list[Lost] = []
    before = after = 0
    for state in group:
        with log.reader() as reader:
            end = state.index.end
            for frame in reader.read(ReadOptions(max(state.name.first, log.start), end, on_lost=damaged.append)):
                before += frame.count
                kept = _kept(frame, column, last)
                after += kept.count
                if kept.count:
                    drafts.append((_draft(log, kept), kept.batch.schema))
    if damaged or (before == after and len(group) == 1):
        return None
    first, final = group[0], group[-1]
    chain = SegmentView(files, folder, first.name).head
    head = Head(
        log._writer.manifest.topic,
        log._writer.manifest.log,
        files.random_id(),
        first.name.first,
        generation=max(each.name.generation for each in group) + 1,
        end=final.index.end,
        chain=chain.chain if chain is not None else bytes(CHAIN_BYTES).hex(),
        closes=_closes(files, folder, final),
        created_us=files.now_us(),
    )
    made, index = _write(log, head, drafts)
    state = SegmentState(made.name, index, made.size)
    in_thread(lambda: _replace(log, group, state))
    return before, after


def _kept(frame: Frame, column: str | None, last: _LastOffsets) -> Frame:
    if column not in frame.batch.schema.names:
        return frame
    offsets = frame.offsets
    rows = np.flatnonzero(last.stays(frame.batch.column(column), offsets))
    distances = offsets[rows] - frame.first_offset
    return Frame(frame.batch.take(pa.array(rows)), frame.first_offset, frame.end_offset, frame.time_us, distances)


def _draft(log: Log, frame: Frame) -> Draft:
    schema = frame.batch.schema
    distances = frame.offsets - frame.first_offset
    batch = frame.batch.append_column(_OFFSET, pa.array(distances.astype(np.uint32)))
    times = (frame.time_us, frame.time_us)
    span = frame.end_offset - frame.first_offset
    return make_draft(batch, frame.first_offset, schema_id(schema_bytes(schema)), times, log.options, span)


def _write(log: Log, head: Head, drafts: list[tuple[Draft, pa.Schema]]) -> tuple[SegmentFile, SegmentIndex]:
    """Steps 2 and 3, but for the removal of the old ones."""
    schemas = {schema_id(schema_bytes(schema)): schema_bytes(schema) for _, schema in drafts}
    extra = sum(HEADER_BYTES + filled(len(content)) for content in schemas.values()) + 4096
    made = SegmentFile.create(
        log.files, log.folder, head, filled(sum(draft.size for draft, _ in drafts) + extra), publish=False
    )
    index = SegmentIndex(segment=head.segment, end=head.first)
    try:
        staged: list[tuple[Header, bytes]] = list(made.first)
        for draft, _ in drafts:
            if draft.schema not in made.schemas:
                content = schemas[draft.schema]
                made.stage(
                    Draft(Kind.SCHEMA, draft.first_offset, body=content, schema=draft.schema), draft.first_offset
                )
            made.stage(draft, draft.first_offset)
            staged += made.write()
        for header, raw in staged:
            index.add(header, raw)
        index.end = head.end if head.end is not None else index.end
        made.publish()
    except BaseException:
        log.files.remove(f"{log.folder}/{made.name}.new")
        raise
    finally:
        made.close()
    save_index(log.files, log.folder, made.name, index)
    index.drop_entries()
    return made, index


def _replace(log: Log, group: list[SegmentState], state: SegmentState) -> None:
    """Step 4, in the log's thread."""
    segments = log._writer.segments
    place = segments.index(group[0]) if group[0] in segments else 0
    log._writer.segments = segments[:place] + [state] + [each for each in segments[place:] if each not in group]
    for each in group:
        log.files.remove(f"{log.folder}/{each.name}")
        log.files.remove(f"{log.folder}/{index_name(each.name)}")
    log.files.sync_folder(log.folder)


def _closes(files: Any, folder: str, state: SegmentState) -> str:
    """Return the chain value with which the segment after this one begins."""
    view = SegmentView(files, folder, state.name)
    if view.head is not None and view.head.closes:
        return view.head.closes
    index = load_index(view)
    return index.chain.hex() if index is not None else ""
