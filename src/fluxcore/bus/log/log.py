"""The log of one topic in one folder: append, read, sync, close. One writer; any number of readers."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.bus.log import compaction, retention
from fluxcore.bus.log.commit import Committer
from fluxcore.bus.log.errors import closed, forked, in_use, not_opened, not_written, wrong_option
from fluxcore.bus.log.files import Files, OsFiles, read_file
from fluxcore.bus.log.keys import LastOffsets, SeenIds
from fluxcore.bus.log.manifest import Lost
from fluxcore.bus.log.options import LogOptions, check_acks
from fluxcore.bus.log.queue import Expect, Producer, Queue, Settled, call_back
from fluxcore.bus.log.reader import Reader, ReadOptions
from fluxcore.bus.log.recovery import recover
from fluxcore.bus.log.verify import Report, verify
from fluxcore.bus.log.writer import Broken, LogWriter
from fluxcore.errors import FluxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fluxcore.bus.log.compaction import Compacted
    from fluxcore.bus.log.reading import Frame

LOCK = "lock"
_open_logs: weakref.WeakSet[Log] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Appended:
    """A receipt: the offset of the first row, the number of rows, what they survive, and how many were duplicates."""

    first_offset: int
    count: int
    survives: str
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """What a log holds and did. Bytes are those of its files; ``pending_bytes`` wait for its thread."""

    start: int
    end: int
    durable_end: int
    segments: int
    bytes: int
    frames: int
    syncs: int
    pending_bytes: int
    torn_bytes: int
    lost: tuple[Lost, ...]


class Log:
    """A durable log. Make one with :meth:`Log.open`; ``with`` closes it.

    An acknowledgement names what the events survive: ``memory`` nothing but success so far, ``os`` the end of this process,
    ``disk`` the end of the machine's power.

    Example::

        with Log.open("orders", LogOptions(topic="orders")) as log:
            receipt = log.append(batch)
            rows = [frame.batch for frame in log.read(receipt.first_offset)]
    """

    def __init__(self, folder: str, options: LogOptions, files: Files) -> None:
        self.folder = folder
        self.options = options
        self.files = files
        try:
            files.make_folder(folder)
            self._lock = _locked(files, folder)
        except OSError as error:
            raise not_opened(folder, str(error)) from error
        try:
            state = recover(files, folder, options.topic, options.segment_bytes)
            self.torn_bytes = state.torn_bytes
            self._writer = LogWriter(files, folder, options, state)
        except BaseException as error:
            files.close(self._lock)
            if isinstance(error, OSError):
                raise not_opened(folder, str(error)) from error
            raise
        self._queue = Queue(options.pending_bytes)
        self._committer = Committer(self._writer, self._queue, lambda: self._reader)
        self._reader = Reader(folder, files, lambda: self._writer.written)
        self._watchers: list[Callable[[int, int], None]] = []
        self._commands: list[tuple[Callable[[], Any], Future]] = []
        self._told = (self._writer.durable, self._writer.written)
        self._producers = {acks: Producer(self._queue, acks, _resolve) for acks in ("memory", "os", "disk")}
        if options.id_column is not None:
            self._committer.ids = SeenIds(options.id_column, options.id_rows, options.id_us, files.now_us)
            self._committer.ids.load(self._reader, self._writer.end)
        if options.key_column is not None:
            self._committer.versions = LastOffsets(options.key_column, self._writer.end)
        self._thread = threading.Thread(target=self._run, name=f"frys-log-{options.topic}", daemon=True)
        self._thread.start()
        _open_logs.add(self)

    @staticmethod
    def open(folder: str, options: LogOptions | None = None, files: Files | None = None) -> Log:
        """Open a log for writing, or make one; recovers what a crash left.

        Raises: ``JobError`` FX-LOG-0001 when it is open already, in this process or another; FX-LOG-0012 for a newer format.
        """
        return Log(os.fspath(folder), options or LogOptions(), files or OsFiles())

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ----------------------------------------------------------------------------------------------------

    def producer(
        self, when_done: Callable[[list[Settled]], None], acks: str = "disk", *, wait: bool = True
    ) -> Producer:
        """Return what appends many events without waiting for each: see :class:`Producer`."""
        check_acks(acks)
        return Producer(self._queue, acks, when_done, wait=wait)

    def append(self, batch: pa.RecordBatch, acks: str = "disk", expect: Expect | None = None) -> Appended:
        """Append the rows of a batch and wait for the acknowledgement.

        A batch larger than a frame takes several; after an error or a crash its first rows may stand in the log.
        Raises: FX-LOG-0009 when ``expect`` is not met, FX-LOG-0005 when the disk is full, FX-LOG-0004 when it failed.
        """
        check_acks(acks)
        if expect is not None and self.options.key_column is None:
            raise wrong_option("an expected version needs the log's key_column")
        done: Future[Settled] = Future()
        self._producers[acks].append(batch, done, expect)
        settled = done.result()
        offsets = settled.offsets
        duplicates = settled.new.count(False) if settled.new is not None else 0
        return Appended(offsets[0] if offsets else self.end, batch.num_rows, settled.survives, duplicates)

    def append_row(self, row: tuple[Any, ...], acks: str = "disk", size: int = 256) -> Appended:
        """Append one row of ``row_schema`` and wait for the acknowledgement. Raises as ``append`` does."""
        check_acks(acks)
        done: Future[Settled] = Future()
        self._producers[acks].append_row(row, done, size)
        settled = done.result()
        place = settled.tokens.index(done)
        new = settled.new is None or settled.new[place]
        return Appended(settled.offsets[place], 1, settled.survives, 0 if new else 1)

    def sync(self) -> int:
        """Wait until all that was appended before is durable, and return the durable end."""
        schema = self.options.row_schema or pa.schema([])
        self.append(_nothing(schema))
        return self.durable_end

    def roll(self) -> None:
        """End the segment that is being written, so that retention and compaction can take it."""
        self._command(self._writer.roll)

    def retain(self) -> int:
        """Remove what retention no longer keeps, and return the offset of the first event that is left.

        It happens by itself whenever a segment is full.
        """
        self._command(lambda: retention.apply(self._writer))
        return self.start

    def compact(self, *, whole: bool = False) -> Compacted:
        """Keep of each key only its last event, in all segments that are full. Rows without a key stay.

        In: ``whole`` ends the segment that is being written, so that nothing is left out.
        Raises: ``ScriptError`` FX-LOG-0014 without a ``key_column``. Cost: reads the whole log; memory by the number of keys.
        """
        if self.options.key_column is None:
            raise wrong_option("compaction needs the log's key_column")
        try:
            if whole:
                self._command(self._begin_anew)
            return compaction.compact(self, self._command)
        except OSError as error:
            raise not_written(self.folder, str(error)) from error

    def verify(self) -> Report:
        """Check every byte that is durable: see :func:`verify`."""
        self.sync()
        return verify(self.folder, self.files)

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call back when at most half of the room for waiting events is taken; for producers that don't wait."""
        self._queue.when_room(callback)

    def watch(self, callback: Callable[[int, int], None]) -> None:
        """Call back, in the log's thread, with the durable and the written end whenever one has moved."""
        self._watchers.append(callback)

    def close(self) -> None:
        """Write and sync what waits, say so in a frame, and give lock and files back. A second call does nothing."""
        refusal = self._queue.refusal
        if refusal is not None and refusal.code in {"FX-LOG-0002", "FX-LOG-0003"}:
            return
        self._queue.close(closed(self.folder))
        self._thread.join()
        self._reader.close()
        _open_logs.discard(self)

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """The offset of the first event that is kept."""
        return self._writer.segments[0].name.first if self._writer.segments else self._writer.end

    @property
    def end(self) -> int:
        """The offset after the last event that was written, durable or not."""
        return self._writer.written

    @property
    def durable_end(self) -> int:
        """The offset after the last event that is on the disk."""
        return self._writer.durable

    def reader(self, *, durable: bool = True) -> Reader:
        """Return a reader of this log; with ``durable`` False it also sees what is written and not yet on the disk."""
        self._refuse_fork()
        writer = self._writer
        return Reader(self.folder, self.files, (lambda: writer.durable) if durable else (lambda: writer.written))

    def read(self, start: int = 0, options: ReadOptions | None = None) -> Iterator[Frame]:
        """Give the durable frames from an offset on; ``options``, if given, say all: see :class:`ReadOptions`."""
        with self.reader() as reader:
            yield from reader.read(options or ReadOptions(start))

    def statistics(self) -> LogStatistics:
        """Return what the log holds and did since it was opened."""
        writer = self._writer
        segments = list(writer.segments)
        return LogStatistics(
            self.start,
            self.end,
            self.durable_end,
            len(segments),
            sum(each.index.used for each in segments),
            writer.frames,
            writer.syncs,
            self._queue.size,
            self.torn_bytes,
            tuple(writer.manifest.lost),
        )

    # -- inside -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """The log's thread: whatever ends it, nobody waits for ever, and lock and files are given back."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001
            self._committer.break_off(repr(error))
        self._notify()
        self._obey()
        self._writer.close()
        self.files.close(self._lock)

    def _work(self) -> None:
        queue, writer, committer = self._queue, self._writer, self._committer
        if writer.options.row_schema is not None:
            pa.array((), pa.int64())  # the first array of a process imports a lot: 0.2 s that no event shall wait for
        broken = False
        while True:
            timeout = writer.options.idle_sync_us / 1e6 if writer.unmarked and not broken else None
            runs = queue.take(writer.options.group_bytes, timeout)
            if runs is None:
                break
            segments = len(writer.segments)
            if runs:
                committer.commit(runs)
            elif not self._commands:
                committer.idle()
            broken = queue.refusal is not None and queue.refusal.code == "FX-LOG-0004"
            self._obey()
            if not broken:
                self._keep_house(len(writer.segments) > segments)
            self._notify()
        if not broken:
            committer.idle()

    def _keep_house(self, grown: bool) -> None:
        """End a segment that is old enough, and remove what retention no longer keeps."""
        writer = self._writer
        limit = self.options.segment_us
        try:
            if limit is not None and writer.first_time_us and self.files.now_us() - writer.first_time_us > limit:
                writer.roll()
                grown = True
            if grown:
                retention.apply(writer)
        except (Broken, OSError) as error:
            self._committer.break_off(str(error))

    def _command(self, action: Callable[[], Any]) -> Any:
        """Run something in the log's thread, between two commits, and return its result."""
        done: Future = Future()
        with self._queue.lock:
            if self._queue.refusal is not None:
                raise self._queue.refusal
            self._commands.append((action, done))
        self.sync()
        return done.result()

    def _obey(self) -> None:
        with self._queue.lock:
            commands, self._commands = self._commands, []
        for action, done in commands:
            if self._queue.refusal is not None and self._queue.refusal.code == "FX-LOG-0004":
                done.set_exception(self._queue.refusal)
                continue
            try:
                done.set_result(action())
            except FluxError as error:
                done.set_exception(error)
            except (Broken, OSError) as error:
                self._committer.break_off(str(error))
                done.set_exception(self._queue.refusal or error)

    def _notify(self) -> None:
        now = (self._writer.durable, self._writer.written)
        if now != self._told:
            self._told = now
            for each in self._watchers:
                call_back(each, *now)

    def _begin_anew(self) -> None:
        self._writer.roll()
        self._writer.begin()

    def _refuse_fork(self) -> None:
        refusal = self._queue.refusal
        if refusal is not None and refusal.code == "FX-LOG-0003":
            raise refusal

    def _after_fork(self) -> None:
        """Make this copy of a log in a child process refuse, and let the child hold no lock."""
        self._queue.reset_after_fork(forked(self.folder))
        with contextlib.suppress(OSError):
            self.files.close(self._lock)


def _resolve(outcomes: list[Settled]) -> None:
    """Hand outcomes to the futures that wait for them."""
    for settled in outcomes:
        for token in settled.tokens:
            if settled.error is not None:
                token.set_exception(settled.error)
            else:
                token.set_result(settled)


def _nothing(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], each) for each in schema.types], schema=schema)


def _locked(files: Files, folder: str) -> int:
    """Return the handle of the log's lock. Raises ``JobError`` FX-LOG-0001 where another opener has it."""
    path = f"{folder}/{LOCK}"
    try:
        handle = files.lock(path)
    except BlockingIOError as error:
        holder = (read_file(files, path) or b"").decode("ascii", "replace").strip("\0\n ")
        raise in_use(folder, holder) from error
    with contextlib.suppress(OSError):
        files.truncate(handle, 0)
        files.write(handle, [f"process {os.getpid()}\n".encode()], 0)
    return handle


def _forked() -> None:
    for log in list(_open_logs):
        log._after_fork()


os.register_at_fork(after_in_child=_forked)
