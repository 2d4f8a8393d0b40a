"""Runs one query on one engine once, in a process of its own, and prints what it measured as one line of JSON.

1. Start-up: imports, the engine itself, and the same query over a few rows, so that compiled code is in memory.
2. The source in memory is made, where the data is not in files.
3. The timed part: the query's text goes in, and its rows come out and are dropped.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.bench.engines import ENGINES
from fluxcore.errors import FluxError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fluxcore.bench.engines import Engine


@dataclass(frozen=True)
class Task:
    """What a worker does. ``paths`` and ``warm_paths`` are the folders of the tables' files, none for data in memory."""

    engine: str
    query: str
    source: str
    events: int
    seed: int
    parallelism: int
    paths: dict[str, str] = field(default_factory=dict)
    warm_paths: dict[str, str] = field(default_factory=dict)
    warm_events: int = 2000
    check: bool = False
    started: float = 0.0

    def to_json(self) -> str:
        """Return the task as the worker's argument."""
        return json.dumps(asdict(self))


def work(task: Task) -> dict[str, Any]:
    """Do a task and return its measurements: seconds, rows, megabytes."""
    make: Callable[[Task, Mapping[str, str], int], Engine] = ENGINES[task.engine]
    with contextlib.closing(make(task, task.warm_paths, task.warm_events)) as engine:
        engine.run()
    ready = time.time()
    with contextlib.closing(make(task, task.paths, task.events)) as engine:
        before = time.perf_counter()
        if task.check:
            result_rows, digest = engine.checksum()
        else:
            result_rows, digest = engine.run(), None
        seconds = time.perf_counter() - before
        return {
            "startup_seconds": round(ready - task.started, 4) if task.started else None,
            "seconds": round(seconds, 5),
            "result_rows": result_rows,
            "checksum": digest,
            "peak_rss_mb": round(peak_rss_mb(), 1),
            "configuration": engine.configuration,
        }


def peak_rss_mb() -> float:
    """Return the most memory that this process has held, in millions of bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says may be the parent's, from before this program was loaded
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> int:
    """Do the task that the first argument describes. Exit code 1 and an ``error`` when it fails."""
    task = Task(**json.loads(sys.argv[1]))
    try:
        answer = work(task)
    except FluxError as error:
        answer = {"error": error.message, "code": error.code, "hint": error.hint}
    except Exception as error:  # noqa: BLE001  (the parent tells the user; a traceback would not help there)
        answer = {"error": f"{type(error).__name__}: {error}", "code": "FX-BEN-0003", "hint": None}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
