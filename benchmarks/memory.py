"""How much memory each Nexmark query takes beside the state that its operators say they keep.

    python benchmarks/memory.py [--events 5000000] [--source parquet] [--queries q9,q18] [--parallelism 2] [--json FILE]

Each query runs once, in a process of its own. A line gives, in millions of bytes: ``peak``, the most that the process held;
``loaded``, what it held when the job began, with the engine and its compiled kernels in it; ``state``, the most that the
metrics of the job reported; ``arrow``, the most that Arrow's pool had lent out; ``queues``, the sum of the fullest states of
the queues between tasks; ``bound``, 350 MB and one and a half times the state; and whether the peak stays below it. Files
are made where they are missing. The exit code is 1 when a query goes over its bound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

BASE_MB = 350.0
STATE_SHARE = 1.5
LOOK_S = 0.01
COLUMNS = ("peak", "loaded", "state", "arrow", "queues", "bound")


def main() -> int:
    """Run each query in a fresh process and print a line each; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--source", default="parquet", choices=("csv", "json", "parquet"))
    parser.add_argument("--queries")
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--json")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(measured(json.loads(given.task))))
        return 0
    return compared(given)


def compared(given: argparse.Namespace) -> int:
    """Write the files, run each query, and print the table."""
    from fluxcore.bench.files import default_folder
    from fluxcore.bench.queries import QUERIES, SIDE_INPUT, write_side_input
    from fluxcore.connectors.nexmark.config import NexmarkConfig
    from fluxcore.connectors.nexmark.files import FileOptions, write_files

    folder, config = default_folder(), NexmarkConfig(seed=1)
    options = FileOptions(given.events, given.source, ("bid", "auction", "person"), config=config, threads=2)
    paths = {name: str(path) for name, path in write_files(folder, options).items()}
    paths[SIDE_INPUT] = str(write_side_input(folder))
    results: list[dict[str, Any]] = []
    print("| query | " + " | ".join(COLUMNS) + " | holds | state by operator |")
    print("|" + "---|" * (len(COLUMNS) + 3))
    for name in given.queries.split(",") if given.queries else QUERIES:
        task = {"query": name, "source": given.source, "events": given.events,
                "parallelism": given.parallelism, "paths": paths}  # fmt: skip
        command = [sys.executable, __file__, "--task", json.dumps(task)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        results.append(found)
        cells = " | ".join(f"{found[column + '_mb']:,.0f}" for column in COLUMNS)
        largest = ", ".join(f"{each} {size:,.0f}" for each, size in found["operators"].items())
        print(f"| {name} | {cells} | {'yes' if found['holds'] else 'no'} | {largest} |", flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps({"results": results}, indent=1) + "\n", "utf-8")
    return 0 if all(each["holds"] for each in results) else 1


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """Run one query in this process; return what it took, in millions of bytes."""
    import pyarrow as pa

    from fluxcore.bench.engines import FluxCoreEngine, flink_tables
    from fluxcore.bench.queries import query_of
    from fluxcore.bench.worker import Task, peak_rss_mb
    from fluxcore.runtime.memory import process_bytes

    query = query_of(task["query"])
    paths = {table: task["paths"][table] for table in query.tables}
    work = Task("fluxcore", query.name, task["source"], task["events"], 1, task["parallelism"])
    engine = FluxCoreEngine(work, paths, task["events"])
    ddl = flink_tables(query, task["source"], engine.paths)
    sink = f"CREATE TABLE nexmark_{query.name} ({engine.columns}) WITH ('connector' = 'blackhole');\n"
    loaded = process_bytes() / 1e6
    job: Any = engine.session.start_script(f"{ddl}{sink}INSERT INTO nexmark_{query.name}\n{query.flink};\n")
    watch = StateWatch(job)
    watch.start()
    job.result()
    watch.stop()
    peak, state = peak_rss_mb(), watch.peak / 1e6
    bound = BASE_MB + STATE_SHARE * state
    queues = sum(each.queue_peak_bytes for each in job.metrics().operators) / 1e6
    return {
        "query": query.name,
        "source": task["source"],
        "peak_mb": round(peak, 1),
        "loaded_mb": round(loaded, 1),
        "state_mb": round(state, 1),
        "arrow_mb": round((pa.default_memory_pool().max_memory() or 0) / 1e6, 1),
        "queues_mb": round(queues, 1),
        "bound_mb": round(bound, 1),
        "holds": peak <= bound,
        "operators": {name: round(size / 1e6, 1) for name, size in watch.by_operator},
    }


class StateWatch(threading.Thread):
    """Looks at a job's metrics every few milliseconds and keeps the most state that they showed, and whose it was."""

    def __init__(self, job: Any) -> None:
        super().__init__(name="state-watch", daemon=True)
        self._job = job
        self._ended = threading.Event()
        self.peak = 0
        self.by_operator: list[tuple[str, int]] = []

    def run(self) -> None:
        """Look until :meth:`stop` is called."""
        while not self._ended.wait(LOOK_S):
            self._look()

    def stop(self) -> None:
        """Look once more, and end."""
        self._ended.set()
        self.join()
        self._look()

    def _look(self) -> None:
        metrics = self._job.metrics()
        if metrics.state_bytes > self.peak:
            self.peak = metrics.state_bytes
            kept = [(each.name.split("(")[0], each.state_bytes) for each in metrics.operators if each.state_bytes > 1e6]
            self.by_operator = sorted(kept, key=lambda each: -each[1])[:3]


if __name__ == "__main__":
    sys.exit(main())
