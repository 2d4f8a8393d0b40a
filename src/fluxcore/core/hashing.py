"""The fixed 64-bit hash of keys: XXH64 (seed 0) of a key's canonical bytes.

Canonical bytes: an integer, boolean, date or time is its value as 8 bytes, little-endian; a float its IEEE bits as a double,
with one NaN and no -0.0; a decimal its text; text and bytes are themselves; a nested value the bytes of
``fluxcore.core.nested_bytes``; NULL hashes to a constant. A key of several
columns is the hash of its columns' hashes, 8 bytes each, little-endian. It never changes: saved state is found by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.nested_bytes import to_bytes
from fluxcore.core.words import canonical_words, text_buffers

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

    if pa.types.is_nested(array.type):
        array = to_bytes(array)
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
