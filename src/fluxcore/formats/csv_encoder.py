"""Writes rows as CSV records."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import ArrayType, BytesType, RowType
from fluxcore.errors import JobError
from fluxcore.formats import encode_kernels
from fluxcore.formats.encode import TextEncoder, base64_text, padded_parts, plain_text, text_array, with_nulls_of
from fluxcore.formats.simd_kernels import PADDING

if TYPE_CHECKING:
    from fluxcore.core.schema import Schema
    from fluxcore.core.types import DataType
    from fluxcore.formats.csv_rows import CsvStyle


class CsvEncoder(TextEncoder):
    """CSV as Flink writes it: a text is quoted where it must be, NULL is the null literal or nothing."""

    def __init__(self, schema: Schema, style: CsvStyle) -> None:
        super().__init__(schema)
        self._style = style
        self._quote = ord(style.quote) if style.quote is not None else -1
        self._escape = ord(style.escape) if style.escape is not None else -1
        specials = {ord(style.delimiter), 10, 13, self._quote, self._escape} - {-1}
        if style.comments:
            specials.add(ord("#"))
        self._specials = np.array(sorted(specials), np.int64)
        self._null = style.null_literal or ""

    def header(self) -> bytes:
        """Return the names of the columns where the table says ``csv.header``."""
        if not self._style.header:
            return b""
        names = self._quoted(pa.array(self.schema.names, pa.string())).to_pylist()
        return (self._style.delimiter.join(names) + "\n").encode()

    def pieces(self, batch: pa.RecordBatch, end: str) -> list[Any]:
        """Return the fields with delimiters between them."""
        null = self._quoted(pa.array([self._null], pa.string()))[0]
        found: list[Any] = []
        for column, array in zip(self.schema, batch.columns, strict=True):
            text = self._field(column.type, array)
            found += [pc.fill_null(text, null) if text.null_count else text, self._style.delimiter]
        return [*found[:-1], end]

    def _field(self, type_: DataType, column: pa.Array) -> pa.Array:
        if isinstance(type_, ArrayType | RowType):
            return self._quoted(self._elements(type_, column))
        if isinstance(type_, BytesType):
            return self._quoted(base64_text(column))
        text = plain_text(type_, column, " ", quoted=False)
        if text is None:
            return self._quoted(column)
        return self._quoted(text) if self._style.delimiter in "-:. +0123456789" else text

    def _quoted(self, column: pa.Array) -> pa.Array:
        filled = pc.fill_null(column, "") if column.null_count else column
        offsets, data = padded_parts(filled)
        out = np.empty(2 * len(data) + 2 * len(filled) + PADDING, np.uint8)
        ends = np.empty(len(filled) + 1, np.int32)
        used = encode_kernels.quote_csv(offsets, data, self._specials, self._quote, self._escape, ends, out)
        if used < 0:
            raise JobError(
                "FX-FMT-0003",
                "a text holds a delimiter or a line end, and the table has no character to quote it",
                hint="set 'csv.escape-character', or don't disable the quote character",
            )
        return with_nulls_of(text_array(len(filled), ends, out, used), column)

    def _elements(self, type_: ArrayType | RowType, column: pa.Array) -> pa.Array:
        """Return collections as text, element by element."""
        if isinstance(type_, RowType):
            kinds = [kind for _, kind in type_.fields]
            parts = [self._texts(kind, column.field(index)) for index, kind in enumerate(kinds)]
            joined: list[str | None] = [self._style.array_delimiter.join(row) for row in zip(*parts, strict=True)]
        else:
            flat = self._texts(type_.element, column.values)
            ends = column.offsets.to_pylist()
            joined = [self._style.array_delimiter.join(flat[a:b]) for a, b in pairwise(ends)]
        return with_nulls_of(pa.array(joined, pa.string()), column)

    def _texts(self, type_: DataType, values: pa.Array) -> list[str]:
        text = base64_text(values) if isinstance(type_, BytesType) else plain_text(type_, values, " ", quoted=False)
        found: list[str] = pc.fill_null(values if text is None else text, self._null).to_pylist()
        return found
