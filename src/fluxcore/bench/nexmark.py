"""``fluxcore bench nexmark``: FluxCore beside a rival on the same data.

Both run in turns, each run in a fresh process; start-up is reported apart; the medians count. Before the timed runs each
engine answers every query once, and the answers are compared row for row by a checksum.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from fluxcore.bench.files import default_folder
from fluxcore.bench.queries import FILE_SOURCES, QUERIES, SIDE_INPUT, SOURCES, query_of, write_side_input
from fluxcore.bench.worker import Task
from fluxcore.connectors.nexmark.config import NexmarkConfig
from fluxcore.connectors.nexmark.files import FileOptions, write_files
from fluxcore.errors import JobError, ScriptError, nearest
from fluxcore.limits import BATCH_ROWS

if TYPE_CHECKING:
    from fluxcore.bench.flink_rival import FlinkRival

__all__ = ["QUERIES", "NexmarkOptions", "run"]

SEED = 1
WARM_EVENTS = 2_000
RIVALS = ("duckdb", "flink", "none")
MODES = ("streaming", "batch")
OURS = ("fluxcore", "fluxcore-batch")


@dataclass(frozen=True)
class NexmarkOptions:
    """What the command line says."""

    queries: tuple[str, ...] = QUERIES
    events: int = 10_000_000
    source: str = "csv"
    versus: str = "duckdb"
    data: str | None = None
    parallelism: int | None = None
    runs: int = 3
    json: str | None = None
    smallest_heap: bool = False
    mode: str = "streaming"

    @property
    def threads(self) -> int:
        """Return how many threads each engine gets."""
        return self.parallelism or os.cpu_count() or 1

    @property
    def engines(self) -> tuple[str, ...]:
        """Return the engines, ours first; in batch mode the streaming engine stands beside it."""
        ours = ("fluxcore-batch", "fluxcore") if self.mode == "batch" else ("fluxcore",)
        return ours if self.versus == "none" else (*ours, self.versus)

    @property
    def files(self) -> int:
        """Return how many files a table has: one, but for Flink, which reads a text file with one task only."""
        return self.threads if self.versus == "flink" else 1

    def rows(self, query: str) -> int:
        """Return how many rows of the generator's tables a query reads."""
        tables = [table for table in query_of(query).tables if table != SIDE_INPUT]
        return sum(NexmarkConfig().rows(table, self.events) for table in tables)


def run(options: NexmarkOptions) -> int:
    """Measure, print a table, write the JSON file; return the exit code.

    Raises: ``ScriptError`` FX-BEN-0001 for unknown queries, sources or rivals; ``JobError`` FX-BEN-0002 when a run fails,
    FX-BEN-0003 when the answers differ.
    """
    _check(options)
    console = Console(stderr=True)
    folder = Path(options.data) if options.data else default_folder()
    task = Task("fluxcore", "q0", options.source, options.events, SEED, options.threads, warm_events=WARM_EVENTS)
    if options.source in FILE_SOURCES:
        console.print(f"data: {options.events:,} events, seed {SEED}, in {folder}")
        tables = tuple({table for query in options.queries for table in query_of(query).tables} - {SIDE_INPUT})
        config = NexmarkConfig(seed=SEED)
        wanted = FileOptions(options.events, options.source, tables, options.files, config, options.threads)
        side = {SIDE_INPUT: write_side_input(folder)}
        paths = write_files(folder, wanted) | side
        warm_paths = write_files(folder, replace(wanted, events=WARM_EVENTS)) | side
        task = replace(task, paths=_texts(paths), warm_paths=_texts(warm_paths))
    size = sum(file.stat().st_size for path in task.paths.values() for file in Path(path).iterdir())
    results = []
    with closing(_Runners(options, size, console)) as runners:
        for query in options.queries:
            runs = _measure(replace(task, query=query), options, runners, console)
            results += [_result(query, engine, options, runs[engine]) for engine in runs]
            if options.smallest_heap and "flink" in runs:
                results[-1] |= runners.smallest_heap(
                    replace(task, query=query), statistics.median(results[-1]["seconds"])
                )
        about = _about(options, size, runners.flink)
    means = _compared(results, options)
    _print(results, means, about, options)
    if options.json:
        told = {"results": results, "geometric_means": means, "about": about}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0


