"""Reads the log of a topic ahead of its groups: on a thread, in pieces that are kept while a group is near them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.bus.log import Frame, Reader, ReadOptions
from fluxcore.bus.rows import is_plain, items_of
from fluxcore.core.log import Log as Records
from fluxcore.errors import FluxError
from fluxcore.limits import BUS_FEED_BYTES, BUS_FEED_PIECES, BUS_READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.log import Lost
    from fluxcore.bus.transports.file.desk import Desk
    from fluxcore.core.ports import Bound

    Bounds = Callable[[pa.Schema], tuple[Bound, ...]]

_records = Records("bus")
_SMALL_ROWS = 256


@dataclass(slots=True)
class Piece:
    """What was read between two offsets: frames, and nothing between them.

    ``start`` is where the log began then; ``used`` when a group has had some of it.
    """

    first: int
    end: int
    frames: list[Frame]
    bytes: int
    start: int
    used: bool = False

    def events(self, offset: int, count: int, topic: str) -> tuple[list[Event], int]:
        """Return events from an offset on, about so many single ones or all of a frame's batches, and the offset to go on at."""
        place = bisect_right(self.frames, offset, key=lambda frame: frame.end_offset)
        if place == len(self.frames):
            return [], self.end
        frame = self.frames[place]
        skipped = _rows_below(frame, offset)
        if not is_plain(frame.batch.schema):
            count = frame.batch.num_rows
        batch = frame.batch.slice(skipped, count)
        offsets = frame.offsets[skipped : skipped + count]
        end = frame.end_offset if skipped + count >= frame.batch.num_rows else int(offsets[-1]) + 1
        return items_of(batch, offsets, topic, end), end


class Feed:
    """The events of a topic for its groups. All on the event loop but the reading itself.

    ``arrived`` is called when there is more, with the offset at which the log begins.
    """

    def __init__(self, folder: str, topic: str, desk: Desk, arrived: Callable[[int], None]) -> None:
        self.lost = 0
        self.bytes = 0
        self._opens: Callable[[], Reader] = lambda: Reader.open(folder, desk.own_files)
        self.make_reader = self._opens
        self._topic = topic
        self._desk = desk
        self._arrived = arrived
        self._pieces: list[Piece] = []
        self._asked: dict[int, int] = {}
        self._bounds: Bounds | None = None
        self._choice = 0
        self._reading = False
        self._reader: Reader | None = None
        self._is_outdated = False
        self.reached = 0

    @property
    def skipped(self) -> int:
        """How many frames were passed over unread since the reader was made."""
        return 0 if self._reader is None else self._reader.frames_skipped

    def fetch(self, offset: int, count: int, end: int) -> tuple[Sequence[Event], int]:
        """Return events from an offset on and the offset to go on at; the same offset where they must be read first."""
        for piece in reversed(self._pieces):
            if piece.first <= offset < piece.end:
                piece.used = True
                return piece.events(offset, count, self._topic)
        if offset < end:
            self.ask(offset, end)
        return (), offset

    def choose(self, wanted: Sequence[Bounds]) -> None:
        """Read frames only if a row in them may meet what all groups together want: that of the one group, where there is one."""
        self._bounds = wanted[0] if len(wanted) == 1 else None
        self._pieces.clear()
        self.bytes = 0
        self._choice += 1

    def ask(self, offset: int, end: int) -> None:
        """See to it that the events from an offset on are read."""
        self._asked[offset] = end
        if not self._reading:
            self._begin()

    def follow(self, end: int) -> None:
        """Read what is new, if a group waits at the end."""
        if self.reached < end:
            self.ask(self.reached, end)

    def reopen(self, make_reader: Callable[[], Reader] | None) -> None:
        """Read in another way from now on; None: as one who doesn't write to the log."""
        self.make_reader = make_reader or self._opens
        self._is_outdated = True

    def close(self) -> None:
        """Let go of the files; on a thread for the disk, when nothing is read any more."""
        self._forget_reader()

    # -- on a thread for the disk -----------------------------------------------------------------------------------

    def _forget_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _read(self, asked: dict[int, int], bounds: Bounds | None, choice: int) -> None:
        pieces: list[Piece] = []
        lost: list[Lost] = []
        error: Exception | None = None
        try:
            if self._is_outdated:
                self._is_outdated = False
                self._forget_reader()
            reader = self._reader
            if reader is None:
                reader = self._reader = self.make_reader()
            for offset, end in asked.items():
                options = ReadOptions(offset, end, None, None, lost.append, True, bounds)
                pieces.append(read_piece(reader, options))
        except Exception as found:  # noqa: BLE001  (whatever it is, groups must not wait for ever without a word)
            error = found
        self._desk.mail.post(self._take, pieces, lost, error, choice)

    # -- on the event loop ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._reading = True
        asked, self._asked = self._asked, {}
        self._desk.run(self._read, asked, self._bounds, self._choice)

    def _take(self, pieces: list[Piece], lost: list[Lost], error: Exception | None, choice: int) -> None:
        if choice != self._choice:
            pieces = []  # they were read for other groups
        for each in lost:
            self.lost += each.end - each.first
            _records.warning("events can't be read and are passed over", topic=self._topic, first=each.first,
                             end=each.end, reason=each.reason)  # fmt: skip
        for piece in pieces:
            self._pieces.append(piece)
            self.bytes += piece.bytes
            self.reached = max(self.reached, piece.end)
        self._drop()
        self._reading = False
        if self._asked:
            self._begin()
        if error is not None:
            message = error.message if isinstance(error, FluxError) else repr(error)
            _records.warning("a topic can't be read, and it is tried again", topic=self._topic, error=message)
            self._desk.loop.call_later(1.0, self._arrived, 0)
        else:
            self._arrived(max((each.start for each in pieces), default=0))

    def _drop(self) -> None:
        """Let go of the oldest pieces that a group has had, while there are too many or they are too large."""
        while len(self._pieces) > 1 and (self.bytes > BUS_FEED_BYTES or len(self._pieces) > BUS_FEED_PIECES):
            place = next((place for place, each in enumerate(self._pieces[:-1]) if each.used), None)
            if place is None:
                return
            self.bytes -= self._pieces.pop(place).bytes


