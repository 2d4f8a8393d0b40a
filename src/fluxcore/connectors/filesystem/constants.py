"""The columns of a scan that are the same for all rows of a file: metadata, and the columns of its partition."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.ports import Pushdown
from fluxcore.core.types import BIGINT, STRING, TimestampType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.connectors.filesystem.partitions import Partition
    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import ScanRequest
    from fluxcore.core.types import DataType

METADATA: Mapping[str, DataType] = {
    "file.path": STRING.with_nullable(False),
    "file.name": STRING.with_nullable(False),
    "file.size": BIGINT.with_nullable(False),
    "file.modification-time": TimestampType(precision=3, local=True, nullable=False),
}
"""Keys of the metadata columns that the source fills, with Flink's types."""


class ConstantColumns:
    """Says which columns of a scan are in the files, and puts the others beside them.

    ``physical`` are the positions in the table's schema of the columns that files hold; ``wanted`` places in ``physical``
    of those that the scan asks for.
    """

    def __init__(self, request: ScanRequest) -> None:
        table = request.table
        apart = (*table.metadata, *table.partitioned_by)
        self.physical = [index for index in range(len(table.schema)) if index not in apart]
        place = {index: number for number, index in enumerate(self.physical)}
        self.wanted = tuple(place[index] for index in request.columns if index in place)
        self._slots = [
            slot for slot, index in enumerate(request.columns) if index in place
        ]  # of the scan's columns, those that files hold
        self._keys = {slot: table.metadata[i] for slot, i in enumerate(request.columns) if i in table.metadata}
        parts = table.partitioned_by
        self._parts = {slot: parts.index(i) for slot, i in enumerate(request.columns) if i in parts}
        self._schema = table.schema.select(request.columns).arrow()
        self._nullable = pa.schema([field.with_nullable(True) for field in self._schema])
        self._pushdown = request.pushdown

    @property
    def needed(self) -> bool:
        """Return whether the scan asks for a column that files don't hold."""
        return bool(self._keys or self._parts)

    def values(self, path: str, partition: Partition) -> dict[int, pa.Scalar]:
        """Return the constants of a file by their places in the scan. Raises: ``OSError`` where metadata is asked for."""
        found = {slot: partition.values[number] for slot, number in self._parts.items()}
        if self._keys:
            known = _metadata(path)
            found |= {slot: known[key] for slot, key in self._keys.items()}
        return found

    def pushdown(self, values: Mapping[int, pa.Scalar]) -> Pushdown | None:
        """Return the scan's predicate as the format applies it to the columns of a file with these constants."""
        pushdown = self._pushdown
        if pushdown is None or not values:
            return pushdown
        place = {slot: number for number, slot in enumerate(self._slots)}
        return Pushdown(
            mask=lambda data: pushdown.mask(self._whole(data.columns, data.num_rows, values, self._nullable)),
            bounds=tuple(replace(b, column=place[b.column]) for b in pushdown.bounds if b.column in place),
            columns=tuple(place[slot] for slot in pushdown.columns if slot in place),
        )

    def add(self, batch: Batch, values: Mapping[int, pa.Scalar]) -> Batch:
        """Return the rows of a file with the constants in their places."""
        return replace(batch, data=self._whole(batch.data.columns, batch.rows, values, self._schema))

    def _whole(
        self, columns: Sequence[pa.Array], rows: int, values: Mapping[int, pa.Scalar], schema: pa.Schema
    ) -> pa.RecordBatch:
        held = dict(zip(self._slots, columns, strict=False))  # a column nobody asked for carries the number of rows
        arrays = [held[slot] if slot in held else pa.repeat(values[slot], rows) for slot in range(len(schema))]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _metadata(path: str) -> dict[str, pa.Scalar]:
    """Return the metadata of a file by key. Raises: ``OSError``."""
    status = Path(path).stat()
    whole = os.path.abspath(path)  # noqa: PTH100  (links stay as they are, as in Flink)
    texts = {"file.path": whole, "file.name": Path(whole).name}
    moment = status.st_mtime_ns // 1_000_000 * 1000
    return {
        **{key: pa.scalar(text, pa.string()) for key, text in texts.items()},
        "file.size": pa.scalar(status.st_size, pa.int64()),
        "file.modification-time": pa.scalar(moment, METADATA["file.modification-time"].arrow()),
    }
