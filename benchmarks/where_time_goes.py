"""Where the time of each Nexmark query goes: the share of each kind of operator in all work done, from the job's metrics.

    python benchmarks/where_time_goes.py [--events 5000000] [--source parquet] [--queries q3,q4]

Work is busy time with one worker per stage, summed over threads: reading, each operator, and what is left of the wall time
(queues, hand-overs, start and end) when positive. Files are made where they are missing.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from fluxcore.runtime.kernels import use_cache_folder


def main() -> None:
    """Run each query twice, the first time to load compiled code, and print a line each."""
    use_cache_folder()
    from fluxcore.bench.engines import FluxCoreEngine, flink_tables
    from fluxcore.bench.files import default_folder
    from fluxcore.bench.queries import QUERIES, SIDE_INPUT, query_of, write_side_input
    from fluxcore.bench.worker import Task
    from fluxcore.connectors.nexmark.config import NexmarkConfig
    from fluxcore.connectors.nexmark.files import FileOptions, write_files

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--source", default="parquet")
    parser.add_argument("--queries", default=",".join(QUERIES))
    given = parser.parse_args()
    folder = default_folder()
    tables = ("bid", "auction", "person")
    options = FileOptions(given.events, given.source, tables, config=NexmarkConfig(seed=1), threads=2)
    paths = {**{name: str(path) for name, path in write_files(folder, options).items()},
             SIDE_INPUT: str(write_side_input(folder))}  # fmt: skip
    print("| query | ns a row | " + "where |")
    print("|---|---|---|")
    for name in given.queries.split(","):
        query = query_of(name)
        task = Task("fluxcore", name, given.source, given.events, 1, 1)
        for _ in range(2):
            engine = FluxCoreEngine(task, {table: paths[table] for table in query.tables}, given.events)
            ddl = flink_tables(query, given.source, engine.paths)
            sink = f"CREATE TABLE nexmark_{name} ({engine.columns}) WITH ('connector' = 'blackhole');\n"
            start = time.perf_counter()
            job = engine.session.start_script(f"{ddl}{sink}INSERT INTO nexmark_{name}\n{query.flink};\n")
            job.result()
            wall = time.perf_counter() - start
        metrics = job.metrics()
        busy: Counter[str] = Counter()
        for each in metrics.operators:
            busy[each.name.split("(")[0]] += each.busy_s
        total = sum(busy.values())
        parts = [f"{kind} {seconds / total:.0%}" for kind, seconds in busy.most_common(6) if seconds > 0.03 * total]
        print(f"| {name} | {total / max(metrics.source_rows, 1) * 1e9:.0f} | {', '.join(parts)}; wall {wall:.2f} s |")


if __name__ == "__main__":
    main()