def _texts(paths: dict[str, Path]) -> dict[str, str]:
    return {table: str(path) for table, path in paths.items()}


def _check(options: NexmarkOptions) -> None:
    asked = [("query", query, tuple(QUERIES)) for query in options.queries]
    others = [("source", options.source, SOURCES), ("rival", options.versus, RIVALS), ("mode", options.mode, MODES)]
    for what, name, known in [*asked, *others]:
        if name not in known:
            hint = nearest(name, known) or f"known are {', '.join(known)}"
            raise ScriptError("FX-BEN-0001", f"there is no {what} '{name}'", hint=hint)


class _Runners:
    """Runs a task on its engine: in a fresh process, or on the one Flink cluster of this run."""

    def __init__(self, options: NexmarkOptions, data_bytes: int, console: Console) -> None:
        self.flink: FlinkRival | None = None
        self._console = console
        if options.versus == "flink":
            from fluxcore.bench.flink_rival import FlinkRival, best_heap  # needs the extra

            if options.source not in FILE_SOURCES:
                raise ScriptError("FX-BEN-0001", f"Flink reads no data from the source '{options.source}'")
            self.flink = FlinkRival(options.threads, console.print, best_heap(data_bytes))

    def run(self, task: Task) -> dict[str, Any]:
        """Run a task once; return its measurements."""
        return self.flink.run(task) if task.engine == "flink" and self.flink else _run(task)

    def smallest_heap(self, task: Task, seconds: float) -> dict[str, Any]:
        """Return the memory that Flink needs to keep nine tenths of its speed; the big one waits meanwhile."""
        from fluxcore.bench.flink_rival import smallest_heap  # needs the extra

        return smallest_heap(task, seconds, self._console.print)

    def close(self) -> None:
        """End the cluster."""
        if self.flink:
            self.flink.close()


def _measure(
    task: Task, options: NexmarkOptions, runners: _Runners, console: Console
) -> dict[str, list[dict[str, Any]]]:
    """Compare the answers to one query, then return the timed runs of each engine that can run it."""
    engines, checked = options.engines, options.engines
    if runners.flink is not None:
        checked = tuple(
            engine for engine in engines if engine in OURS
        )  # `fluxcore flink compare` and the golden queries compare with Flink
        why = runners.flink.refuses(task.query)
        if why:
            console.print(f"{task.query}: not on Flink: {why}")
            engines = checked
        else:
            console.print(f"{task.query}: flink is faster {runners.flink.warm(task)}")
    console.print(f"{task.query}: answers")
    answers = {engine: _run(replace(task, engine=engine, check=True)) for engine in checked}
    found = {engine: (answer["result_rows"], answer["checksum"]) for engine, answer in answers.items()}
    if len(set(found.values())) > 1:
        raise JobError("FX-BEN-0003", f"the answers to {task.query} differ (rows, checksum): {found}")
    runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for number in range(options.runs):
        for engine in engines:
            console.print(f"{task.query}: {engine} {number + 1}/{options.runs}")
            measured = runners.run(replace(task, engine=engine))
            runs[engine].append(measured | {"checksum": found[engine][1] if engine in found else None})
    return runs


