"""Reads files: one split a file, in the order of their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.connectors.filesystem.paths import cannot, files_of, require_local
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Source, Split, SplitReader
from fluxcore.core.schema import Schema
from fluxcore.formats.base import DecodeRequest
from fluxcore.formats.faults import RowFaults
from fluxcore.limits import TEXT_BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import Pushdown, ScanRequest, TableDescription
    from fluxcore.formats.base import Format


_FIRST_BLOCK_BYTES = 64 * 1024
_ROW_BYTES = 256
_FILES_COUNTED_MAX = 64
"""How many files are opened to learn the number of their rows before anything is read."""


class FilesystemSource(Source):
    """The files of a table, found when the splits are asked for: an earlier statement may have written them."""

    def __init__(self, request: ScanRequest, format_: Format) -> None:
        assert request.columns, "a scan of no columns can't carry a number of rows"
        table = request.table
        self._path = require_local(table.options["path"])
        self._format = format_
        self._faults = RowFaults.from_options(table.options)
        physical = [index for index in range(len(table.schema)) if index not in table.metadata]
        place = {index: number for number, index in enumerate(physical)}
        wanted = tuple(place[index] for index in request.columns if index in place)
        self._extra = _Extra(request) if len(wanted) < len(request.columns) else None
        self._decode = DecodeRequest(
            schema=_with_time(table).select(physical),
            columns=wanted or (0,),
            options=table.options,
            pushdown=request.pushdown if self._extra is None else None,
            faults=self._faults,
            block_bytes=_block_bytes(request),
        )

    def splits(self) -> list[Split]:
        """Return one split a file. Raises: ``JobError`` FX-CON-0101 and 0102 for a path that can't be read."""
        return [FileSplit(path, self._format, self._decode, self._extra) for path in files_of(self._path)]

    def size(self) -> int | None:
        """Return the bytes of the files."""
        return sum(Path(path).stat().st_size for path in files_of(self._path))

    def rows(self) -> int | None:
        """Return the rows of the files, where their format says it in few bytes and they are not many."""
        paths = files_of(self._path)
        if len(paths) > _FILES_COUNTED_MAX:
            return None
        counts = [self._format.rows(path) for path in paths]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def statistics(self) -> Mapping[str, int]:
        """Return the rows that the row policy took out."""
        return self._faults.statistics()


def _block_bytes(request: ScanRequest) -> int:
    """Return how much text is cut off a file at once: little where few rows are wanted, whatever they are."""
    if request.limit is None or request.pushdown is not None:
        return TEXT_BLOCK_BYTES
    return min(TEXT_BLOCK_BYTES, max(_FIRST_BLOCK_BYTES, request.limit * _ROW_BYTES))


def _with_time(table: TableDescription) -> Schema:
    """Return the table's schema, with the column of the event time as one that can't be NULL."""
    time = table.time_column
    columns = enumerate(table.schema)
    return Schema.of(replace(c, type=c.type.with_nullable(False)) if i == time else c for i, c in columns)


class FileSplit(Split):
    """One file."""

    def __init__(self, path: str, format_: Format, request: DecodeRequest, extra: _Extra | None) -> None:
        self._path = path
        self._format = format_
        self._request = request
        self._extra = extra

    @property
    def name(self) -> str:
        """Return the file's path."""
        return self._path

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader. Raises: ``JobError`` FX-CON-0102."""
        try:
            reader = self._format.open_file(self._path, self._request, position)
            return _FileReader(self._path, reader, self._extra)
        except OSError as error:
            raise cannot("read", self._path, error) from error


class _FileReader(SplitReader):
    """A format's reader, with the system's errors worded and the metadata columns filled in."""

    def __init__(self, path: str, reader: SplitReader, extra: _Extra | None) -> None:
        self._path = path
        self._reader = reader
        self._extra = extra
        self._values = extra.values(path) if extra is not None else {}

    def take(self) -> Any:
        try:
            return self._reader.take()
        except OSError as error:
            raise cannot("read", self._path, error) from error

    def decode(self, unit: Any) -> Batch:
        try:
            batch = self._reader.decode(unit)
        except OSError as error:
            raise cannot("read", self._path, error) from error
        return batch if self._extra is None else self._extra.add(batch, self._values)

    def position(self) -> Mapping[str, Any]:
        return self._reader.position()

    def close(self) -> None:
        self._reader.close()


class _Extra:
    """The metadata columns of a scan, which say where a row comes from."""

    def __init__(self, request: ScanRequest) -> None:
        table = request.table
        self._keys = [table.metadata.get(index) for index in request.columns]
        columns = [table.schema[index] for index in request.columns]
        self._schema = pa.schema([pa.field(each.name, each.type.arrow(), each.type.nullable) for each in columns])
        self._pushdown: Pushdown | None = request.pushdown

    def values(self, path: str) -> dict[str, Any]:
        """Return the metadata of a file by key. Raises: ``OSError``."""
        status = Path(path).stat()
        return {
            "file.path": str(Path(path).resolve()),
            "file.name": Path(path).name,
            "file.size": status.st_size,
            "file.modification-time": pa.scalar(status.st_mtime_ns // 1_000_000, pa.timestamp("ms", "UTC")),
        }

    def add(self, batch: Batch, values: Mapping[str, Any]) -> Batch:
        """Return the batch with the metadata columns in their places, the predicate applied."""
        arrays: list[pa.Array] = []
        physical = iter(batch.data.columns)
        for key, field in zip(self._keys, self._schema, strict=True):
            if key is None:
                arrays.append(next(physical))
            else:
                arrays.append(pa.repeat(values[key], batch.rows).cast(field.type))
        whole = replace(batch, data=pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        return whole if self._pushdown is None else whole.filter(self._pushdown.mask(whole.data))
