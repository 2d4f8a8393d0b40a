"""What the demonstration shows on the screen."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from rich import box
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fluxcore.api.target import RunningJob
    from fluxcore.demo.check import Verdict
    from fluxcore.runtime.metrics import JobMetrics, OperatorMetrics

_REFRESH_S = 0.1


def watch(console: Console, job: RunningJob) -> None:
    """Show a live table until the job has ended; without a terminal only the last state is printed."""
    if not console.is_terminal:
        job.wait()
        console.print(progress(job.metrics(), console.width))
        return
    with Live(progress(job.metrics(), console.width), console=console, refresh_per_second=20) as live:
        while not job.wait(_REFRESH_S):
            live.update(progress(job.metrics(), console.width))
        live.update(progress(job.metrics(), console.width))


def progress(metrics: JobMetrics, width: int) -> Table:
    """Return the live table: rows, rates, watermarks, late rows and state by operator, as a screen of ``width`` holds it."""
    seconds = max(metrics.elapsed_s, 1e-9)
    title = (
        f"{metrics.source_rows:,} rows read in {metrics.elapsed_s:.1f} s · {metrics.source_rows / seconds:,.0f} rows/s · "
        f"{metrics.late_rows:,} late · {metrics.state_bytes / 1e6:.1f} MB state"
    )
    wide = width >= _WIDE
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("operator")
    for name in ("rows in", "rows out", "watermark", "late rows", *(("state rows",) if wide else ()), "state MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for operator in metrics.operators:
        if operator.rows_in or operator.rows_out:
            table.add_row(*_row(operator, wide=wide))
    return table


def _row(operator: OperatorMetrics, *, wide: bool) -> tuple[str, ...]:
    stateful = operator.state_bytes > 0
    state_rows = (f"{operator.state_rows:,}" if stateful else "",)
    return (
        operator.name,
        f"{operator.rows_in:,}" if operator.rows_in else "",
        f"{operator.rows_out:,}" if operator.rows_out else "",
        _time(operator.watermark_ms, "%Y-%m-%d %H:%M" if wide else "%m-%d %H:%M"),
        f"{operator.late_rows:,}" if operator.late_rows else "",
        *(state_rows if wide else ()),
        f"{operator.state_bytes / 1e6:.1f}" if stateful else "",
    )


def _time(milliseconds: int | None, form: str) -> str:
    if milliseconds is None:
        return ""
    try:
        return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return "end"


_WIDE = 100
"""Columns of a screen that holds all there is to tell."""

_SHOWN = {
    "Departures and delays by airport": """
      SELECT origin, sum(departures)::BIGINT AS departures, sum(cancelled)::BIGINT AS cancelled,
        round(sum(mean_delay * departures) / sum(departures), 1) AS "mean delay", round(avg(p95_delay), 1) AS "p95 delay (mean)"
      FROM read_parquet('{folder}/hourly/*') GROUP BY origin ORDER BY origin
    """,
    "Routes most often among the three worst of 24 hours": """
      SELECT origin || ' to ' || dest AS route, count(*) AS hours, round(avg(mean_delay), 1) AS "mean delay"
      FROM read_parquet('{folder}/worst_routes/*') GROUP BY route ORDER BY hours DESC, route LIMIT 5
    """,
    "Delays by visibility": """
      SELECT CASE WHEN visib < 1 THEN 'under 1 mile' WHEN visib < 5 THEN '1 to 5 miles' WHEN visib < 10 THEN '5 to 10 miles'
        ELSE '10 miles' END AS visibility, count(*) AS hours, round(sum(mean_delay * departures) / sum(departures), 1) AS "mean delay"
      FROM read_parquet('{folder}/delays_and_weather/*') GROUP BY visibility ORDER BY "mean delay" DESC
    """,
    "Aircraft that left over an hour late twice in a row": """
      SELECT tailnum AS aircraft, count(*) AS times, max(dep_delay) AS "longest delay"
      FROM read_parquet('{folder}/twice_late/*') GROUP BY aircraft ORDER BY times DESC, aircraft LIMIT 5
    """,
}


def answers(console: Console, work: Path) -> None:
    """Show the answers in short."""
    connection = duckdb.connect()
    for title, query in _SHOWN.items():
        found = connection.execute(query.format(folder=work / "answers"))
        table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for index, column in enumerate(found.description or ()):
            table.add_column(str(column[0]), justify="left" if index == 0 else "right")
        for row in found.fetchall():
            table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
        console.print(table)


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the comparison with DuckDB."""
    table = Table(
        title="Compared with DuckDB over the same rows",
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("what")
    for name in ("FluxCore", "DuckDB", ""):
        table.add_column(name, justify="right")
    for verdict in verdicts:
        mark = "[green]equal[/]" if verdict.equal else "[red]different[/]"
        table.add_row(verdict.name, f"{verdict.ours:,}", f"{verdict.theirs:,}", mark)
    return table
