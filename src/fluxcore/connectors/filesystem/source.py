"""Reads files: one split a file, in the order of their names."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.connectors.filesystem.constants import ConstantColumns
from fluxcore.connectors.filesystem.partitions import Partition, chosen, partitions_of
from fluxcore.connectors.filesystem.paths import cannot, files_below, files_of, require_local
from fluxcore.connectors.filesystem.staging import finish_for_reader
from fluxcore.core.ports import RowPolicy, Source, Split, SplitReader
from fluxcore.core.schema import Schema
from fluxcore.formats.base import DecodeRequest
from fluxcore.formats.faults import RowFaults
from fluxcore.limits import TEXT_BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import ScanRequest, TableDescription
    from fluxcore.formats.base import Format


_FIRST_BLOCK_BYTES = 64 * 1024
_ROW_BYTES = 256
_FILES_COUNTED_MAX = 64
"""How many files are opened to learn the number of their rows before anything is read."""


class FilesystemSource(Source):
    """The files of a table, found when the splits are asked for: an earlier statement may have written them."""

    def __init__(self, request: ScanRequest, format_: Format) -> None:
        assert request.columns, "a scan of no columns can't carry a number of rows"
        self._table = request.table
        self._chosen = request.partitions
        self._path = require_local(request.table.options["path"])
        self._format = format_
        self._faults = RowFaults.from_options(request.table.options)
        self._constants = ConstantColumns(request)
        self._decode = DecodeRequest(
            schema=_with_time(request.table).select(self._constants.physical),
            columns=self._constants.wanted or (0,),
            options=request.table.options,
            pushdown=request.pushdown,
            faults=self._faults,
            block_bytes=_block_bytes(request),
        )

    @property
    def repeatable(self) -> bool:  # type: ignore[override]
        """Return whether files can be read twice: bad rows would be counted and written down twice."""
        return self._faults.policy is RowPolicy.FAIL

    def splits(self) -> list[Split]:
        """Return one split a file.

        Raises: ``JobError`` FX-CON-0101 and 0102 for a path that can't be read, FX-CON-0103, 0106 and 0107 for partitions.
        """
        constants = self._constants if self._constants.needed else None
        return [
            FileSplit(path, self._format, self._decode, constants, partition)
            for partition, paths in self._files()
            for path in paths
        ]

    def size(self) -> int | None:
        """Return the bytes of the files."""
        return sum(Path(path).stat().st_size for path in self._paths())

    def rows(self) -> int | None:
        """Return the rows of the files, where their format says it in few bytes and they are not many."""
        paths = self._paths()
        if len(paths) > _FILES_COUNTED_MAX:
            return None
        counts = [self._format.rows(path) for path in paths]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def statistics(self) -> Mapping[str, int]:
        """Return the rows that the row policy took out."""
        return self._faults.statistics()

    def _paths(self) -> list[str]:
        return [path for _, paths in self._files() for path in paths]

    def _files(self) -> Iterator[tuple[Partition, list[str]]]:
        """Yield the partitions that are read, each with its files; a table without any is one."""
        finish_for_reader(self._path)
        if not self._table.partitioned_by:
            yield Partition(self._path), files_of(self._path)
            return
        for partition in chosen(partitions_of(self._table), self._table, self._chosen):
            try:
                yield partition, files_below(partition.folder)
            except OSError as error:
                raise cannot("read", partition.folder, error) from error


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

    def __init__(
        self,
        path: str,
        format_: Format,
        request: DecodeRequest,
        constants: ConstantColumns | None,
        partition: Partition,
    ) -> None:
        self._path = path
        self._format = format_
        self._request = request
        self._constants = constants
        self._partition = partition

    @property
    def name(self) -> str:
        """Return the file's path."""
        return self._path

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader. Raises: ``JobError`` FX-CON-0102."""
        try:
            if self._constants is None:
                return _FileReader(self._path, self._format.open_file(self._path, self._request, position))
            values = self._constants.values(self._path, self._partition)
            request = replace(self._request, pushdown=self._constants.pushdown(values))
            reader = self._format.open_file(self._path, request, position)
            return _FileReader(self._path, reader, partial(self._constants.add, values=values))
        except OSError as error:
            raise cannot("read", self._path, error) from error


class _FileReader(SplitReader):
    """A format's reader, with the system's errors worded and the columns that are not in the file added."""

    def __init__(self, path: str, reader: SplitReader, add: Callable[[Batch], Batch] | None = None) -> None:
        self._path = path
        self._reader = reader
        self._add = add

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
        return batch if self._add is None else self._add(batch)

    def position(self) -> Mapping[str, Any]:
        return self._reader.position()

    def close(self) -> None:
        self._reader.close()
