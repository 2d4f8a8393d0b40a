"""Runs the demonstration: prepare, run, compare, report."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fluxcore.api.session import Session
from fluxcore.demo.check import Verdict, compare
from fluxcore.demo.data import ROWS, prepare
from fluxcore.demo.report import write_report
from fluxcore.demo.screen import answers, verdict_table, watch
from fluxcore.runtime.kernels import use_cache_folder
from fluxcore.runtime.metrics import JobMetrics

WORK = "work/demo"


@dataclass(frozen=True)
class DemoOptions:
    """Where to work, and with how many threads (None: the number of processors)."""

    work: str = WORK
    parallelism: int | None = None


def run(options: DemoOptions, console: Console | None = None) -> int:
    """Run the demonstration and return its exit code: 0 when every answer equals DuckDB's, else 1."""
    console = console or Console()
    use_cache_folder()
    work = Path(options.work)
    start = time.monotonic()
    console.print(f"[bold]FluxCore demo[/]: {ROWS:,} flights from New York, 2013, and the weather of each hour")
    fresh = prepare(work)
    console.print(
        f"input: {work / 'input'} ({'prepared' if fresh else 'there already'}, {time.monotonic() - start:.1f} s)"
    )
    for name in ("answers", "late"):
        shutil.rmtree(work / name, ignore_errors=True)
    metrics = _run_script(work, options, console)
    answers(console, work)
    late = {operator.name: operator.late_rows for operator in metrics.operators}
    verdicts = compare(work, late)
    path = write_report(work, metrics, verdicts)
    console.print(verdict_table(verdicts))
    console.print(f"report: {path}", soft_wrap=True)
    return _verdict(console, verdicts)


def script(work: Path) -> tuple[str, str]:
    """Return the script of the demonstration for a work folder, and where it stands."""
    packaged = Path(__file__).parent / "flights.sql"
    path = packaged if packaged.is_file() else Path(__file__).parents[3] / "examples" / "flights.sql"
    return path.read_text("utf-8").replace("work/demo", os.fspath(work)), str(path)


def _run_script(work: Path, options: DemoOptions, console: Console) -> JobMetrics:
    settings = {} if options.parallelism is None else {"parallelism.default": str(options.parallelism)}
    text, file = script(work)
    job = Session(settings).start_script(text, file=file)
    try:
        watch(console, job)
        job.result()
    except BaseException:
        job.stop()
        raise
    metrics: JobMetrics = job.metrics()
    return metrics


def _verdict(console: Console, verdicts: list[Verdict]) -> int:
    wrong = [verdict for verdict in verdicts if not verdict.equal]
    for verdict in wrong:
        for side, examples in (("only here", verdict.only_ours), ("only in DuckDB", verdict.only_theirs)):
            for row in examples:
                console.print(f"  {verdict.name}, {side}: {row}", style="red", soft_wrap=True)
    if wrong:
        names = ", ".join(verdict.name for verdict in wrong)
        console.print(f"[bold red]DIFFERENT[/] from DuckDB: {names}", soft_wrap=True)
        return 1
    rows = sum(verdict.ours for verdict in verdicts if not verdict.name.startswith("late"))
    late = sum(verdict.ours for verdict in verdicts if verdict.name.startswith("late"))
    console.print(
        f"[bold green]EQUAL[/]: all {rows:,} rows of all answers, and the {late:,} late rows, are DuckDB's too",
        soft_wrap=True,
    )
    return 0
