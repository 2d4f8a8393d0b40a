"""Divides rows among the directories of their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.connectors.filesystem.partition_names import escaped, texts_of
from fluxcore.connectors.filesystem.partitions import default_name
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from fluxcore.core.ports import SinkRequest


class PartitionedRows:
    """Divides the rows of an insert. ``schema`` are the columns that go into the files, in the order of the table."""

    def __init__(self, request: SinkRequest) -> None:
        table = request.table
        self._keys = table.partitioned_by
        self._columns = [table.schema[index] for index in self._keys]
        self._null = default_name(table)
        self._held = [index for index in range(len(table.schema)) if index not in self._keys]
        self.schema = table.schema.select(self._held)
        self.only: str | None = None
        if len(request.fixed) == len(self._keys):
            values = [request.fixed[key] for key in self._keys]
            names = [self._names(pa.array([value], value.type), place) for place, value in enumerate(values)]
            self.only = "/".join(name for (name,) in names)

    def divide(self, data: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the directory of each partition ('' for a table without any) and its rows, in the order that they came in.

        Raises: ``JobError`` FX-CON-0108 for an empty text in a column that is NOT NULL.
        """
        if not self._keys:
            yield "", data
            return
        held = data.select(self._held)
        encoded = [data.column(key).dictionary_encode(null_encoding="encode") for key in self._keys]
        names = [self._names(each.dictionary, place) for place, each in enumerate(encoded)]
        groups, ids = _grouped([each.indices.to_numpy(zero_copy_only=False) for each in encoded])
        order = pa.array(np.argsort(ids, kind="stable"))
        start = 0
        for codes, count in zip(groups, np.bincount(ids), strict=True):
            directory = "/".join(known[code] for known, code in zip(names, codes, strict=True))
            # a copy: a slice that waits would keep the rows of all partitions in memory
            yield directory, held if len(groups) == 1 else held.take(order.slice(start, count))
            start += count

    def _names(self, values: pa.Array, place: int) -> list[str]:
        """Return the folder's name for each value of a column of the partition."""
        column = self._columns[place]
        texts = texts_of(values, column.type)
        if not column.type.nullable and None in texts:
            message = f"an empty text in '{column.name}' names no partition: it would be read as NULL, and the column is NOT NULL"
            raise JobError("FX-CON-0108", message, hint="filter such rows out, or let the column be NULL")
        return [f"{escaped(column.name)}={escaped(self._null if text is None else text)}" for text in texts]


def _grouped(codes: list[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct combinations of codes, a row each, and the number of each row's combination."""
    ids = np.zeros(len(codes[0]), np.int64)
    for column in codes:
        _, ids = np.unique(ids * (int(column.max()) + 1) + column, return_inverse=True)
    firsts = np.zeros(int(ids.max()) + 1, np.int64)
    firsts[ids] = np.arange(len(ids))
    return np.stack([column[firsts] for column in codes], axis=1), ids
