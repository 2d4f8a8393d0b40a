"""Writes Parquet files in row groups of a good size."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from fluxcore.formats.base import FileWriter

if TYPE_CHECKING:
    from fluxcore.core.schema import Schema

_ROWS = 1_000_000
_BYTES = 128 * 1024 * 1024


class ParquetFileWriter(FileWriter):
    """Gathers batches until they make a row group; the columns get the names of the table."""

    def __init__(self, file: BinaryIO, schema: Schema, compression: str) -> None:
        self._schema = schema.arrow()
        codec = "none" if compression == "UNCOMPRESSED" else compression.lower()
        self._writer = pq.ParquetWriter(file, self._schema, compression=codec, version="2.6")
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        if batch.num_rows == 0:
            return
        self._waiting.append(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _ROWS or self._bytes >= _BYTES:
            self.flush()

    @property
    def gathered_bytes(self) -> int:
        """Return the bytes of rows that wait for a row group."""
        return self._bytes

    def close(self) -> None:
        """Write the last row group and the footer."""
        self.flush()
        self._writer.close()

    def flush(self) -> None:
        """Write the rows that wait as a row group."""
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema), row_group_size=_ROWS)
        self._waiting, self._rows, self._bytes = [], 0, 0
