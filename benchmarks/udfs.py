"""Times one function of the user's over two columns: as plain Python, compiled, vectorised, and as DuckDB runs it.

Each case runs in a fresh process, in turns; the rows are made, and a query of ten rows has run, before the clock starts, kernels are on the disk, and all results
are taken as Arrow batches. The function: a fare with a surcharge by steps, some branches and multiplications.

python benchmarks/udfs.py [--rows 2000000] [--runs 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import fluxcore as fx
from fluxcore.expr.jit.compiled import compiled_function

CASES = {
    "python": ("fluxcore", "plain function, compiled=False"),
    "compiled": ("fluxcore", "the same function, compiled"),
    "numpy": ("fluxcore", "vectorised, NumPy arrays"),
    "arrow": ("fluxcore", "vectorised, Arrow arrays"),
    "duckdb native": ("duckdb", "the same function, type='native'"),
    "duckdb arrow": ("duckdb", "the vectorised function, type='arrow'"),
}


def fare(km: float, minutes: int) -> float:
    total = 3.9 + 0.45 * minutes
    total += 7 * 2.1 + (km - 7) * 1.8 if km > 7 else km * 2.1
    return total if minutes % 60 < 45 else total * 1.25


def fare_numpy(km: npt.NDArray[np.float64], minutes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    total = 3.9 + 0.45 * minutes
    total = np.where(km > 7, total + 7 * 2.1 + (km - 7) * 1.8, total + km * 2.1)
    return np.where(minutes % 60 < 45, total, total * 1.25)


def fare_arrow(km: pa.DoubleArray, minutes: pa.Int64Array) -> pa.DoubleArray:
    base = pc.add(pc.multiply(pc.cast(minutes, pa.float64()), 0.45), 3.9)
    far = pc.add(pc.add(base, 7 * 2.1), pc.multiply(pc.subtract(km, 7.0), 1.8))
    total = pc.if_else(pc.greater(km, 7.0), far, pc.add(base, pc.multiply(km, 2.1)))
    rest = pc.subtract(minutes, pc.multiply(pc.divide(minutes, 60), 60))
    return pc.if_else(pc.less(rest, 45), total, pc.multiply(total, 1.25))


def rides(rows: int) -> pa.Table:
    random = np.random.default_rng(11)
    return pa.table({"km": random.uniform(0, 30, rows), "minutes": random.integers(1, 120, rows)})


def on_fluxcore(case: str, table: pa.Table) -> tuple[float, float]:
    """Return the seconds, and the sum of the results."""
    if case == "python":
        function = fx.udf(compiled=False)(fare)
    elif case == "compiled":
        function = fx.udf(fare)
        found = compiled_function(function.user, 2)
        assert found is not None
        assert found.wait(120), found.failure
    else:
        function = fx.udf(vectorized=True)(fare_numpy if case == "numpy" else fare_arrow)
    session = fx.Session()
    session.from_arrow(table, name="rides")
    session.register_function("fare", function)
    list(session.sql("SELECT fare(km, minutes) AS total FROM rides LIMIT 10").batches())
    start = time.perf_counter()
    batches = list(session.sql("SELECT fare(km, minutes) AS total FROM rides").batches())
    seconds = time.perf_counter() - start
    return seconds, sum(pc.sum(batch.column(0)).as_py() for batch in batches)


def on_duckdb(case: str, table: pa.Table) -> tuple[float, float]:
    """Return the seconds, and the sum of the results."""
    connection = duckdb.connect()
    native = case == "duckdb native"

    def of_chunks(km: pa.ChunkedArray, minutes: pa.ChunkedArray) -> pa.ChunkedArray:
        return fare_arrow(km, minutes)

    connection.create_function(
        "fare", fare if native else of_chunks, ["DOUBLE", "BIGINT"], "DOUBLE", type="native" if native else "arrow"
    )
    connection.register("rides", table)
    connection.sql("SELECT fare(km, minutes) AS total FROM rides LIMIT 10").fetchall()
    start = time.perf_counter()
    batches = list(connection.sql("SELECT fare(km, minutes) AS total FROM rides").to_arrow_reader(131_072))
    seconds = time.perf_counter() - start
    return seconds, sum(pc.sum(batch.column(0)).as_py() for batch in batches)


def one(case: str, rows: int) -> None:
    """Print what one run of a case took."""
    table = rides(rows)
    seconds, total = (on_fluxcore if CASES[case][0] == "fluxcore" else on_duckdb)(case, table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "total": total, "peak_rss_mb": round(peak)}))


def main() -> None:
    """Print, and write where asked, the medians of all cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=CASES)
    options = parser.parse_args()
    if options.one:
        one(options.one, options.rows)
        return
    found: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    for _ in range(options.runs):
        for case, runs in found.items():
            command = [sys.executable, __file__, "--one", case, "--rows", str(options.rows)]
            runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    totals = [run["total"] for runs in found.values() for run in runs]
    assert max(totals) - min(totals) < 1e-6 * max(totals), "all cases compute the same"
    slowest = statistics.median(run["seconds"] for run in found["python"])
    print(
        f"{options.rows:,} rows, FluxCore {fx.__version__}, DuckDB {duckdb.__version__}, Python {sys.version.split()[0]}"
    )
    results = []
    for case, runs in found.items():
        seconds = [run["seconds"] for run in runs]
        median = statistics.median(seconds)
        print(
            f"{case:14} {options.rows / median / 1e6:7.2f} M rows/s  {slowest / median:6.1f} x plain Python  {CASES[case][1]}"
        )
        peak = max(run["peak_rss_mb"] for run in runs)
        results.append(
            {"case": case, "engine": CASES[case][0], "source": "arrow", "rows": options.rows, "seconds": seconds,
             "rows_per_s": options.rows / median, "peak_rss_mb": peak}
        )  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
