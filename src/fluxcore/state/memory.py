"""Memory that grows without moving: NumPy views over reserved, not yet backed, address space."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

_NO_RESERVE = 0x4000
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
    return np.frombuffer(memory, dtype=dtype, count=int(np.prod(shape))).reshape(shape)
