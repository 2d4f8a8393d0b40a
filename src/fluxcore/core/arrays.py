"""Arrays out of pieces."""

from __future__ import annotations

import pyarrow as pa


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array. A single piece is returned as it is: Arrow's ``combine_chunks`` would copy it."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
