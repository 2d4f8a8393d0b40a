"""Helpers of the format tests: write bytes to a file, read them back as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fluxcore.core.ports import Pushdown, RowPolicy, Signal, SplitReader
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import DataType
from fluxcore.formats.base import DecodeRequest, Format
from fluxcore.formats.csv import CsvFormat
from fluxcore.formats.faults import RowFaults
from fluxcore.formats.json import JsonFormat
from fluxcore.formats.parquet import ParquetFormat

FORMATS: dict[str, Format] = {"csv": CsvFormat(), "json": JsonFormat(), "parquet": ParquetFormat()}


def schema_of(**types: DataType) -> Schema:
    return Schema.of(Column(name, type_) for name, type_ in types.items())


def drain(reader: SplitReader) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        while (unit := reader.take()) is not Signal.END:
            batch = reader.decode(unit)
            batch.data.validate(full=True)
            rows += batch.data.to_pylist()
    finally:
        reader.close()
    return rows


@dataclass
class Reading:
    """Reads files of one format with the settings of a test."""

    folder: Path
    format: str
    schema: Schema
    options: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[int] | None = None
    block: int = 1 << 20
    record_max: int = 1 << 24
    policy: RowPolicy = RowPolicy.FAIL
    pushdown: Pushdown | None = None

    def request(self) -> DecodeRequest:
        self.faults = RowFaults(self.policy, str(self.folder / "dead.jsonl"))
        columns = tuple(range(len(self.schema))) if self.columns is None else tuple(self.columns)
        return DecodeRequest(
            self.schema, columns, self.options, self.pushdown, self.faults, self.block, self.record_max
        )

    def open(self, content: bytes, name: str = "data", position: Mapping[str, Any] | None = None) -> SplitReader:
        path = self.folder / name
        path.write_bytes(content)
        return FORMATS[self.format].open_file(str(path), self.request(), position)

    def rows(self, content: bytes | str, name: str = "data") -> list[dict[str, Any]]:
        return drain(self.open(content.encode() if isinstance(content, str) else content, name))

    def values(self, content: bytes | str) -> list[Any]:
        """Return the values of the only wanted column."""
        return [next(iter(row.values())) for row in self.rows(content)]


@pytest.fixture
def reading(tmp_path: Path) -> Callable[..., Reading]:
    def make(format: str, schema: Schema | DataType, **settings: Any) -> Reading:
        if isinstance(schema, DataType):
            schema = schema_of(v=schema)
        return Reading(tmp_path, format, schema, **settings)

    return make
