"""The sinks behind ``--format``."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.cli.output.texts import joined, json_texts, plain_texts
from fluxcore.core.ports import ChangeMode, Sink
from fluxcore.core.words import text_buffers
from fluxcore.operators.change_kinds import operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.core.schema import Schema

FORMATS = ("table", "json", "csv", "changelog")
_WIDTH_MAX = 40


class OutputSink(Sink):
    """Writes to a binary stream. A reader that goes away (``| head``) ends the job quietly: ``BrokenPipeError``."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset({ChangeMode.APPEND})

    def __init__(self, stream: BinaryIO, schema: Schema) -> None:
        self.stream = stream
        self.schema = schema
        self.rows = 0

    def commit(self) -> None:
        """Flush."""
        self.stream.flush()

    def put(self, data: bytes) -> None:
        """Write and flush."""
        self.stream.write(data)
        self.stream.flush()


class JsonSink(OutputSink):
    """One JSON object a row."""

    def write(self, batch: Batch) -> None:
        """Write rows."""
        if not batch.rows:
            return
        self.rows += batch.rows
        self.put(b"".join(lines(json_rows(batch.data, self.schema))))


def json_rows(data: pa.RecordBatch, schema: Schema, prefix: pa.Array | None = None) -> pa.Array:
    """Return each row as a JSON object; ``prefix`` are texts to stand first inside the braces."""
    parts: list[object] = ["{"]
    if prefix is not None:
        parts.append(prefix)
    for index, column in enumerate(schema):
        comma = ", " if index or prefix is not None else ""
        parts.append(f"{comma}{json.dumps(column.name, ensure_ascii=False)}: ")
        parts.append(json_texts(data.column(index), column.type))
    return joined([*parts, "}\n"])


def lines(texts: pa.Array) -> list[bytes]:
    """Return the bytes of texts."""
    offsets, data = text_buffers(texts)
    return [data[offsets[0] : offsets[-1]].tobytes()] if len(texts) else []


class CsvSink(OutputSink):
    """RFC 4180 with a header; NULL is an empty field, an empty text is quoted."""

    def open(self) -> None:
        """Write the header."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(self.schema.names)
        self.put(text.getvalue().encode())

    def write(self, batch: Batch) -> None:
        """Write rows."""
        if not batch.rows:
            return
        self.rows += batch.rows
        parts: list[object] = []
        for index, column in enumerate(self.schema):
            if index:
                parts.append(",")
            text = plain_texts(batch.column(index), column.type)
            special = pc.match_substring_regex(text, r'[",\r\n]|^$')
            if pc.any(special).as_py():
                inside = pc.replace_substring(text, '"', '""')
                text = pc.if_else(special, joined(['"', inside, '"']), text)
            parts.append(pc.fill_null(text, ""))
        self.put(b"".join(lines(joined([*parts, "\n"]))))


class ChangelogSink(OutputSink):
    """One JSON object a row with the kind of change first. In: ``key`` the columns that tell the result's rows apart."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self, stream: BinaryIO, schema: Schema, key: Sequence[int] | None = None) -> None:
        super().__init__(stream, schema)
        self._key = key

    def write(self, batch: Batch) -> None:
        """Write rows with their ``op``."""
        if not batch.rows:
            return
        self.rows += batch.rows
        prefix = pc.binary_join_element_wise('"op": "', operations(batch, self._key), '"', "")
        self.put(b"".join(lines(json_rows(batch.data, self.schema, prefix))))


class TableSink(OutputSink):
    """An aligned text table; the first batch decides how wide the columns are."""

    def __init__(self, stream: BinaryIO, schema: Schema) -> None:
        super().__init__(stream, schema)
        self._widths: list[int] | None = None
        self._names = list(schema.names)
        self._right = [column.type.name()[:3] in ("INT", "BIG", "SMA", "TIN", "DOU", "FLO", "DEC") for column in schema]

    def write(self, batch: Batch) -> None:
        """Write rows."""
        if not batch.rows:
            return
        self.rows += batch.rows
        columns = self.first_columns(batch)
        for index, column in enumerate(self.schema):
            texts = plain_texts(batch.column(index), column.type).to_pylist()
            columns.append(["NULL" if text is None else text.replace("\n", "⏎") for text in texts])
        if self._widths is None:
            self._head(columns)
        rows = (
            "| " + " | ".join(self._cell(i, text) for i, text in enumerate(row)) + " |\n"
            for row in zip(*columns, strict=True)
        )
        self.put("".join(rows).encode())

    def commit(self) -> None:
        """Write the last line and the number of rows."""
        if self._widths is None:
            self._head([[] for _ in self._names])
        self.put(f"{self._line()}{self.rows} row{'' if self.rows == 1 else 's'}\n".encode())

    def first_columns(self, batch: Batch) -> list[list[str]]:  # noqa: ARG002
        """Return the texts of columns that stand before the result's own."""
        return []

    def _head(self, columns: list[list[str]]) -> None:
        self._widths = [
            max([len(name), *(min(len(text), _WIDTH_MAX) for text in texts)])
            for name, texts in zip(self._names, columns, strict=True)
        ]
        names = " | ".join(self._cell(i, name) for i, name in enumerate(self._names))
        self.put(f"{self._line()}| {names} |\n{self._line()}".encode())

    def _line(self) -> str:
        assert self._widths is not None
        return "+" + "+".join("-" * (width + 2) for width in self._widths) + "+\n"

    def _cell(self, index: int, text: str) -> str:
        assert self._widths is not None
        width = self._widths[index]
        shown = text if len(text) <= max(width, _WIDTH_MAX) else text[: _WIDTH_MAX - 1] + "…"
        return shown.rjust(width) if self._right[index] else shown.ljust(width)


class ChangesTableSink(TableSink):
    """A text table of changes, with the kind of each change in a first column: a result that is updated for ever."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self, stream: BinaryIO, schema: Schema, key: Sequence[int] | None = None) -> None:
        super().__init__(stream, schema)
        self._key = key
        self._names.insert(0, "op")
        self._right.insert(0, False)

    def first_columns(self, batch: Batch) -> list[list[str]]:
        """Return the kinds of change."""
        return [operations(batch, self._key).to_pylist()]


def output_sink(
    format_: str, stream: BinaryIO, schema: Schema, *, changes: bool = False, key: Sequence[int] | None = None
) -> OutputSink:
    """Return the sink of a ``--format``; ``changes`` asks for every change in a table too."""
    if format_ == "changelog":
        return ChangelogSink(stream, schema, key)
    if format_ == "table":
        return ChangesTableSink(stream, schema, key) if changes else TableSink(stream, schema)
    return {"json": JsonSink, "csv": CsvSink}[format_](stream, schema)
