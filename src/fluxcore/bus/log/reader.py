"""Reads a log: from an offset or a time on, as Arrow batches, with a filter; in any process, and beside the writer.

A reader sees only what is durable, unless the log that it belongs to lets it see more. Damage is never passed over in silence:
it raises, or is told to ``on_lost``.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.bus.log.errors import gone, lost, missing
from fluxcore.bus.log.files import Files, OsFiles
from fluxcore.bus.log.frame import Header, Kind
from fluxcore.bus.log.index import SegmentIndex, load_index
from fluxcore.bus.log.live import LiveReader
from fluxcore.bus.log.manifest import Lost, load
from fluxcore.bus.log.ranges import Skipped
from fluxcore.bus.log.reading import Filter, Filters, Frame, chosen, decode, excluded
from fluxcore.bus.log.recovery import live_segments
from fluxcore.bus.log.scan import last_byte
from fluxcore.bus.log.segment import SegmentName, SegmentView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from fluxcore.core.ports import Bound
    from fluxcore.expr.nodes import Expr


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What is read: offsets from ``start`` up to, not including, ``stop``; these columns; rows that pass ``where``.

    ``where`` is a condition bound to the log's columns, or a function that binds one to a schema. ``on_lost`` is told of damage;
    without it damage raises. ``earliest`` starts at the first event there is when ``start`` was removed already. ``excluded_by``
    gives comparisons for a schema: frames whose statistics say that no row meets all of them are passed over.
    """

    start: int = 0
    stop: int | None = None
    columns: tuple[str, ...] | None = None
    where: Expr | Callable[[pa.Schema], Expr] | None = None
    on_lost: Callable[[Lost], None] | None = None
    earliest: bool = False
    excluded_by: Callable[[pa.Schema], tuple[Bound, ...]] | None = None