def read_piece(reader: Reader, options: ReadOptions) -> Piece:
    """Read up to ``BUS_READ_BYTES`` of a log."""
    frames: list[Frame] = []
    offset, end = options.start, options.stop or 0
    size, reached = 0, offset
    for frame in reader.read(options):
        frames.append(frame)
        size += frame.batch.nbytes
        reached = frame.end_offset
        if size >= BUS_READ_BYTES:
            break
    else:
        reached = max(reached, min(end, reader.end))
    first = frames[0].first_offset if frames else reached
    return Piece(offset, reached, list(_joined(frames)), size, reader.start if first > offset else 0)


def _joined(frames: Iterable[Frame]) -> Iterable[Frame]:
    """Give the frames with small ones that follow each other made one, so that each event costs the same."""
    run: list[Frame] = []
    rows = 0
    for frame in frames:
        alike = run and run[0].batch.schema.equals(frame.batch.schema) and run[-1].end_offset == frame.first_offset
        if run and not (alike and frame.rows is None and rows + frame.count <= _SMALL_ROWS):
            yield _one(run)
            run, rows = [], 0
        if frame.rows is not None or frame.count > _SMALL_ROWS:
            yield frame
            continue
        run.append(frame)
        rows += frame.count
    if run:
        yield _one(run)


def _one(run: list[Frame]) -> Frame:
    if len(run) == 1:
        return run[0]
    batch = pa.concat_batches([each.batch for each in run])
    return Frame(batch, run[0].first_offset, run[-1].end_offset, run[-1].time_us)


def _rows_below(frame: Frame, offset: int) -> int:
    """Return how many rows of a frame stand below an offset."""
    if frame.rows is None:
        return max(offset - frame.first_offset, 0)
    return int(frame.rows.searchsorted(offset - frame.first_offset))
