"""What a row costs as the state grows: grouping and joining 10 million rows of 10,000 to 10 million keys, beside DuckDB.

Both engines work on the same Arrow batches in memory, in turns, each run in a fresh process with two threads:

    python benchmarks/state_growth.py [--rows 10000000] [--runs 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

QUERIES = {
    "group": "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM facts GROUP BY k",
    "text group": "SELECT t, COUNT(*) AS n, SUM(v) AS s FROM facts GROUP BY t",
    "join": "SELECT facts.k, facts.v, names.w FROM facts JOIN names ON facts.k = names.k",
}
KEYS = (10_000, 100_000, 1_000_000, 10_000_000)
BATCH = 131_072


def tables(keys: int, rows: int, query: str):  # type: ignore[no-untyped-def]
    """Return the batches of each table: keys in random order, the same for both engines."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(1)
    facts, names = [], []
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        k = random.integers(0, keys, count)
        columns = {"k": pa.array(k), "v": pa.array(random.integers(0, 1000, count))}
        if query == "text group":
            columns["t"] = pa.array(k).cast(pa.string())
        facts.append(pa.record_batch(columns))
    order = random.permutation(keys)
    for first in range(0, keys, BATCH):
        k = order[first : first + BATCH]
        names.append(pa.record_batch({"k": pa.array(k), "w": pa.array(k * 2)}))
    return {"facts": facts, "names": names} if query == "join" else {"facts": facts}


def work(engine: str, query: str, keys: int, rows: int) -> None:
    """Run one query once and print seconds, result rows and state bytes as JSON."""
    import pyarrow as pa

    found = tables(keys, rows, query)
    state = 0
    if engine == "duckdb":
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET threads = 2; SET preserve_insertion_order = false")
        for name, batches in found.items():
            connection.register(name, pa.Table.from_batches(batches))
        start = time.perf_counter()
        result = connection.execute(QUERIES[query])
        read = getattr(result, "to_arrow_reader", None) or result.fetch_record_batch
        count = sum(batch.num_rows for batch in read(BATCH))
    else:
        from fluxcore.runtime.kernels import use_cache_folder

        use_cache_folder()
        import fluxcore as fx

        session = fx.Session({"parallelism.default": "2"})
        for name, batches in tables(100, 1000, query).items():
            session.from_arrow(batches, name=name)
        session.sql(QUERIES[query]).to_arrow()  # compiled code is in memory
        for name, batches in found.items():
            session.from_arrow(batches, name=name)
        session.execute(f"CREATE TABLE sink (a {'STRING' if query == 'text group' else 'BIGINT'}, b BIGINT, c BIGINT) "
                        "WITH ('connector' = 'blackhole')")  # fmt: skip
        start = time.perf_counter()
        job = session.start_script(f"INSERT INTO sink {QUERIES[query]};")
        job.result()
        count = job.metrics().operators[-1].rows_in
        state = job.metrics().state_bytes
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "result_rows": count, "state_bytes": state}))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--work", nargs=3, metavar=("ENGINE", "QUERY", "KEYS"))
    given = parser.parse_args()
    if given.work:
        work(given.work[0], given.work[1], int(given.work[2]), given.rows)
        return
    results = []
    print(f"{'case':12} {'keys':>10} {'fluxcore ns/row':>16} {'duckdb ns/row':>14} {'ratio':>6}")
    for query in QUERIES:
        for keys in KEYS:
            seconds: dict[str, list[float]] = {"fluxcore": [], "duckdb": []}
            counts = set()
            for _ in range(given.runs):
                for engine, times in seconds.items():
                    command = [sys.executable, __file__, "--rows", str(given.rows), "--work", engine, query, str(keys)]
                    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                    times.append(out["seconds"])
                    counts.add(out["result_rows"])
            assert len(counts) == 1, f"the answers differ: {counts}"
            ours, theirs = (statistics.median(seconds[engine]) / given.rows * 1e9 for engine in ("fluxcore", "duckdb"))
            print(f"{query:12} {keys:>10,} {ours:>16.1f} {theirs:>14.1f} {theirs / ours:>6.2f}", flush=True)
            results += [
                {"case": query, "keys": keys, "engine": engine, "rows": given.rows, "seconds": times,
                 "rows_per_s": given.rows / statistics.median(times)}
                for engine, times in seconds.items()
            ]  # fmt: skip
    if given.json:
        Path(given.json).write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
