"""``fluxcore bench nexmark``: FluxCore beside a rival on the same files.

Both run in turns, each run in a fresh process; start-up is reported apart; the medians count.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fluxcore.bench.files import bids_file, default_folder
from fluxcore.bench.queries import FLUX
from fluxcore.errors import JobError, ScriptError, nearest
from fluxcore.limits import BATCH_ROWS

SEED = 1
SOURCES = ("csv", "json", "parquet", "memory")


@dataclass(frozen=True)
class NexmarkOptions:
    """What the command line says."""

    queries: tuple[str, ...] = ("q0", "q1", "q2", "q5")
    events: int = 10_000_000
    source: str = "csv"
    versus: str = "duckdb"
    data: str | None = None
    parallelism: int | None = None
    runs: int = 3
    json: str | None = None


def run(options: NexmarkOptions) -> int:
    """Measure, print a table, write the JSON file; return the exit code.

    Raises: ``ScriptError`` FX-BEN-0001 for unknown queries, sources or rivals; ``JobError`` FX-BEN-0002 when a run fails.
    """
    _check(options)
    console = Console(stderr=True)
    threads = options.parallelism or os.cpu_count() or 1
    folder = Path(options.data) if options.data else default_folder()
    console.print(f"data: {options.events:,} events, seed {SEED}, in {folder}")
    path = bids_file(folder, options.source, options.events, SEED)
    engines = ["fluxcore"] + ([options.versus] if options.versus != "none" else [])
    results = []
    for query in options.queries:
        runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
        for number in range(options.runs):
            for engine in engines:
                console.print(f"{query} {engine} {number + 1}/{options.runs}")
                runs[engine].append(_run(engine, query, options.source, path, threads))
        results += [_result(query, engine, options, runs[engine]) for engine in engines]
        _compare(runs, query)
    _print(results, path, threads, options)
    if options.json:
        about = {
            "rows": results[0]["rows"],
            "bytes": path.stat().st_size,
            "seed": SEED,
            "threads": threads,
            **_versions(),
        }
        Path(options.json).write_text(json.dumps({"results": results, "about": about}, indent=1) + "\n", "utf-8")
    return 0


def _check(options: NexmarkOptions) -> None:
    for query in options.queries:
        if query not in FLUX:
            raise ScriptError("FX-BEN-0001", f"there is no query '{query}'", hint=f"known are {', '.join(FLUX)}")
    if options.source not in SOURCES:
        hint = nearest(options.source, SOURCES) or f"one of {', '.join(SOURCES)}"
        raise ScriptError("FX-BEN-0001", f"there is no source '{options.source}'", hint=hint)
    if options.versus not in ("duckdb", "none"):
        raise ScriptError("FX-BEN-0001", f"there is no rival '{options.versus}'", hint="duckdb or none")


def _run(engine: str, query: str, source: str, path: Path, threads: int) -> dict[str, Any]:
    task = {"engine": engine, "query": query, "source": source, "path": str(path), "parallelism": threads}
    command = [sys.executable, "-m", "fluxcore.bench.worker", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JobError("FX-BEN-0002", f"{engine} failed on {query}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _result(query: str, engine: str, options: NexmarkOptions, runs: list[dict[str, Any]]) -> dict[str, Any]:
    rows = _bids(options.events)
    seconds = statistics.median(run["seconds"] for run in runs)
    return {
        "query": query,
        "engine": engine,
        "source": options.source,
        "rows": rows,
        "seconds": [round(run["seconds"], 4) for run in runs],
        "rows_per_s": round(rows / seconds),
        "startup_seconds": round(statistics.median(run["startup_seconds"] for run in runs), 3),
        "peak_rss_mb": statistics.median(run["peak_rss_mb"] for run in runs),
        "output_rows": runs[0]["output_rows"],
    }


def _bids(events: int) -> int:
    full, rest = divmod(events, 50)
    return full * 46 + max(0, rest - 4)


def _compare(runs: dict[str, list[dict[str, Any]]], query: str) -> None:
    counts = {engine: {run["output_rows"] for run in each} for engine, each in runs.items()}
    if len(set.union(*counts.values())) != 1:
        raise JobError("FX-BEN-0002", f"the answers of {query} differ in their number of rows: {counts}")


def _versions() -> dict[str, str]:
    names = ("fluxcore", "duckdb", "pyarrow", "numba")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _print(results: list[dict[str, Any]], path: Path, threads: int, options: NexmarkOptions) -> None:
    console = Console()
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    console.print(
        f"Nexmark from {options.source}: {results[0]['rows']:,} bids, {path.stat().st_size / 1e6:,.0f} MB, seed {SEED}, {threads} threads, "
        f"batches of {BATCH_ROWS:,} rows, {options.runs} runs in turns, medians; no checkpoints, rows judged late one by one",
        soft_wrap=True,
    )
    console.print(
        f"{versions}; DuckDB: threads={threads}, preserve_insertion_order=false, Arrow batches", soft_wrap=True
    )
    table = Table(header_style="bold")
    for name in ("query", "engine", "million rows/s", "seconds", "start-up s", "peak MB", "ratio"):
        table.add_column(name, justify="left" if name in ("query", "engine") else "right")
    rates = {(each["query"], each["engine"]): each["rows_per_s"] for each in results}
    for each in results:
        rival = rates.get((each["query"], options.versus))
        ratio = f"{each['rows_per_s'] / rival:.2f}" if rival and each["engine"] == "fluxcore" else ""
        seconds = statistics.median(each["seconds"])
        cells = (each["query"], each["engine"], f"{each['rows_per_s'] / 1e6:.2f}", f"{seconds:.2f}")
        table.add_row(*cells, f"{each['startup_seconds']:.2f}", f"{each['peak_rss_mb']:.0f}", ratio)
    console.print(table)
