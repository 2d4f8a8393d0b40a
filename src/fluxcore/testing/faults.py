"""Faults for the simulated disk: which call fails, how, and a lie about syncing."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from fluxcore.bus.log.files import Files

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
    """Files that say a sync is done when it is not: with it, tests of durability must fail."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def sync(self, handle: int) -> None:
        """Do nothing, and say it is done."""

    def sync_folder(self, path: str) -> None:
        """Do nothing, and say it is done."""

    def map(self, path: str) -> pa.Buffer:
        """Return a file's bytes."""
        return self._files.map(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)
