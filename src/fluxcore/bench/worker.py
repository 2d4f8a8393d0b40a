"""One timed run: one engine, one query, in a process of its own. Prints a JSON object."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

STARTED = time.perf_counter()


def main() -> None:
    """Run what the JSON in the first argument says: engine, query, source, path, parallelism."""
    task = json.loads(sys.argv[1])
    run = {"fluxcore": run_fluxcore, "duckdb": run_duckdb}[task["engine"]]
    found = run(task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({**found, "peak_rss_mb": round(peak, 1)}) + "\n")


def run_fluxcore(task: dict[str, Any]) -> dict[str, Any]:
    """Run the query through the public API into a blackhole, which asks for every column."""
    from fluxcore.runtime.kernels import use_cache_folder

    use_cache_folder()
    from fluxcore.api.session import Session
    from fluxcore.bench.queries import BID, FLUX

    columns, query = FLUX[task["query"]]
    session = Session({"parallelism.default": str(task["parallelism"])})
    if task["source"] == "memory":
        import pyarrow.parquet as pq

        table = pq.read_table(task["path"])
        session.from_arrow(table, name="bid", watermark=("dateTime", "4 s"))
    else:
        options = f"'connector' = 'filesystem', 'path' = '{task['path']}', 'format' = '{task['source']}'"
        session.execute(BID.format(options=options))
    session.execute(f"CREATE TABLE target ({columns}) WITH ('connector' = 'blackhole');")
    script = f"INSERT INTO target {query};"
    ready = time.perf_counter()
    job = session.start_script(script)
    job.result()
    seconds = time.perf_counter() - ready
    metrics: Any = job.metrics()
    sink = metrics.operators[-1]
    return {"startup_seconds": ready - STARTED, "seconds": seconds, "output_rows": sink.rows_in}


def run_duckdb(task: dict[str, Any]) -> dict[str, Any]:
    """Run the query and take all result columns as Arrow batches, which are dropped."""
    import duckdb

    from fluxcore.bench.queries import DUCK, DUCK_SOURCE

    connection = duckdb.connect(config={"threads": task["parallelism"]})
    connection.execute("SET preserve_insertion_order = false")
    if task["source"] == "memory":
        import pyarrow.parquet as pq

        connection.register("bid", pq.read_table(task["path"]))
    else:
        connection.execute(f"CREATE VIEW bid AS SELECT * FROM {DUCK_SOURCE[task['source']].format(path=task['path'])}")  # noqa: S608
    ready = time.perf_counter()
    reader: Any = connection.execute(DUCK[task["query"]]).to_arrow_reader(122_880)
    rows = sum(batch.num_rows for batch in reader)
    seconds = time.perf_counter() - ready
    return {"startup_seconds": ready - STARTED, "seconds": seconds, "output_rows": rows}


if __name__ == "__main__":
    main()
