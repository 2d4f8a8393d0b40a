"""Writes part files into a folder, or into the folders of partitions below it.

1. Rows go to files in a hidden folder (see ``staging``), which no reader sees.
2. A file that has reached its size is finished and synced, and the next one begun.
3. ``commit`` finishes the last ones and shows all of them, in the place of what the table held where that is asked for;
   ``abort`` removes them.
"""

from __future__ import annotations

import os
import resource
import uuid
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.connectors.filesystem.partitioned_rows import PartitionedRows
from fluxcore.connectors.filesystem.paths import cannot, require_local
from fluxcore.connectors.filesystem.staging import Staging
from fluxcore.core.ports import Sink
from fluxcore.limits import OPEN_FILES_MAX, ROWS_GATHERED_BYTES_MAX, ROWS_WRITTEN_BYTES_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import SinkRequest
    from fluxcore.core.schema import Schema
    from fluxcore.formats.base import Format

_WRITE_BUFFER = 128 * 1024


class FilesystemSink(Sink):
    """An append-only sink over a folder."""

    def __init__(self, request: SinkRequest, format_: Format, rolling_size: int) -> None:
        table = request.table
        self._folder = Path(require_local(table.options["path"]))
        self._format = format_
        self._rolling_size = rolling_size
        self._rows = PartitionedRows(request)
        self._options = table.options
        self._overwrite = request.overwrite
        self._staging = Staging(self._folder)
        self._id = uuid.uuid4()
        self._parts = 0
        self._open: OrderedDict[str, _PartFile] = OrderedDict()
        self._files_max = min(OPEN_FILES_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._waiting: dict[str, _Waiting] = {}
        self._waiting_bytes = 0
        self._written: set[str] = set()
        self._done = False

    def open(self) -> None:
        """Make the folder. Raises: ``JobError`` FX-CON-0103 where a file is in its place, FX-CON-0104."""
        try:
            self._staging.open()
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def write(self, batch: Batch) -> None:
        """Append rows. Raises: ``JobError`` FX-CON-0104, such as for a full disk, FX-CON-0108 for what names no partition."""
        assert batch.weights is None or bool((batch.weights > 0).all()), "this sink takes appended rows only"
        if batch.rows == 0:
            return
        try:
            for directory, data in self._rows.divide(batch.data):
                self._take(directory, data, alone=data.num_rows == batch.rows)
            self._shrink()
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def commit(self) -> None:
        """Show all files. Raises: ``JobError`` FX-CON-0103 and 0104; the table is then as it was before."""
        try:
            for directory in list(self._waiting):
                self._write_waiting(directory)
            for part in self._open.values():
                part.finish()
            self._open.clear()
            named = self._options.get("sink.partition-commit.success-file.name", "_SUCCESS")
            mark = named if "sink.partition-commit.policy.kind" in self._options else None
            self._staging.publish(self._replaced(), mark)
            self._done = True
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def abort(self) -> None:
        """Remove what was written, and the folder if it was made here and is empty."""
        self._done = True
        self._waiting.clear()
        try:
            for part in self._open.values():
                part.drop()
            self._open.clear()
            self._staging.discard()
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def close(self) -> None:
        """Remove what was neither committed nor aborted."""
        if not self._done:
            self.abort()

    def _replaced(self) -> set[str]:
        """Return the directories whose content goes."""
        if not self._overwrite:
            return set()
        alone = self._rows.only
        return self._written if alone is None else self._written | {alone}

    def _take(self, directory: str, data: pa.RecordBatch, *, alone: bool) -> None:
        """Write rows at once where they are many, or a batch ``alone``; else keep them until they are."""
        if directory not in self._written:
            self._staging.make(directory)
            self._written.add(directory)
        if alone and directory not in self._waiting:
            self._append(directory, data)
            return
        waiting = self._waiting.setdefault(directory, _Waiting())
        waiting.batches.append(data)
        waiting.nbytes += data.nbytes
        self._waiting_bytes += data.nbytes
        if waiting.nbytes >= ROWS_WRITTEN_BYTES_MIN:
            self._write_waiting(directory)

    def _write_waiting(self, directory: str) -> None:
        waiting = self._waiting.pop(directory)
        self._waiting_bytes -= waiting.nbytes
        whole = pa.Table.from_batches(waiting.batches).combine_chunks()
        for batch in whole.to_batches():
            self._append(directory, batch)

    def _shrink(self) -> None:
        """Write what takes the most room until what waits is within its bound."""
        while self._waiting and self._waiting_bytes > ROWS_GATHERED_BYTES_MAX // 2:
            self._write_waiting(max(self._waiting, key=lambda each: self._waiting[each].nbytes))
        while sum(each.gathered for each in self._open.values()) > ROWS_GATHERED_BYTES_MAX // 2:
            max(self._open.values(), key=lambda each: each.gathered).flush()

    def _append(self, directory: str, data: pa.RecordBatch) -> None:
        part = self._open.get(directory)
        if part is None:
            part = self._begin(directory)
        self._open.move_to_end(directory)
        if part.append(data) >= self._rolling_size:
            part.finish()
            del self._open[directory]

    def _begin(self, directory: str) -> _PartFile:
        if len(self._open) >= self._files_max:
            _, longest_unused = self._open.popitem(last=False)
            longest_unused.finish()
        path = self._staging.place(directory, f"part-{self._id}-0-{self._parts}")
        self._parts += 1
        self._open[directory] = part = _PartFile(path, self._format, self._rows.schema, self._options)
        return part


@dataclass
class _Waiting:
    """Rows of a partition that are not written yet."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    nbytes: int = 0


class _PartFile:
    """A file that rows are appended to."""

    def __init__(self, path: Path, format_: Format, schema: Schema, options: Mapping[str, str]) -> None:
        self._file = path.open("wb", buffering=_WRITE_BUFFER)
        self._writer = format_.file_writer(self._file, schema, options)

    @property
    def gathered(self) -> int:
        """Return the bytes of rows that wait in memory."""
        return self._writer.gathered_bytes

    def append(self, data: pa.RecordBatch) -> int:
        """Append rows; return how large the file is so far."""
        self._writer.write(data)
        return self._file.tell()

    def flush(self) -> None:
        """Write what waits in memory."""
        self._writer.flush()

    def finish(self) -> None:
        """Make a whole file of it that survives a power failure."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def drop(self) -> None:
        """Close the file, which is thrown away: what can't be flushed to a full disk doesn't matter."""
        with suppress(OSError):
            self._file.close()
