"""Parquet files: only the wanted columns of the row groups that can hold a row that passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from fluxcore.core.ports import Option
from fluxcore.core.types import holds_variant
from fluxcore.errors import ScriptError
from fluxcore.formats.base import VARIANT_HINT, Format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import SplitReader, TableDescription
    from fluxcore.core.schema import Schema
    from fluxcore.formats.base import DecodeRequest, FileWriter

_CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4")


class ParquetFormat(Format):
    """Parquet."""

    name = "parquet"
    options: ClassVar[Sequence[Option]] = (
        Option("parquet.compression", "enum", "SNAPPY", choices=_CODECS, help="How written pages are compressed."),
        Option("parquet.utc-timezone", "boolean", "true", help="Accepted only as true: times are kept in UTC."),
    )

    def validate(self, table: TableDescription) -> None:
        """Raise ``ScriptError`` FX-FMT-0001 for an option with a value that is not supported, FX-FMT-0002 for a VARIANT."""
        if table.options.get("parquet.utc-timezone", "true").lower() != "true":
            raise ScriptError(
                "FX-FMT-0001",
                "'parquet.utc-timezone' = 'false' is not supported: times are kept in UTC",
                span=table.spans.get("parquet.utc-timezone"),
            )
        for column in table.schema:
            if holds_variant(column.type):
                message = f"column '{column.name}': Parquet can't hold a VARIANT"
                raise ScriptError("FX-FMT-0002", message, span=table.span, hint=VARIANT_HINT)

    def open_file(self, path: str, request: DecodeRequest, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader of a Parquet file. Raises: ``DataError`` FX-DAT-0010 to 0012."""
        from fluxcore.formats.parquet_reader import ParquetReader

        return ParquetReader(path, request, position)

    def rows(self, path: str) -> int | None:
        """Return the number of rows that the file's footer says; None for a file that can't be read."""
        from fluxcore.formats.parquet_reader import rows_of

        return rows_of(path)

    def file_writer(self, file: BinaryIO, schema: Schema, options: Mapping[str, str]) -> FileWriter:
        """Return a writer of a Parquet file."""
        from fluxcore.formats.parquet_writer import ParquetFileWriter

        return ParquetFileWriter(file, schema, options.get("parquet.compression", "SNAPPY").upper())
