"""What a job's operators did, as lines of text."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxcore.runtime.metrics import JobMetrics, OperatorMetrics

_HEAD = ("operator", "tasks", "rows in", "rows out", "in", "out", "busy s", "idle s", "waits s", "queue", "watermark",
         "state rows", "state", "late")  # fmt: skip


def metrics_lines(metrics: JobMetrics) -> list[str]:
    """Return a table of the operators in plan order, and before it a line about the job."""
    rows = [_HEAD, *(_row(each) for each in metrics.operators)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_HEAD))]
    told = f"{metrics.source_rows:,} rows read in {metrics.elapsed_s:.2f} s, {metrics.late_rows:,} late"
    lines = [
        "  ".join(cell.ljust(width) if index == 0 else cell.rjust(width) for index, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    return [told, *(line.rstrip() for line in lines)]


def _row(each: OperatorMetrics) -> tuple[str, ...]:
    return (
        each.name,
        str(each.parallelism),
        _count(each.rows_in),
        _count(each.rows_out),
        _bytes(each.bytes_in),
        _bytes(each.bytes_out),
        f"{each.busy_s:.2f}",
        f"{each.idle_s:.2f}",
        f"{each.backpressured_s:.2f}",
        f"{each.queue_fill:.0%}" if each.queue_peak_bytes else "",
        _time(each.watermark_ms),
        _count(each.state_rows),
        _bytes(each.state_bytes if each.state_rows else 0),
        _count(each.late_rows),
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _bytes(number: int) -> str:
    if not number:
        return ""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    try:
        found = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return "end"
    return found.strftime("%Y-%m-%d %H:%M:%S")
