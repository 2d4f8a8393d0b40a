"""The logs that are open for writing in this process, so that a bus and whatever else writes to a topic here share one."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.bus.log import Log

if TYPE_CHECKING:
    from fluxcore.bus.log import LogOptions
    from fluxcore.bus.log.files import Files


@dataclass(slots=True)
class _Shared:
    log: Log
    users: int


_lock = threading.Lock()
_shared: dict[str, _Shared] = {}


def acquire(folder: str, options: LogOptions, files: Files | None = None) -> Log:
    """Return the log in a folder, opened if this process has it not open yet; each call needs one :func:`release`.

    In: ``options`` those of the first who opens it hold for all; ``files`` other than this machine's are never shared.
    Raises: as ``Log.open``: FX-LOG-0001 where another process writes to it.
    """
    if files is not None:
        return Log.open(folder, options, files)
    path = os.path.realpath(folder)
    with _lock:
        found = _shared.get(path)
        if found is None:
            found = _shared[path] = _Shared(Log.open(path, options), 0)
        found.users += 1
        return found.log


def release(log: Log) -> None:
    """Give a log back; the last one to do so closes it, which writes and syncs what waits."""
    with _lock:
        path = next((path for path, each in _shared.items() if each.log is log), None)
        if path is not None:
            _shared[path].users -= 1
            if _shared[path].users:
                return
            del _shared[path]
        log.close()


def _forked() -> None:
    global _lock  # noqa: PLW0603  (a thread that the child doesn't have may hold the old one)
    _lock = threading.Lock()
    _shared.clear()


os.register_at_fork(after_in_child=_forked)
