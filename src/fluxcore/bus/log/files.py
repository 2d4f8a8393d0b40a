"""The one place where the log meets the operating system: files, folders, locks, the clock and random numbers.

Everything else in the log goes through the port ``Files``, so that the test kit can record writes, inject faults and replay
what a disk may keep after a crash. Paths are texts with ``/``; a handle is a small integer that the port gives out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Piece: TypeAlias = bytes | memoryview | pa.Buffer

_VECTORS = 512  # Linux takes at most 1,024 pieces in one call


class Files(Protocol):
    """What the log asks of an operating system. A call that fails raises ``OSError`` with its number."""

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents; one that exists stays."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted."""

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder, sorted; none where it is missing."""

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        """Return a handle; ``create`` makes a missing file, and an existing one stays as it is."""

    def close(self, handle: int) -> None:
        """Give a handle back."""

    def size(self, handle: int) -> int:
        """Return the length of a file in bytes."""

    def read(self, handle: int, position: int, length: int) -> bytes:
        """Return up to ``length`` bytes; fewer only at the file's end."""

    def write(self, handle: int, pieces: Sequence[Piece], position: int) -> int:
        """Write the pieces one after the other and return how many bytes were taken; it may be fewer than asked."""

    def allocate(self, handle: int, size: int) -> None:
        """Give the file ``size`` bytes of room on the disk; what is new reads as zeros."""

    def truncate(self, handle: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""

    def sync(self, handle: int) -> None:
        """Return when the file's bytes and length are on the disk."""

    def sync_folder(self, path: str) -> None:
        """Return when the names in a folder are on the disk."""

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, in place of a file that has it, in one step."""

    def remove(self, path: str) -> None:
        """Remove a file; a missing one is no error."""

    def map(self, path: str) -> pa.Buffer:
        """Return the bytes of a file as they are now and will be; empty for an empty file."""

    def lock(self, path: str) -> int:
        """Return a handle that holds the lock of a file. Raises ``BlockingIOError`` where another handle has it."""

    def now_us(self) -> int:
        """Return the time of the clock in microseconds since 1970."""

    def random_id(self) -> int:
        """Return 64 random bits, never zero."""


class OsFiles:
    """The files of this machine."""

    def make_folder(self, path: str) -> None:
        Path(path).mkdir(parents=True, exist_ok=True)

    def names(self, folder: str) -> list[str]:
        with os.scandir(folder) as entries:
            return sorted(each.name for each in entries if each.is_file())

    def folders(self, folder: str) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                return sorted(each.name for each in entries if each.is_dir())
        except FileNotFoundError:
            return []

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT if create else 0)
        return os.open(path, flags, 0o644)

    def close(self, handle: int) -> None:
        os.close(handle)

    def size(self, handle: int) -> int:
        return os.fstat(handle).st_size

    def read(self, handle: int, position: int, length: int) -> bytes:
        found = os.pread(handle, length, position)
        if len(found) == length or not found:
            return found
        parts = [found]
        taken = len(found)
        while taken < length and (found := os.pread(handle, length - taken, position + taken)):
            parts.append(found)
            taken += len(found)
        return b"".join(parts)

    def write(self, handle: int, pieces: Sequence[Piece], position: int) -> int:
        if hasattr(os, "pwritev"):
            return os.pwritev(handle, pieces[:_VECTORS], position)
        return os.pwrite(handle, pieces[0], position)

    def allocate(self, handle: int, size: int) -> None:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        elif self.size(handle) < size:
            os.ftruncate(handle, size)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def sync(self, handle: int) -> None:
        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(handle)

    def sync_folder(self, path: str) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, source: str, target: str) -> None:
        Path(source).replace(target)

    def remove(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)

    def map(self, path: str) -> pa.Buffer:
        if Path(path).stat().st_size == 0:
            return pa.py_buffer(b"")
        with pa.memory_map(path) as mapped:
            return mapped.read_buffer()

    def lock(self, path: str) -> int:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        return handle

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def random_id(self) -> int:
        return secrets.randbits(64) or 1


def write_all(files: Files, handle: int, pieces: Sequence[Piece], position: int) -> int:
    """Write all pieces, none of them empty, in as many calls as the system wants, and return the position after them."""
    end = position + sum(map(len, pieces))
    while True:
        taken = files.write(handle, pieces, position) if position < end else 0
        position += taken
        if position >= end:
            return position
        if taken <= 0:
            raise OSError(5, "the system took no bytes and named no reason")
        pieces = _after(pieces, taken)


def _after(pieces: Sequence[Piece], taken: int) -> list[Piece]:
    """Return what is left of pieces without their first bytes."""
    rest: list[Piece] = [memoryview(piece).cast("B") for piece in pieces]
    while taken >= len(rest[0]):
        taken -= len(rest[0])
        rest.pop(0)
    return [rest[0][taken:], *rest[1:]]


def replace_file(files: Files, folder: str, name: str, content: bytes) -> None:
    """Put a small file in place of the one with its name, so that after a crash either is there, whole.

    1. Write under another name and sync. 2. Rename. 3. Sync the folder.
    """
    hidden = f"{folder}/{name}.new"
    handle = files.open(hidden, create=True, write=True)
    try:
        files.truncate(handle, 0)
        write_all(files, handle, [content], 0)
        files.sync(handle)
    finally:
        files.close(handle)
    files.rename(hidden, f"{folder}/{name}")
    files.sync_folder(folder)


def read_file(files: Files, path: str) -> bytes | None:
    """Return the bytes of a small file, or None where it is missing."""
    with contextlib.suppress(FileNotFoundError):
        handle = files.open(path)
        try:
            return files.read(handle, 0, files.size(handle))
        finally:
            files.close(handle)
    return None
