"""Decodes blocks of JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.formats import json_kernels
from fluxcore.formats.cells import MISSING, STRING
from fluxcore.formats.faults import RowError
from fluxcore.formats.json_rows import json_value, parse_json
from fluxcore.formats.simd_kernels import PADDING, last_byte
from fluxcore.formats.text import Scan, TextDecoder, decode_utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fluxcore.core.types import DataType
    from fluxcore.formats.base import DecodeRequest
    from fluxcore.formats.text import TextBlock

    Array = NDArray[Any]

_ODD_KEPT = 64


class JsonDecoder(TextDecoder):
    """Turns JSON lines into batches."""

    def __init__(self, request: DecodeRequest) -> None:
        super().__init__(request)
        options = request.options
        self._lenient = options.get("json.ignore-parse-errors", "false").lower() == "true"
        self._required = options.get("json.fail-on-missing-field", "false").lower() == "true"
        names = [column.name.encode() for column in self.wanted]
        joined = b"".join(names)
        self._names = np.zeros(len(joined) + PADDING, np.uint8)
        self._names[: len(joined)] = np.frombuffer(joined, np.uint8)
        self._name_ends = np.cumsum([len(name) for name in names]).astype(np.int64)

    def cut(self, buffer: Array, size: int) -> int:
        """Return the byte behind the last line end."""
        return int(last_byte(buffer, size, 10)) + 1

    def scan(self, block: TextBlock) -> Scan:
        """Find the wanted fields of each line."""
        buffer, size = block.buffer, block.size
        positions = self.scratch.take("positions", size + 9)
        ends = self.scratch.take("ends", size + 1)
        odd_at = np.empty(_ODD_KEPT, np.int64)
        _, rows, high, escapes, odd = json_kernels.index_json(buffer, size, positions, ends, odd_at)
        cells = self.scratch.take("cells", 3, len(self.wanted), rows)
        record = self.scratch.take("record", 3, rows)
        kept = json_kernels.walk_json(buffer, positions, ends, rows, self._names, self._name_ends, cells, record)
        cells, record = cells[:, :, :kept], record[:, :kept]
        if odd > _ODD_KEPT:
            record[2] = 1
        elif odd:
            record[2, np.searchsorted(record[0], odd_at[:odd], side="right") - 1] = 1
        if self._required:
            record[2] |= (cells[2] == MISSING).any(axis=0)
        return Scan(cells, record, bool(high), bool(escapes))

    def marks(self, scan: Scan) -> Array:
        """Return that strings are escaped as in JSON."""
        return np.array([1, -1, -1, scan.escapes], np.int64)

    def read_row(self, raw: bytes, layout: Any) -> list[Any] | None:  # noqa: ARG002
        """Return the wanted values of one line; None when a line that is no object is to be ignored."""
        try:
            found = parse_json(decode_utf8(raw).strip("\r\n\t "))
            if not isinstance(found, dict):
                raise RowError("not a JSON object")
        except RowError:
            if self._lenient:
                return None
            raise
        values: list[Any] = []
        for column in self.wanted:
            value = None
            try:
                if self._required and column.name not in found:
                    raise RowError(f"the field '{column.name}' is missing")
                value = json_value(column.type, found.get(column.name), self._required)
            except RowError as error:
                if not self._lenient:
                    raise RowError(error.cause, field=column.name, value=error.value) from error
            values.append(value)
        return values

    def parse_cell(self, type_: DataType, raw: bytes, form: int) -> Any:
        """Return the value of a cell that has no kernel."""
        text = raw.decode("utf-8")
        return json_value(type_, parse_json(f'"{text}"' if form == STRING else text), self._required)
