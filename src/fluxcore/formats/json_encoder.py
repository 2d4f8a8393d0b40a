"""Writes rows as JSON lines."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import ArrayType, BytesType, MapType, RowType
from fluxcore.formats import encode_kernels
from fluxcore.formats.encode import TextEncoder, base64_text, padded_parts, plain_text, text_array, with_nulls_of
from fluxcore.formats.simd_kernels import PADDING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.schema import Schema
    from fluxcore.core.types import DataType


class JsonEncoder(TextEncoder):
    """JSON as Flink writes it: numbers and decimals as numbers, timestamps in SQL's or ISO's form, bytes as base64."""

    def __init__(self, schema: Schema, options: Mapping[str, str]) -> None:
        super().__init__(schema)
        self._between = "T" if options.get("json.timestamp-format.standard", "SQL").upper() == "ISO-8601" else " "
        self._without_nulls = options.get("json.encode.ignore-null-fields", "false").lower() == "true"

    def pieces(self, batch: pa.RecordBatch, end: str) -> list[Any]:
        """Return keys and values in turn."""
        found: list[Any] = []
        for index, (column, array) in enumerate(zip(self.schema, batch.columns, strict=True)):
            key = json.dumps(column.name, ensure_ascii=False) + ":"
            text = self._value(column.type, array)
            if self._without_nulls:
                field = pc.binary_join_element_wise("," + key, text, "")
                found.append(pc.fill_null(field, "") if field.null_count else field)
            else:
                found += [("," if index else "{") + key, pc.fill_null(text, "null") if text.null_count else text]
        if self._without_nulls:
            found.insert(0, "{")
        return [*found, "}" + end]

    def lines(self, joined: pa.Array) -> pa.Array:
        """Return the lines; without nulls each was written with a comma before its first key."""
        if not self._without_nulls:
            return joined
        return pc.replace_substring(joined, "{,", "{", max_replacements=1)

    def _value(self, type_: DataType, column: pa.Array) -> pa.Array:
        if isinstance(type_, ArrayType | MapType | RowType):
            return self._nested(type_, column)
        if isinstance(type_, BytesType):
            return pc.binary_join_element_wise('"', base64_text(column), '"', "")
        text = plain_text(type_, column, self._between, quoted=True)
        return _quoted(column) if text is None else text

    def _nested(self, type_: DataType, column: pa.Array) -> pa.Array:
        """Return collections as text: the leaves by kernels, the rest element by element."""
        return with_nulls_of(pa.array(self._texts(type_, column), pa.string()), column)

    def _texts(self, type_: DataType, column: pa.Array) -> list[str]:
        """Return the JSON text of each value, ``null`` for nulls."""
        valid = column.is_valid().to_pylist()
        if isinstance(type_, RowType):
            keys = [json.dumps(name, ensure_ascii=False) for name, _ in type_.fields]
            parts = [self._texts(kind, column.field(index)) for index, (_, kind) in enumerate(type_.fields)]
            rows = [
                "{" + ",".join(f"{key}:{each}" for key, each in zip(keys, row, strict=True) if self._shown(each)) + "}"
                for row in zip(*parts, strict=True)
            ]
        elif isinstance(type_, ArrayType):
            flat = self._texts(type_.element, column.values)
            ends = column.offsets.to_pylist()
            rows = ["[" + ",".join(flat[a:b]) + "]" for a, b in pairwise(ends)]
        elif isinstance(type_, MapType):
            named = [json.dumps(key, ensure_ascii=False) for key in column.keys.to_pylist()]
            flat = self._texts(type_.value, column.items)
            ends = column.offsets.to_pylist()
            fields = [f"{key}:{each}" for key, each in zip(named, flat, strict=True)]
            rows = ["{" + ",".join(fields[a:b]) + "}" for a, b in pairwise(ends)]
        else:
            found: list[str] = pc.fill_null(self._value(type_, column), "null").to_pylist()
            return found
        return [row if good else "null" for row, good in zip(rows, valid, strict=True)]

    def _shown(self, text: str) -> bool:
        return not (self._without_nulls and text == "null")


def _quoted(column: pa.Array) -> pa.Array:
    filled = pc.fill_null(column, "") if column.null_count else column
    offsets, data = padded_parts(filled)
    out = np.empty(6 * len(data) + 2 * len(filled) + PADDING, np.uint8)
    ends = np.empty(len(filled) + 1, np.int32)
    used = encode_kernels.quote_json(offsets, data, ends, out)
    return with_nulls_of(text_array(len(filled), ends, out, used), column)
