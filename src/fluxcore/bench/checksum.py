"""A checksum of rows that does not depend on their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.hashing import hash_columns

if TYPE_CHECKING:
    from collections.abc import Iterable


def checksum(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[int, str]:
    """Return the number of rows, and the sum of the hashes of all rows modulo 2**64 as hexadecimal digits.

    The columns are taken in order and cast to ``schema``, so that the answers of two engines are comparable.
    """
    rows = 0
    total = np.uint64(0)
    for batch in batches:
        if batch.num_rows == 0:
            continue
        columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
        rows += batch.num_rows
        with np.errstate(over="ignore"):
            total += hash_columns(columns).sum(dtype=np.uint64)
    return rows, f"{int(total):016x}"
