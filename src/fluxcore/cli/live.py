"""The result of an endless query as a table on the screen that changes with it."""

from __future__ import annotations

import sys
import threading
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fluxcore.cli.keys import keys
from fluxcore.cli.output.texts import plain_texts
from fluxcore.core.ports import ChangeMode, Sink
from fluxcore.errors import JobError
from fluxcore.limits import LIVE_ROWS_MAX

if TYPE_CHECKING:
    from fluxcore.api.session import Session, Step
    from fluxcore.api.target import RunningJob
    from fluxcore.core.batch import Batch
    from fluxcore.core.schema import Schema
    from fluxcore.sql.script import SelectStatement

    Row = tuple[str, ...]

_REFRESH_S = 0.1
_RATE_S = 2.0
_LEAVE = ("q", "Q", "\x04")
_AROUND_ROWS = 7  # title, borders, header, footer, prompt


class LiveRows(Sink):
    """Keeps the rows of a result as the changes come: an updated row stays in its place.

    Of rows that are only added, the newest :data:`~fluxcore.limits.LIVE_ROWS_MAX` are kept.
    """

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.added = 0
        self.removed = 0
        self._rows: dict[int, Row] = {}
        self._places: dict[Row, list[int]] = {}
        self._next = 0
        self._lock = threading.Lock()

    def write(self, batch: Batch) -> None:
        """Take changes. Raises ``JobError`` FX-CLI-0010 when an updated result grows too large to be shown."""
        columns = [plain_texts(batch.column(i), column.type).to_pylist() for i, column in enumerate(self.schema)]
        rows = [tuple("NULL" if text is None else text for text in row) for row in zip(*columns, strict=True)]
        weights = [1] * len(rows) if batch.weights is None else batch.weights.tolist()
        with self._lock:
            free: int | None = None
            for row, weight in zip(rows, weights, strict=True):
                if weight < 0:
                    free = self._remove(row)
                else:
                    self._add(row, free)
                    free = None
            self._bound()

    def commit(self) -> None:
        """Do nothing: the rows are shown already."""

    def newest(self, count: int) -> tuple[list[Row], int]:
        """Return the last ``count`` rows, and how many there are."""
        with self._lock:
            places = sorted(self._rows)[-count:]
            return [self._rows[place] for place in places], len(self._rows)

    def _add(self, row: Row, place: int | None) -> None:
        self.added += 1
        if place is None:
            place, self._next = self._next, self._next + 1
        self._rows[place] = row
        self._places.setdefault(row, []).append(place)

    def _remove(self, row: Row) -> int | None:
        """Remove one such row; return its place."""
        places = self._places.get(row)
        if not places:
            return None
        self.removed += 1
        place = places.pop()
        if not places:
            del self._places[row]
        del self._rows[place]
        return place

    def _bound(self) -> None:
        more = len(self._rows) - LIVE_ROWS_MAX
        if more <= 0:
            return
        if self.removed:
            message = f"the result has more than {LIVE_ROWS_MAX:,} rows, too many to be shown as they change"
            raise JobError("FX-CLI-0010", message, hint="use .format changelog, or add a filter or a Top-N")
        for place in sorted(self._rows)[:more]:
            row = self._rows.pop(place)
            self._places[row].remove(place)
            if not self._places[row]:
                del self._places[row]


def wants_live(session: Session, step: Step, format_: str) -> bool:
    """Return whether a step's result is shown as it changes: an endless query, as a table, on a terminal."""
    if step.select is None or format_ != "table" or not sys.stdout.isatty():
        return False
    return not session.is_bounded(step.select.plan, step.settings)


def show_live(session: Session, step: Step) -> None:
    """Run an endless query and show its rows until q or Ctrl-C; the last ones stay on the screen. Raises the job's error."""
    console = Console()
    shown: list[LiveRows] = []

    def output(statement: SelectStatement) -> Sink:
        shown.append(LiveRows(statement.plan.schema))
        return shown[0]

    job = session.start_step(step, output, changelog=True)
    try:
        left = _watch(console, job, shown[0])
        if not left:
            job.result()
    except BaseException:
        job.stop()
        raise
    if left:
        job.stop()


def _watch(console: Console, job: RunningJob, rows: LiveRows) -> bool:
    """Show the rows until the job has ended or a key is pressed; return whether it was one."""
    rate = _Rate(job)
    try:
        with keys() as key, Live(console=console, auto_refresh=False, screen=True) as live:
            while not job.wait(0):
                live.update(_table(console, rows, rate.told()), refresh=True)
                if key(_REFRESH_S) in _LEAVE:
                    return True
    finally:
        console.print(_table(console, rows, ""))
    return False


class _Rate:
    """How fast a job reads, over the last second or so, and how far its event time is."""

    def __init__(self, job: RunningJob) -> None:
        self._job = job
        self._seen: list[tuple[float, int]] = []

    def told(self) -> str:
        """Return both as text, as far as they are known."""
        metrics = self._job.metrics()
        rows = getattr(metrics, "source_rows", None)
        if rows is None:
            return ""
        now = time.monotonic()
        self._seen = [(at, read) for at, read in self._seen if now - at <= _RATE_S] or self._seen[-1:]
        self._seen.append((now, rows))
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        told = f" · {(last - first) / max(last_at - first_at, 1e-9):,.0f} rows/s read"
        marks = [each.watermark_ms for each in metrics.operators if each.watermark_ms is not None]
        if marks:
            told += f" · watermark {as_text(min(marks))}"
        return told + " · q or Ctrl-C ends"


def as_text(ms: int) -> str:
    """Return a time (ms) as SQL writes a TIMESTAMP(3); one that is none (beyond the year 9999) as a number."""
    try:
        return (datetime(1970, 1, 1) + timedelta(milliseconds=ms)).isoformat(" ", "milliseconds")
    except OverflowError:
        return f"{ms} ms"


def _table(console: Console, rows: LiveRows, more: str) -> Group:
    found, count = rows.newest(max(console.height - _AROUND_ROWS, 5))
    part = f" (the newest {len(found):,} are shown)" if count > len(found) else ""
    told = f"{count:,} rows{part}, {rows.added + rows.removed:,} changes{more}"
    table = Table(header_style="bold")
    for column in rows.schema:
        numeric = column.type.name()[:3] in ("INT", "BIG", "SMA", "TIN", "DOU", "FLO", "DEC")
        table.add_column(column.name, justify="right" if numeric else "left", overflow="ellipsis", no_wrap=True)
    for row in found:
        table.add_row(*row)
    return Group(table, Text(told, style="dim"))
