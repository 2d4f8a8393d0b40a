"""One at a time, across processes; a lock ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.limits import FLINK_POLL_S, INSTALL_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fluxcore.targets.flink.cluster.progress import Progress


@contextmanager
def alone(path: Path, doing: str, progress: Progress) -> Iterator[None]:
    """Hold the lock of a file; ``doing`` says what a process that holds it does.

    Raises: ``JobError`` FX-FLK-0013 when another process holds it for too long.
    """
    with path.open("a") as file:
        deadline = time.monotonic() + INSTALL_S
        told = False
        while not taken(file.fileno(), fcntl.LOCK_EX):
            if not told:
                progress(f"another process is {doing}; waiting for it")
                told = True
            if time.monotonic() > deadline:
                raise JobError(
                    "FX-FLK-0013",
                    f"another process has been {doing} for too long",
                    hint=f"find out who holds {path} (fuser {path}), and end it",
                )
            time.sleep(FLINK_POLL_S)
        yield


def taken(descriptor: int, kind: int) -> bool:
    """Take the lock of an open file if it is free; ``kind`` is ``fcntl.LOCK_EX`` or ``LOCK_SH``."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock(path: Path) -> int:
    """Open the file of a lock; closing the descriptor gives the lock back."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
