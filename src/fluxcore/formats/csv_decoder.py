"""Decodes blocks of CSV records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.core.types import StringType
from fluxcore.errors import DataError, Place, nearest
from fluxcore.formats import csv_kernels
from fluxcore.formats.cells import NULL, STRING
from fluxcore.formats.csv_rows import CsvStyle, field_value, split_record
from fluxcore.formats.faults import RowError
from fluxcore.formats.simd_kernels import PADDING
from fluxcore.formats.text import Scan, TextDecoder, decode_utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fluxcore.core.types import DataType
    from fluxcore.formats.base import DecodeRequest
    from fluxcore.formats.faults import RowSource
    from fluxcore.formats.text import TextBlock

    Array = NDArray[Any]

_RETURN = 13


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How many fields a record has, and which of them are the wanted columns."""

    width: int
    fields: tuple[int, ...]


class CsvDecoder(TextDecoder):
    """Turns CSV records into batches."""

    def __init__(self, request: DecodeRequest) -> None:
        super().__init__(request)
        style = CsvStyle.from_options(request.options)
        self._style = style
        self._layout = CsvLayout(len(request.schema), request.columns)
        self._delimiter = ord(style.delimiter)
        self._quote = ord(style.quote) if style.quote is not None else -1
        self._escape = ord(style.escape) if style.escape is not None else -1
        null = style.null_literal
        if null is None and style.empty_is_null:
            null = ""
        literal = b"" if null is None else null.encode()
        self._null_length = -1 if null is None else len(literal)
        self._null_text = np.zeros(len(literal) + PADDING, np.uint8)
        self._null_text[: len(literal)] = np.frombuffer(literal, np.uint8)
        self._marks = np.array([0, self._quote, self._escape, 0], np.int64)

    def cut(self, buffer: Array, size: int) -> int:
        """Return the byte behind the last complete record."""
        if self._style.comments:
            csv_kernels.hide_comments(buffer, size, self._delimiter, self._quote, self._escape)
        return int(csv_kernels.cut_csv(buffer, size, self._delimiter, self._quote, self._escape))

    def cut_first(self, buffer: Array, size: int) -> int:
        """Return the byte behind the first complete record."""
        positions = np.empty(size + 1, np.int32)
        ends = np.empty(size + 1, np.int32)
        _, rows, _, _ = csv_kernels.index_csv(buffer, size, self._delimiter, self._quote, self._escape, positions, ends)
        return int(positions[ends[0]]) + 1 if rows else 0

    def scan(self, block: TextBlock) -> Scan:
        """Find the wanted fields of each record."""
        buffer, size = block.buffer, block.size
        if self._style.comments:
            csv_kernels.hide_comments(buffer, size, self._delimiter, self._quote, self._escape)
        layout: CsvLayout = block.layout or self._layout
        positions = self.scratch.take("positions", size + 1)
        ends = self.scratch.take("ends", size + 1)
        _, rows, high, last = csv_kernels.index_csv(
            buffer, size, self._delimiter, self._quote, self._escape, positions, ends
        )
        cells = self.scratch.take("cells", 3, len(self.wanted), rows + 1)
        record = self.scratch.take("record", 3, rows + 1)
        style = self._style
        keep_empty = layout.width == 1 and isinstance(self.wanted[0].type, StringType)
        numbers = (
            *(layout.width, self._quote, self._escape, style.comments, keep_empty, self._null_length),
            *(style.trailing_delimiter, style.more_fields, style.trim),
        )
        shape = np.array(numbers, np.int64)
        fields = np.array(layout.fields, np.int64)
        kept = csv_kernels.split_csv(buffer, positions, ends, rows, shape, fields, self._null_text, cells, record)
        if last + 1 < size:
            # the end of the file inside quotes: what is left is one bad record
            stop = size - 1
            record[:, kept] = (last + 1, stop - (buffer[stop - 1] == _RETURN), 1)
            cells[:, :, kept] = 0
            cells[2, :, kept] = NULL
            kept += 1
        cells, record = cells[:, :, :kept], record[:, :kept]
        if style.empty_is_null and self._null_length > 0:
            cells[2][(cells[1] == 0) & (cells[2] <= STRING)] = NULL
        return Scan(cells, record, bool(high))

    def marks(self, scan: Scan) -> Array:  # noqa: ARG002
        """Return the quote and escape characters."""
        return self._marks

    def has_header(self) -> bool:
        """Return whether the first record is none of the rows."""
        return self._style.header or self._style.skip_first

    def is_comment(self, raw: bytes) -> bool:
        """Return whether a line is a comment."""
        return self._style.comments and raw.startswith(b"#")

    def read_header(self, row: RowSource) -> CsvLayout | None:
        """Return where the wanted columns stand by their names. Raises: ``DataError`` FX-DAT-0006."""
        if not self._style.header:
            return None
        place = Place(file=row.file, line=row.line)
        try:
            names = [name for name, _ in split_record(decode_utf8(row.raw), self._style)]
        except RowError as error:
            raise DataError("FX-DAT-0006", f"the header can't be read: {error.cause}", place=place) from error
        missing = [name for name in self.request.schema.names if name not in names]
        if missing:
            listed = ", ".join(f"'{name}'" for name in missing)
            near = [f"for '{name}': {found}" for name in missing if (found := nearest(name, names))]
            hint = "; ".join(near) or f"the header names {', '.join(names)}; without a header, drop 'csv.header'"
            message = f"the header lacks {'columns' if len(missing) > 1 else 'column'} {listed}"
            raise DataError("FX-DAT-0006", message, place=place, hint=hint)
        return CsvLayout(len(names), tuple(names.index(column.name) for column in self.wanted))

    def read_row(self, raw: bytes, layout: CsvLayout | None) -> list[Any] | None:
        """Return the wanted values of one record; None when a record that can't be split is to be ignored."""
        style, layout = self._style, layout or self._layout
        try:
            fields = split_record(decode_utf8(raw), style)
            if len(fields) == layout.width + 1 and fields[-1] == ("", False) and style.trailing_delimiter:
                fields.pop()
            if len(fields) > layout.width and not style.more_fields:
                raise RowError(f"the row has {len(fields)} fields instead of {layout.width}")
        except RowError:
            if style.lenient:
                return None
            raise
        if len(fields) < layout.width and not style.lenient:
            raise RowError(f"the row has {len(fields)} fields instead of {layout.width}")
        values: list[Any] = []
        for column, number in zip(self.wanted, layout.fields, strict=True):
            value = None
            if number < len(fields):
                try:
                    value = field_value(column.type, fields[number][0], style)
                except RowError as error:
                    if not style.lenient:
                        raise RowError(error.cause, field=column.name, value=error.value) from error
            values.append(value)
        return values

    def parse_cell(self, type_: DataType, raw: bytes, form: int) -> Any:
        """Return the value of a field that has no kernel."""
        if form > STRING:
            raise RowError("escapes are the row reader's business")
        return field_value(type_, raw.decode("utf-8"), self._style)
