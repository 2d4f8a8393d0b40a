"""``fluxcore run SCRIPT.sql --target flink://…``: the script runs on a Flink cluster, its rows come back."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from fluxcore.cli.errors import tell
from fluxcore.cli.output.replies import show_reply
from fluxcore.cli.output.sinks import output_sink
from fluxcore.cli.run import check_format, script_text
from fluxcore.core.settings import Settings
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.script import ScriptOptions, ScriptRun
from fluxcore.targets.flink.settings import flink_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.cli.run import RunOptions
    from fluxcore.core.ports import Sink
    from fluxcore.core.schema import Schema
    from fluxcore.sql.replies import Cell

_PROGRESS_EVERY_S = 0.5


def run(options: RunOptions) -> None:
    """Run a script on the cluster that the command line names. Raises what went wrong."""
    check_format(options.format)
    console = Terminal(options.format)
    with script_text(options.script) as (text, name):
        script = ScriptRun(text, name, console, ScriptOptions(options.format == "changelog", options.detach))
        script.run(cluster_at(options.target), flink_properties({**Settings.load().values, **options.settings()}))


class Terminal:
    """Rows and the ids of jobs left alone on standard output, everything else on standard error."""

    def __init__(self, format_: str) -> None:
        self._format = format_
        self._shown_at = 0.0
        self._width = 0

    def reply(
        self, message: str | None, columns: tuple[str, ...] = (), rows: tuple[tuple[Cell, ...], ...] = ()
    ) -> None:
        """Show the answer to a command."""
        show_reply(message, columns, rows, self._format)

    def started(self, job: str) -> None:
        """Tell a job's id."""
        tell(f"job {job} started")

    def detached(self, job: str) -> None:
        """Print the id of a job that goes on alone."""
        print(job)  # noqa: T201

    def seen(self, job: Mapping[str, Any]) -> None:
        """Show on a terminal how far a job is, now and then."""
        now = time.monotonic()
        ended = job["state"] not in ("RUNNING", "CREATED", "INITIALIZING")
        if sys.stderr.isatty() and (ended or now - self._shown_at > _PROGRESS_EVERY_S):
            self._shown_at = now
            line = progress_line(job)
            sys.stderr.write("\r" + line.ljust(self._width) + ("\n" if ended else ""))
            sys.stderr.flush()
            self._width = 0 if ended else len(line)

    def sink(self, schema: Schema, *, changes: bool) -> Sink:
        """Return the sink of the format asked for."""
        return output_sink(self._format, sys.stdout.buffer, schema, changes=changes, key=None)


def progress_line(job: Mapping[str, Any]) -> str:
    """Return a job's state, its time, and the rows that its sources gave and its sinks took so far."""
    vertices = job["vertices"]
    counts = [each["metrics"] for each in vertices]
    read = sum(each["write-records"] for each in counts if not each["read-records"])
    written = sum(each["read-records"] for each in counts if not each["write-records"])
    seconds = job["duration"] / 1000
    return f"job {job['jid'][:8]} {job['state'].lower()}, {seconds:.1f} s: {read:,} rows out of sources, {written:,} into sinks"
