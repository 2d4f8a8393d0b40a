"""Memory that grows without moving: NumPy views over reserved, not yet backed, address space."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

_NO_RESERVE = 0x4000
_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)
_SMALL_BYTES = 2**22
"""A column takes memory in small pages up to so many bytes, so that little state stays little; then in huge ones, which the
system hands out a hundred times as fast."""
RESERVED_SLOTS = 2**27
"""Slots that a column can hold; reserving them costs address space and no memory."""


def reserve(dtype: str, shape: tuple[int, ...]) -> Any:
    """Return a NumPy array of zeros whose pages are taken when they are first written.

    Raises: ``MemoryError`` when the system refuses even the address space.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", _NO_RESERVE)
    try:
        memory = mmap.mmap(-1, max(size, mmap.PAGESIZE), flags=flags)
    except OSError as error:
        raise MemoryError(f"{size} bytes of address space were refused") from error
    if _HUGE_PAGES is not None and size > 2 * _SMALL_BYTES:
        memory.madvise(_HUGE_PAGES, _SMALL_BYTES, size // mmap.PAGESIZE * mmap.PAGESIZE - _SMALL_BYTES)
    return np.frombuffer(memory, dtype=dtype, count=int(np.prod(shape))).reshape(shape)