class Reader:
    """Reads a log from its folder; ``with Reader.open(folder) as reader``. Not for several threads at once.

    Cost: opening a segment maps its file; a frame costs its checksum, and nothing is copied unless it is compressed.
    """

    def __init__(self, folder: str, files: Files, limit: Callable[[], int] | None = None) -> None:
        self.folder = folder
        self.files = files
        self.frames_read = 0
        self.frames_skipped = 0
        self._limit = limit
        self._live = LiveReader(files, folder)
        self._views: dict[SegmentName, tuple[SegmentView, SegmentIndex]] = {}
        self._names: list[SegmentName] = []
        self._schemas: dict[int, pa.Schema] = {}
        self._durable = 0
        self._list()

    @staticmethod
    def open(folder: str, files: Files | None = None) -> Reader:
        """Return a reader. Raises ``ScriptError`` FX-LOG-0013 where there is no log."""
        files = files or OsFiles()
        try:
            reader = Reader(folder, files)
        except FileNotFoundError as error:
            raise missing(folder) from error
        if load(files, folder) is None and not reader._names:
            raise missing(folder)
        return reader

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files. Batches that were read stay valid."""
        self._views.clear()
        self._live.close()

    @property
    def start(self) -> int:
        """The offset of the first event that is kept."""
        self._list()
        return self._names[0].first if self._names else 0

    @property
    def end(self) -> int:
        """The offset after the last event that this reader may see."""
        if self._limit is not None:
            return self._limit()
        self._durable = max(self._durable, self._live.get())
        if self._durable == 0:
            self._durable = self._marked()
        return self._durable

    def is_behind(self) -> bool:
        """Return whether there are frames beyond the end that this reader may see: not durable yet, or left by a crash."""
        end = self.end
        self._list()
        if not self._names or self._names[-1].first > end:
            return bool(self._names)
        view, index = self._view(self._names[-1])
        headers = view.headers(index.position_of(end))
        return any(header.kind == Kind.DATA and header.end_offset > end for header in headers)

    def read(self, options: ReadOptions | None = None) -> Iterator[Frame]:
        """Give the frames from ``start`` up to what is the end when they are reached; then it ends, and can be called again.

        Raises: ``JobError`` FX-LOG-0011 when ``start`` was removed, ``DataError`` FX-LOG-0010 for damage.
        """
        options = options or ReadOptions()
        filters = Filters(options.where)
        position = options.start
        while options.stop is None or position < options.stop:
            stop = self.end if options.stop is None else min(self.end, options.stop)
            self._list()  # after the end was read, so that all segments up to it are there
            if self._names and position < self._names[0].first:
                if position == options.start and not options.earliest:
                    raise gone(position, self._names[0].first)
                position = self._names[0].first
            if position >= stop:
                return
            before = position
            for frame in self._segment_frames((position, stop), options, filters):
                if isinstance(frame, Frame):
                    position = max(position, frame.end_offset)
                    if frame.count:
                        yield frame
                else:
                    position = max(position, frame)
            if position == before:
                return

    def offset_at(self, time_us: int) -> int:
        """Return the offset of the first frame appended at a time or after it; the end where there is none."""
        self._list()
        for name in self._names:
            view, index = self._view(name)
            if name != self._names[-1] and index.positions and index.time_max_us < time_us:
                continue
            for header in self._headers(view, index, index.position_of_time(time_us)):
                if header.first_offset >= self.end:
                    break
                if isinstance(header, Header) and header.kind == Kind.DATA and header.time_max_us >= time_us:
                    return header.first_offset
        return self.end

    def backwards(self, stop: int, wanted: Callable[[pa.Schema], tuple[Bound, ...]]) -> Iterator[Frame]:
        """Give the frames below an offset, the last first, but for those whose statistics exclude the comparisons."""
        self._list()
        for name in reversed(self._names):
            if name.first >= stop:
                continue
            view, index = self._view(name)
            found = self._headers(view, index, 0)
            headers = [each for each in found if isinstance(each, Header) and each.kind == Kind.DATA]
            for header in reversed(headers):
                schema = self._schema(view, header.schema) if header.first_offset < stop else None
                if schema is None or excluded(view, header, schema, wanted(schema)):
                    continue
                frame = decode(view, header, schema)
                if frame is not None:
                    yield frame

    # -- inside -----------------------------------------------------------------------------------------------------

    def _segment_frames(
        self, between: tuple[int, int], options: ReadOptions, filters: Filters
    ) -> Iterator[Frame | int]:
        """Give the frames of the segment that holds an offset; a number is an offset up to which there is nothing."""
        start, stop = between
        place = max(bisect_right(self._names, SegmentName(start, 10**6)) - 1, 0)
        if not self._names:
            return
        try:
            view, index = self._view(self._names[place])
        except FileNotFoundError:
            return  # removed since it was listed
        follower = self._names[place + 1].first if place + 1 < len(self._names) else None
        expected = start
        position = index.position_of(start)
        skips = index.ranges.skips(lambda id_: self._comparisons(view, id_, options, filters)) if index.ranges else {}
        for header in self._headers(view, index, position, skips):
            reached = min(header.first_offset, stop)
            if reached > expected:
                self._gap(view, (expected, reached), options, damaged=header.position != position)
                expected = reached
                yield expected
            if header.first_offset >= stop:
                return
            position = header.next_position
            if isinstance(header, Skipped):
                self.frames_skipped += header.frames
                expected = max(expected, min(header.end_offset, stop))
                yield expected
            elif header.kind == Kind.DATA and header.end_offset > start:
                yield self._frame(view, header, between, (options, filters))
                expected = header.end_offset
                if expected >= stop:
                    return  # what is behind it may not be written yet, and need not be looked for
        end = stop if follower is None else min(follower, stop)
        if (
            expected < end
        ):  # a segment reaches up to the next one, and what is durable is there; only compaction leaves less
            damaged = view.name.generation == 0 or view.head is None or last_byte(view, position) > position
            self._gap(view, (expected, end), options, damaged=damaged)
            yield end

    def _frame(
        self, view: SegmentView, header: Header, between: tuple[int, int], how: tuple[ReadOptions, Filters]
    ) -> Frame | int:
        """Return the rows of a frame that are wanted, or its end where there are none."""
        options, filters = how
        schema = self._schema(view, header.schema)
        offsets = max(between[0], header.first_offset), min(between[1], header.end_offset)
        if schema is None:
            self._lose(view, offsets, "their schema is damaged", options)
            return header.end_offset
        found = filters.get(header.schema, schema)
        comparisons = _bounds(found, schema, options)
        if comparisons and excluded(view, header, schema, comparisons):
            self.frames_skipped += 1
            return header.end_offset
        frame = decode(view, header, schema)
        self.frames_read += 1
        if frame is None:
            self._lose(view, offsets, "its bytes are damaged", options)
            return header.end_offset
        return chosen(frame, found, between, options.columns)

    def _comparisons(
        self, view: SegmentView, id_: int, options: ReadOptions, filters: Filters
    ) -> tuple[tuple[Bound, ...], pa.Schema] | None:
        """Return what rows of a schema must meet, for the ranges of a whole segment."""
        schema = self._schema(view, id_)
        return None if schema is None else (_bounds(filters.get(id_, schema), schema, options), schema)

    def _headers(
        self, view: SegmentView, index: SegmentIndex, position: int, skips: dict[int, Skipped] | None = None
    ) -> Iterator[Header | Skipped]:
        """Give the headers from a position on, passing over damage; the index of a segment that grows grows with them.

        Frames that are skipped together come as one.
        """
        growing = view.name == self._names[-1]
        while True:
            while (header := self._header(view, position, skips)) is not None:
                if growing and isinstance(header, Header) and header.position == index.used:
                    index.note(header)
                yield header
                position = header.next_position
            following = view.next_header(position)
            if following is None:
                return
            position = following.position

    def _header(self, view: SegmentView, position: int, skips: dict[int, Skipped] | None) -> Header | Skipped | None:
        skipped = skips.get(position) if skips else None
        return skipped if skipped is not None else view.header(position)

    def _gap(self, view: SegmentView, offsets: tuple[int, int], options: ReadOptions, *, damaged: bool) -> None:
        """Report damage between two frames; offsets that were never given out, or compacted away, are none."""
        manifest = load(self.files, self.folder)
        told = False
        for each in manifest.lost if manifest is not None else []:
            if each.first < offsets[1] and each.end > offsets[0]:
                self._lose(view, (max(offsets[0], each.first), min(offsets[1], each.end)), each.reason, options)
                told = True
        if damaged and not told:
            self._lose(view, offsets, "its bytes are damaged", options)

    def _lose(self, view: SegmentView, offsets: tuple[int, int], reason: str, options: ReadOptions) -> None:
        if options.on_lost is None:
            raise lost(view.path, offsets[0], offsets[1], reason)
        options.on_lost(Lost(offsets[0], offsets[1], str(view.name), 0, 0, reason))

    def _list(self) -> None:
        names = live_segments(self.files, self.folder)
        if names != self._names:
            self._names = names
            wanted = set(names)
            self._views = {name: view for name, view in self._views.items() if name in wanted}

    def _view(self, name: SegmentName) -> tuple[SegmentView, SegmentIndex]:
        """Return a segment and its index; that of the last one grows as it is read, and is looked for again when it is full."""
        found = self._views.get(name)
        view = found[0] if found is not None else SegmentView(self.files, self.folder, name)
        index = found[1] if found is not None else None
        if index is None or (not index.positions and name != self._names[-1]):
            index = load_index(view) or index or SegmentIndex()
        self._views[name] = (view, index)
        return view, index

    def _schema(self, view: SegmentView, id_: int) -> pa.Schema | None:
        """Return a schema from the manifest, or from a copy in the segment."""
        found = self._schemas.get(id_)
        if found is None:
            manifest = load(self.files, self.folder)
            found = manifest.schema(id_) if manifest is not None else None
            if found is None:
                held = (each for each in view.headers() if each.kind == Kind.SCHEMA and each.schema == id_)
                found = next((schema for each in held if (schema := view.schema(each)) is not None), None)
            if found is not None:
                self._schemas[id_] = found
        return found

    def _marked(self) -> int:
        """Return the durable mark of the frames of the last segment; everything before it is durable."""
        if not self._names:
            return 0
        view, _ = self._view(self._names[-1])
        return max([self._names[-1].first, *(header.durable for header in view.headers())])


def _bounds(found: Filter | None, schema: pa.Schema, options: ReadOptions) -> tuple[Bound, ...]:
    """Return the comparisons that rows of a schema must meet."""
    comparisons = found.bounds if found is not None else ()
    return comparisons if options.excluded_by is None else comparisons + options.excluded_by(schema)
