"""The live mark: how far the log is durable right now, for readers in other processes.

A small file: the durable offset as 64 bits, and the same with fixed bits turned over.
It is written only after a sync has completed, so whatever value is found in it was true; it is never synced itself, since after
a crash the marks in the frames serve as well. A value that does not check is no mark.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fluxcore.bus.log.files import read_file

if TYPE_CHECKING:
    from fluxcore.bus.log.files import Files

LIVE = "durable"
_SALT = 0x5F72_7953_6D61_726B
_BYTES = 16


class LiveMark:
    """Writes the mark of a log."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._handle = files.open(f"{folder}/{LIVE}", create=True, write=True)

    def put(self, durable: int) -> None:
        """Say that everything below an offset is durable. A disk that refuses costs readers elsewhere time, nothing else."""
        with contextlib.suppress(OSError):
            self._files.write(self._handle, [_encode(durable)], 0)

    def close(self) -> None:
        """Give the file back; the mark stays."""
        self._files.close(self._handle)


class LiveReader:
    """Reads the mark of a log, again and again."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._path = f"{folder}/{LIVE}"
        self._handle: int | None = None

    def get(self) -> int:
        """Return the offset below which everything is durable, or 0 where nothing is known."""
        if self._handle is None:
            try:
                self._handle = self._files.open(self._path)
            except OSError:
                return 0
        return _decode(self._files.read(self._handle, 0, _BYTES))

    def close(self) -> None:
        """Give the file back."""
        if self._handle is not None:
            self._files.close(self._handle)
            self._handle = None


def read_live(files: Files, folder: str) -> int:
    """Return the mark that the last writer left, or 0."""
    return _decode(read_file(files, f"{folder}/{LIVE}") or b"")


def _encode(durable: int) -> bytes:
    return durable.to_bytes(8, "little") + (durable ^ _SALT).to_bytes(8, "little")


def _decode(content: bytes) -> int:
    if len(content) < _BYTES:
        return 0
    value = int.from_bytes(content[:8], "little")
    return value if int.from_bytes(content[8:16], "little") ^ _SALT == value else 0
