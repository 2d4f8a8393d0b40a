"""A cluster that lives as long as somebody uses it: for tests and benchmarks.

Every user holds a shared lock on one file. Whoever gets that lock alone ends the cluster: the last user when it leaves, or
else a small process that waits for nothing but this, since the system gives back the locks of a process however it ends.
So a cluster never outlives its users, even when they are killed, and several test processes share one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.targets.flink.cluster.cluster import down, up
from fluxcore.targets.flink.cluster.locks import open_lock, taken
from fluxcore.targets.flink.cluster.processes import spawn
from fluxcore.targets.flink.cluster.progress import silent
from fluxcore.targets.flink.cluster.record import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.targets.flink.cluster.configuration import ClusterOptions
    from fluxcore.targets.flink.cluster.progress import Progress
    from fluxcore.targets.flink.cluster.record import Cluster

_USERS = "users.lock"
_REMOVE = "--remove"


@contextmanager
def running_cluster(options: ClusterOptions, progress: Progress = silent) -> Iterator[Cluster]:
    """Give a cluster that runs, and end it behind its last user.

    In: without ``options.work`` the cluster is the caller's own, in a temporary folder that goes with it. A cluster that
    `fluxcore flink up` started in the folder is used and left running. Raises: as :func:`cluster.up`.
    """
    own = None if options.work else Path(tempfile.mkdtemp(prefix="fluxcore-flink-"))
    work = (options.work or own or Path()).expanduser().resolve()
    try:
        work.mkdir(parents=True, exist_ok=True)
        users = open_lock(work / _USERS)
        try:
            fcntl.flock(users, fcntl.LOCK_SH)  # waits while the cluster of earlier users is being ended
            _watch(work, remove=own is not None)
            yield up(replace(options, work=work), progress, shared=True)
        finally:
            if taken(users, fcntl.LOCK_EX):
                _end(work, progress)
            os.close(users)
    finally:
        if own:
            shutil.rmtree(own, ignore_errors=True)


def _watch(work: Path, *, remove: bool) -> None:
    """Start the process that ends the cluster if its users are killed."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "fluxcore.targets.flink.cluster.shared",
        str(work),
        *([_REMOVE] if remove else []),
    ]
    search = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    (work / "log").mkdir(exist_ok=True)
    spawn("watcher", command, work / "log" / f"watcher-{os.getpid()}.log", work, {"PYTHONPATH": search})


def _end(work: Path, progress: Progress) -> None:
    cluster = load(work) if work.is_dir() else None
    if cluster is not None and cluster.shared:
        down(work, progress)


def _wait_for_users(work: Path, *, remove: bool) -> None:
    users = open_lock(work / _USERS)
    fcntl.flock(users, fcntl.LOCK_EX)
    _end(work, silent)
    if remove:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    _wait_for_users(Path(sys.argv[1]), remove=_REMOVE in sys.argv[2:])
