"""Bloom filters over keys: whether a frame may hold a value, in ten bits a row.

The hash is a part of the format and never changes. Text and bytes: the sum of byte times 0x9E3779B97F4A7C15 to the power of
its place (from 1; the first 256 bytes count), plus the length; an integer: its value; then the finaliser of MurmurHash3. All
modulo 2 to the 64. It is NumPy only, so that the first frame of a process waits for no compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS_PER_ROW = 10
PROBES = 4
_BASE = np.uint64(0x9E3779B97F4A7C15)
_BYTES_MAX = 256
_POWERS = np.cumprod(np.full(_BYTES_MAX, _BASE, np.uint64))


def can_hash(type_: pa.DataType) -> bool:
    """Return whether values of a type can stand in a filter."""
    return _is_text(type_) or pa.types.is_integer(type_)


def hash_values(array: pa.Array) -> NDArray[np.uint64]:
    """Return the hashes of the values that are not null, in order."""
    if array.null_count:
        array = array.drop_null()
    if not _is_text(array.type):
        return _mixed(array.cast(pa.int64(), safe=False).to_numpy().view(np.uint64))
    offsets, data = _text(array)
    lengths = np.diff(offsets)
    counted = np.minimum(lengths, _BYTES_MAX)
    if len(lengths) and (counted == counted[0]).all() and counted[0] == lengths[0]:
        width = int(counted[0])
        block = data[offsets[0] : offsets[-1]].reshape(len(lengths), width)
        sums = np.zeros(len(lengths), np.uint64)
        for place in range(width):
            sums += block[:, place] * _POWERS[place]
    else:
        sums = _sums(offsets[:-1], counted, data)
    return _mixed(sums + lengths.astype(np.uint64))


def make(array: pa.Array) -> bytes:
    """Return the filter of an array's values; its length tells its number of bits."""
    bits = np.zeros(max(64, -(-len(array) * BITS_PER_ROW // 64) * 64), np.bool_)
    for place in _places(hash_values(array), len(bits)):
        bits[place] = True
    return np.packbits(bits, bitorder="little").tobytes()


def may_hold(content: bytes, value: Any, type_: pa.DataType) -> bool:
    """Return False only where no value equal to this one was put into the filter."""
    try:
        array = pa.array([value], type_)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return True
    bits = np.frombuffer(content, np.uint8)
    return all(bits[place >> 3] >> (place & 7) & 1 for (place,) in _places(hash_values(array), len(content) * 8))


def _places(hashes: NDArray[np.uint64], bits: int) -> list[NDArray[np.int64]]:
    first, step = hashes & np.uint64(0xFFFFFFFF), (hashes >> np.uint64(32)) | np.uint64(1)
    return [((first + np.uint64(probe) * step) % np.uint64(bits)).astype(np.int64) for probe in range(PROBES)]


def _sums(starts: NDArray[np.int64], lengths: NDArray[np.int64], data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    ends = np.cumsum(lengths)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    weighted = data[np.repeat(starts, lengths) + within] * _POWERS[within]
    sums = np.zeros(len(starts), np.uint64)
    present = np.flatnonzero(lengths)
    if len(present):
        sums[present] = np.add.reduceat(weighted, (ends - lengths)[present])
    return sums


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = words ^ (words >> np.uint64(33))
    words = words * np.uint64(0xFF51AFD7ED558CCD)
    words = words ^ (words >> np.uint64(33))
    words = words * np.uint64(0xC4CEB9FE1A85EC53)
    return words ^ (words >> np.uint64(33))


def _is_text(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_large_binary)
    return any(each(type_) for each in kinds)


def _text(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    _, offsets, data = array.buffers()
    kind = np.int64 if wide else np.int32
    found = np.frombuffer(offsets, kind)[array.offset : array.offset + len(array) + 1] if offsets else np.zeros(1, kind)
    return found.astype(np.int64), np.frombuffer(data or b"", np.uint8)
