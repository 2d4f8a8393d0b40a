"""Faults for the files of a log: which call fails and how, a lie about syncing, and the end of the process at a call."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from fluxcore.bus.log.files import Files

_PAGE = 4096
CHANGING = frozenset({"write", "sync", "sync_folder", "allocate", "truncate", "rename", "remove", "open"})
"""The kinds of calls that change a disk or may be refused."""


@dataclass
class Faults:
    """Fails ``times`` calls from the one with number ``at`` on, among those of ``kinds``, with the error ``number``.

    With ``taken`` the call ``at``, if it writes, takes only so many bytes, and the calls after it fail; with ``number`` 0 nothing
    fails and that write is only short. A file whose path does not hold ``only`` is left alone.
    """

    at: int
    number: int = errno.EIO
    times: int = 1
    kinds: frozenset[str] = CHANGING
    taken: int = 0
    only: str = ""
    seen: int = field(default=0)
    happened: bool = field(default=False)

    def check(self, kind: str, path: str, length: int) -> int:
        """Return how many bytes of a call are done; raises ``OSError`` where it fails."""
        if kind not in self.kinds or self.only not in path:
            return length
        number = self.seen
        self.seen += 1
        short = self.taken > 0
        if number == self.at and short and kind == "write" and length > 1:
            self.happened = True
            return min(self.taken, length - 1)
        first = self.at + short
        if self.number and first <= number < first + self.times:
            self.happened = True
            raise OSError(self.number, os.strerror(self.number), path)
        return length


class WithoutSync:
    """Files that say a sync is done when it is not: with it, tests of durability must fail.

    In: ``kinds`` are the kinds of syncs left out, ``sync`` and ``sync_folder``; a file whose path does not hold ``only`` is synced.
    """

    def __init__(
        self, files: Files, kinds: frozenset[str] = frozenset({"sync", "sync_folder"}), only: str = ""
    ) -> None:
        self._files = files
        self._kinds = kinds
        self._only = only
        self._paths: dict[int, str] = {}

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        """Open a file and note its path."""
        handle = self._files.open(path, create=create, write=write)
        self._paths[handle] = path
        return handle

    def sync(self, handle: int) -> None:
        """Do nothing, and say it is done."""
        if "sync" not in self._kinds or self._only not in self._paths.get(handle, ""):
            self._files.sync(handle)

    def sync_folder(self, path: str) -> None:
        """Do nothing, and say it is done."""
        if "sync_folder" not in self._kinds:
            self._files.sync_folder(path)

    def map(self, path: str) -> pa.Buffer:
        """Return a file's bytes."""
        return self._files.map(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


class KilledAt:
    """Files of a process that ends, as by ``kill -9``, at a call that changes something: the one with the number ``at``.

    With ``half`` a write is done up to the last page of the file in it, as the kernel copies page by page and looks for signals in
    between; otherwise nothing of the call is done.
    """

    def __init__(self, files: Files, at: int, *, half: bool = False) -> None:
        self._files = files
        self._at = at
        self._half = half
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._files, name)
        return partial(self._counted, name, call) if name in CHANGING else call

    def _counted(self, name: str, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls > self._at:
            if self._half and name == "write":
                handle, pieces, position = args
                content = b"".join(bytes(piece) for piece in pieces)
                done = (position + len(content) - 1) // _PAGE * _PAGE - position
                if done > 0:
                    call(handle, [content[:done]], position)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **named)
