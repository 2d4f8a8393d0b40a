"""What the workers of a group have in hand in a topic, in a file that is mapped into memory.

What is written there costs no call to the system, and is there when the process was killed; it is gone, or old, when power failed.
The file is there only while the group runs: who finds one comes after a process that died.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from fluxcore.bus.hold import Hold
from fluxcore.limits import BUS_HANDS_MAX

_MAGIC = b"FRYSHND1"
_BYTES = 16 * (BUS_HANDS_MAX + 1)


class Hands:
    """The holds of ``BUS_HANDS_MAX`` workers; those of more note nothing. Raises ``OSError`` for a disk that refuses."""

    def __init__(self, path: str) -> None:
        self._path = path
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(handle, _MAGIC)
            os.posix_fallocate(handle, 0, _BYTES) if hasattr(os, "posix_fallocate") else os.ftruncate(handle, _BYTES)
            self._cells = memoryview(mmap.mmap(handle, _BYTES)).cast("q")
        finally:
            os.close(handle)
        self._free = [Hold(self._cells, 2 * number) for number in range(BUS_HANDS_MAX, 0, -1)]

    def lend(self) -> Hold:
        """Return a hold for a worker."""
        return self._free.pop() if self._free else Hold()

    def take_back(self, hold: Hold) -> None:
        """Take the hold of a worker that has ended."""
        hold.clear()
        if hold.cells is not None:
            self._free.append(hold)

    def close(self) -> None:
        """Remove the file: the group ends as it should. A thread that hangs may still write to the memory."""
        Path(self._path).unlink(missing_ok=True)


def left_in_hand(path: str) -> list[tuple[int, int]]:
    """Return the ranges of offsets that a process had in hand when it died; none where no process did, or the file is damaged."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    if len(content) != _BYTES or not content.startswith(_MAGIC):
        return []
    pairs = list(struct.iter_unpack("<qq", content))[1:]
    return [(first, first + count) for first, count in pairs if first >= 0 and 0 < count < 2**62 - first]
