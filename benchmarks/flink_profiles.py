"""Shows what the profiles of `fluxcore flink up` do: start-up, memory, two Nexmark queries, and the delay of a row.

Each profile gets a cluster of its own, with nothing set but the parallelism. The queries read CSV files that the generator
writes once; the second of two runs counts. The delay is that of a row from its source through a group by key: both clocks are
read on the cluster.

python benchmarks/flink_profiles.py [--events 1000000] [--profiles throughput,latency,small] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.bench.files import default_folder
from fluxcore.bench.flink_rival import run_query
from fluxcore.bench.worker import Task
from fluxcore.connectors.nexmark.config import NexmarkConfig
from fluxcore.connectors.nexmark.files import FileOptions, write_files
from fluxcore.errors import JobError
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.cluster.configuration import ClusterOptions
from fluxcore.targets.flink.cluster.shared import running_cluster

if TYPE_CHECKING:
    from fluxcore.targets.flink.address import Cluster
    from fluxcore.targets.flink.cluster.record import Cluster as LocalCluster

PARALLELISM = 2
SEED = 1
QUERIES = ("q5", "q17")
TABLES = ("person", "auction", "bid")
ROWS_PER_S, SECONDS = 2000, 8
EVENTS = f"""
CREATE TABLE events (id BIGINT, k AS MOD(id, 100), born AS CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3))) WITH (
  'connector' = 'datagen', 'rows-per-second' = '{ROWS_PER_S}',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{ROWS_PER_S * SECONDS}')
"""
_CLOCK = "(EXTRACT(SECOND FROM {time}) * 1000 + EXTRACT(MILLISECOND FROM {time}))"
DELAYS = f"""
SELECT MOD(60000 + {_CLOCK.format(time="CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3))")} - born_ms, 60000) AS delay_ms
FROM (SELECT k, LAST_VALUE({_CLOCK.format(time="born")}) AS born_ms FROM events GROUP BY k)
"""


def measured(profile: str, events: int) -> dict[str, Any]:
    """Return what a cluster of a profile does: seconds, rows a second, milliseconds, megabytes."""
    options = FileOptions(events, "csv", TABLES, PARALLELISM, NexmarkConfig(seed=SEED), PARALLELISM)
    paths = {table: str(path) for table, path in write_files(default_folder(), options).items()}
    settings = {"parallelism.default": str(PARALLELISM)}
    started = time.perf_counter()
    with running_cluster(ClusterOptions(profile, settings=settings)) as local:
        found: dict[str, Any] = {"case": profile, "engine": "flink", "startup_seconds": time.perf_counter() - started}
        cluster = cluster_at(f"{local.address}?jobmanager={local.host}:{local.rest_port}")
        found["idle_mb"] = memory_mb(local, "VmRSS")
        found |= delays(cluster)
        for query in QUERIES:
            task = Task("flink", query, "csv", events, SEED, PARALLELISM, paths)
            try:
                seconds = [run_query(cluster, task, settings)["seconds"] for _ in range(2)][-1]
                found[f"{query}_seconds"] = seconds
            except JobError as error:  # too little memory
                print(f"{profile}: {error.message.splitlines()[0]}")
                found[f"{query}_seconds"] = None
        found["peak_mb"] = memory_mb(local, "VmHWM")
    return found


def delays(cluster: Cluster) -> dict[str, float]:
    """Return the median and the 99th percentile of the delays of rows, without those of the first quarter."""
    with cluster.gateway.session({}) as session:
        session.run(EVENTS)
        operation = session.submit(DELAYS)
        found = [
            row[0] for page in operation.pages() for row, way in zip(page.rows, page.weights, strict=True) if way > 0
        ]
        operation.close()
    kept = np.array(found[len(found) // 4 :], np.float64)
    return {"p50_ms": float(np.percentile(kept, 50)), "p99_ms": float(np.percentile(kept, 99))}


def memory_mb(local: LocalCluster, line: str) -> float:
    """Return the memory of all processes, in millions of bytes: ``VmRSS`` now, ``VmHWM`` at its most."""
    texts = [Path(f"/proc/{process.pid}/status").read_text() for process in local.processes]
    lines = [each for text in texts for each in text.splitlines() if each.startswith(f"{line}:")]
    return sum(int(each.split()[1]) * 1024 / 1e6 for each in lines)


def main() -> None:
    """Print, and write where asked, a line for each profile."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--profiles", default="throughput,latency,small")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(
        f"{options.events:,} events, {PARALLELISM} tasks, {os.cpu_count()} processors; {ROWS_PER_S} rows/s for the delay"
    )
    heads = ("start s", "idle MB", "peak MB", "delay p50 ms", "p99 ms", *(f"{query} s" for query in QUERIES))
    print(f"{'profile':12}" + "".join(f"{head:>14}" for head in heads))
    results = []
    for profile in options.profiles.split(","):
        found = measured(profile, options.events)
        results.append(found)
        cells = [
            "startup_seconds",
            "idle_mb",
            "peak_mb",
            "p50_ms",
            "p99_ms",
            *(f"{query}_seconds" for query in QUERIES),
        ]
        shown = ("-" if found[cell] is None else f"{found[cell]:,.1f}" for cell in cells)
        print(f"{profile:12}" + "".join(f"{each:>14}" for each in shown))
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
