"""The fixed 64-bit hash of keys: XXH64 (seed 0) of a key's canonical bytes.

Canonical bytes: an integer, boolean, date or time is its value as 8 bytes, little-endian; a float its IEEE bits as a double,
with one NaN and no -0.0; a decimal its text; text and bytes are themselves; NULL hashes to a constant. A key of several
columns is the hash of its columns' hashes, 8 bytes each, little-endian. It never changes: saved state is found by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NULL_HASH = 0x6E756C6C6E756C6C


def hash_columns(arrays: Sequence[pa.Array]) -> NDArray[np.uint64]:
    """Return the hash of each row's key. In: one array or more of equal length, of types that can be keys."""
    hashes = [_hash_column(array) for array in arrays]
    if len(hashes) == 1:
        return hashes[0]
    from fluxcore.core import hashing_kernels

    out = np.empty(len(hashes[0]), np.uint64)
    data = np.column_stack(hashes).astype("<u8", copy=False).view(np.uint8).reshape(-1)
    hashing_kernels.hash_rows(data, 8 * len(hashes), out)
    return out


def _hash_column(array: pa.Array) -> NDArray[np.uint64]:
    from fluxcore.core import hashing_kernels  # compiled code is loaded only where keys are hashed

    out = np.empty(len(array), np.uint64)
    if pa.types.is_string(array.type) or pa.types.is_binary(array.type) or pa.types.is_decimal(array.type):
        texts = array.cast(pa.string()) if pa.types.is_decimal(array.type) else array
        offsets, data = text_buffers(texts)
        hashing_kernels.hash_texts(offsets, data, out)
    else:
        hashing_kernels.hash_words(canonical_words(array), out)
    if array.null_count:
        out[np.asarray(array.is_null())] = NULL_HASH
    return out


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
