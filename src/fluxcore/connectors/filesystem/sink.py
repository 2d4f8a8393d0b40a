"""Writes part files into a folder.

1. Rows go to files with hidden names (``.part-…``), which no reader of the folder sees.
2. A file that has reached its size is finished and synced, and the next one begun.
3. ``commit`` finishes the last one and gives all of them their names; ``abort`` removes them.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fluxcore.connectors.filesystem.paths import cannot, require_local
from fluxcore.core.ports import Sink
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import SinkRequest
    from fluxcore.formats.base import FileWriter, Format

_WRITE_BUFFER = 1024 * 1024


class FilesystemSink(Sink):
    """An append-only sink over a folder."""

    def __init__(self, request: SinkRequest, format_: Format, rolling_size: int) -> None:
        self._folder = Path(require_local(request.table.options["path"]))
        self._schema = request.table.schema
        self._options = request.table.options
        self._format = format_
        self._rolling_size = rolling_size
        self._id = uuid.uuid4()
        self._parts: list[tuple[Path, Path]] = []
        self._file: BinaryIO | None = None
        self._writer: FileWriter | None = None
        self._made = False

    def open(self) -> None:
        """Make the folder. Raises: ``JobError`` FX-CON-0103 where a file is in its place, FX-CON-0104."""
        if self._folder.exists() and not self._folder.is_dir():
            raise JobError(
                "FX-CON-0103",
                f"'{self._folder}' is a file; a table is written as a folder",
                hint="choose another path, or remove the file",
            )
        try:
            self._made = not self._folder.exists()
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def write(self, batch: Batch) -> None:
        """Append rows. Raises: ``JobError`` FX-CON-0104, such as for a full disk."""
        assert batch.weights is None or bool((batch.weights > 0).all()), "this sink takes appended rows only"
        if batch.rows == 0:
            return
        try:
            if self._writer is None:
                self._begin()
            assert self._writer is not None
            assert self._file is not None
            self._writer.write(batch.data)
            if self._file.tell() >= self._rolling_size:
                self._finish()
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def commit(self) -> None:
        """Show all files. Raises: ``JobError`` FX-CON-0104."""
        try:
            self._finish()
            for hidden, shown in self._parts:
                hidden.rename(shown)
            self._parts.clear()
            self._sync_folder()
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def abort(self) -> None:
        """Remove what was written, and the folder if it was made here and is empty."""
        try:
            self._writer = None
            if self._file is not None:
                with suppress(OSError):  # what can't be flushed to a full disk is thrown away anyway
                    self._file.close()
                self._file = None
            for hidden, _ in self._parts:
                hidden.unlink(missing_ok=True)
            self._parts.clear()
            if self._made and self._folder.is_dir() and not any(self._folder.iterdir()):
                self._folder.rmdir()
        except OSError as error:
            raise cannot("write", str(self._folder), error) from error

    def close(self) -> None:
        """Remove what was neither committed nor aborted."""
        if self._parts:
            self.abort()

    def _begin(self) -> None:
        name = f"part-{self._id}-0-{len(self._parts)}"
        hidden = self._folder / f".{name}.inprogress"
        self._file = hidden.open("wb", buffering=_WRITE_BUFFER)
        self._parts.append((hidden, self._folder / name))
        self._writer = self._format.file_writer(self._file, self._schema, self._options)

    def _finish(self) -> None:
        if self._writer is None or self._file is None:
            return
        self._writer.close()
        self._writer = None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