def _run(task: Task) -> dict[str, Any]:
    started = replace(task, started=time.time())
    command = [sys.executable, "-m", "fluxcore.bench.worker", started.to_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    answer: dict[str, Any] = json.loads(lines[-1]) if lines else {"error": done.stderr[-2000:]}
    if "error" in answer:
        raise JobError(
            "FX-BEN-0002", f"{task.engine} failed on {task.query}: {answer['error']}", hint=answer.get("hint")
        )
    return answer


def _result(query: str, engine: str, options: NexmarkOptions, runs: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = statistics.median(run["seconds"] for run in runs)
    rows = options.rows(query)
    return {
        "query": query,
        "engine": engine,
        "source": options.source,
        "rows": rows,
        "seconds": [run["seconds"] for run in runs],
        "rows_per_s": round(rows / seconds),
        "startup_seconds": statistics.median(run["startup_seconds"] for run in runs),
        "peak_rss_mb": statistics.median(run["peak_rss_mb"] for run in runs),
        "result_rows": runs[0]["result_rows"],
        "checksum": runs[0]["checksum"],
        "configuration": runs[0]["configuration"],
    }


def _about(options: NexmarkOptions, size: int, flink: FlinkRival | None) -> dict[str, Any]:
    """Return what holds for all results: the data, the versions, and which queries the rival does not run, and why."""
    names = ("fluxcore", "duckdb", "pyarrow", "numba")
    found: dict[str, Any] = {
        "events": options.events,
        "files_per_table": options.files,
        "bytes": size or None,
        "seed": SEED,
        "runs": options.runs,
        "threads": options.threads,
        "batch_rows": BATCH_ROWS,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
    if flink:
        refused = {query: why for query in options.queries if (why := flink.refuses(query))}
        found |= {"flink": flink.version, "not_on_flink": refused}
    return found


def _compared(results: list[dict[str, Any]], options: NexmarkOptions) -> list[dict[str, Any]]:
    """Write into our engines' results their ratios to the rival, and of batch mode that to streaming; return the means."""
    rates = {(each["query"], each["engine"]): each["rows_per_s"] for each in results}
    means = []
    for other in (options.versus, "fluxcore"):
        for engine in OURS:
            ratios = []
            for each in results:
                rival = rates.get((each["query"], other))
                if each["engine"] == engine != other and rival is not None:
                    ratio = each["rows_per_s"] / rival
                    each.setdefault("ratios", {})[other] = round(ratio, 3)
                    ratios.append(ratio)
            if ratios:
                mean, lowest = statistics.geometric_mean(ratios), min(ratios)
                told = {"geometric_mean": round(mean, 3), "lowest": round(lowest, 3)}
                means.append({"engine": engine, "to": other, "queries": len(ratios), **told})
    return means


def _print(
    results: list[dict[str, Any]], means: list[dict[str, Any]], about: dict[str, Any], options: NexmarkOptions
) -> None:
    console = Console()
    size = f", {about['bytes'] / 1e6:,.0f} MB" if about["bytes"] else ""
    console.print(
        f"Nexmark from {options.source}: {options.events:,} events{size}, seed {SEED}; {options.runs} runs in turns, each in a "
        "fresh process, medians; answers equal by checksum; no checkpoints, rows judged late one by one"
        if options.versus != "flink"
        else f"Nexmark from {options.source}: {options.events:,} events{size} in {options.files} files a table, seed {SEED}; "
        f"{options.runs} runs in turns, medians; FluxCore in a fresh process each, Flink on a warm cluster; no checkpoints",
        soft_wrap=True,
    )
    for engine in options.engines:
        told = ", ".join(f"{key} = {value}" for key, value in _configuration(results, engine).items())
        number = about["fluxcore" if engine in OURS else engine]
        console.print(f"{engine} {number}: {told}", soft_wrap=True)
    _print_table(console, results)
    for each in means:
        console.print(
            f"{each['engine']} to {each['to']}: {each['queries']} queries, geometric mean of the ratios "
            f"{each['geometric_mean']:.2f}, lowest {each['lowest']:.2f}"
        )
    for query, why in about.get("not_on_flink", {}).items():
        console.print(f"{query}: not on Flink: {why}")


def _print_table(console: Console, results: list[dict[str, Any]]) -> None:
    """Print the rates, and of our engines the ratios."""
    others = list(dict.fromkeys(other for each in results for other in each.get("ratios", ())))
    table = Table(header_style="bold")
    heads = (
        "query",
        "engine",
        "million rows/s",
        "seconds",
        "start-up s",
        "peak MB",
        *(f"to {each}" for each in others),
    )
    for name in heads:
        table.add_column(name, justify="left" if name in ("query", "engine") else "right")
    for each in results:
        seconds = statistics.median(each["seconds"])
        cells = (f"{each['rows_per_s'] / 1e6:.2f}", f"{seconds:.2f}", f"{each['startup_seconds']:.2f}")
        ratios = each.get("ratios", {})
        shown = (f"{ratios[other]:.2f}" if other in ratios else "" for other in others)
        table.add_row(each["query"], each["engine"], *cells, f"{each['peak_rss_mb']:.0f}", *shown)
    console.print(table)


def _configuration(results: list[dict[str, Any]], engine: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each["configuration"] for each in results if each["engine"] == engine)
    return found
