"""Values of Arrow columns as plain words and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray


def canonical_words(array: pa.Array) -> NDArray[np.int64]:
    """Return fixed-width values as int64 words; equal values of different widths give equal words; NULL gives 0."""
    type_ = array.type
    if pa.types.is_boolean(type_):
        array = array.cast(pa.int8())
    elif pa.types.is_floating(type_):
        values = np.asarray(array.fill_null(0.0) if array.null_count else array).astype(np.float64)
        values = np.where(values == 0, 0.0, np.where(np.isnan(values), np.nan, values))
        words: Any = values.view(np.int64)
        return words
    elif pa.types.is_timestamp(type_):
        array = array.view(pa.int64())
    elif pa.types.is_date32(type_) or pa.types.is_time32(type_):
        array = array.view(pa.int32())
    if array.null_count:
        array = pc.fill_null(array, 0)
    return np.asarray(array).astype(np.int64, copy=False)


def text_buffers(array: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return Arrow's offsets (int32, rows + 1) and bytes (uint8) of text or bytes, without copying."""
    _, offsets, data = array.buffers()
    if offsets is None:
        return np.zeros(len(array) + 1, np.int32), np.zeros(0, np.uint8)
    found = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return found, content
