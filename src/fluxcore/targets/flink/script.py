"""Runs a SQL script on a Flink cluster: checked as a whole, then statement by statement.

1. The script is cut into statements (``statements``).
2. A session that is thrown away takes all definitions and plans each query and insert, so that nothing runs unless all of it
   can be planned. A script that reaches beyond its session (a catalog, CREATE TABLE AS) is checked as it runs.
3. A second session runs it: inserts that follow one another as one job, queries one after the other, each behind the inserts
   before it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fluxcore.core import quotes
from fluxcore.errors import FluxError, ScriptError
from fluxcore.limits import FLINK_HEARTBEAT_S
from fluxcore.targets.flink.job import all_inserts, job_failed
from fluxcore.targets.flink.python.clusters import check_python, no_python
from fluxcore.targets.flink.python.scripts import ready_script
from fluxcore.targets.flink.refusals import refusal
from fluxcore.targets.flink.rest import RestError
from fluxcore.targets.flink.results import Results
from fluxcore.targets.flink.statements import Statement, What, never_ends, statements_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from fluxcore.core.ports import Sink
    from fluxcore.core.schema import Schema
    from fluxcore.errors import Span
    from fluxcore.sql.replies import Cell
    from fluxcore.targets.flink.address import Cluster
    from fluxcore.targets.flink.gateway import GatewaySession, Page
    from fluxcore.targets.flink.portability import Unportable
    from fluxcore.targets.flink.python.scripts import ReadyScript
    from fluxcore.targets.flink.python.shipment import Shipment

_REACHES_OUT = re.compile(
    r"^\s*(CREATE\s+(OR\s+REPLACE\s+)?(CATALOG|MATERIALIZED)|USE\b|CALL\b|ALTER\b|LOAD\b|UNLOAD\b|TRUNCATE\b|ADD\b|REMOVE\b"
    r"|(CREATE|REPLACE)\b(?s:.)*\bAS\s+(SELECT|WITH)\b)",
    re.IGNORECASE,
)
_SCANNED = re.compile(r"table=\[\[[^,\]]+, [^,\]]+, ([^,\]]+)")
_VIEW = re.compile(r"^\s*CREATE\s+(TEMPORARY\s+)?VIEW\b", re.IGNORECASE)


class Console(Protocol):
    """Where a script tells what it does."""

    def reply(
        self, message: str | None, columns: tuple[str, ...] = (), rows: tuple[tuple[Cell, ...], ...] = ()
    ) -> None:
        """Show the answer to a command."""
        ...

    def started(self, job: str) -> None:
        """Show that a job runs, by its id."""
        ...

    def detached(self, job: str) -> None:
        """Tell the id of a job that goes on alone."""
        ...

    def seen(self, job: Mapping[str, Any]) -> None:
        """Show how far a job is: what the JobManager tells of it."""
        ...

    def sink(self, schema: Schema, *, changes: bool) -> Sink:
        """Return what takes the rows of a query, with ``changes`` also those that take rows back."""
        ...


@dataclass(frozen=True, slots=True)
class ScriptOptions:
    """``changes``: a query gives every change, not its final table. ``detach``: inserts are started and left alone."""

    changes: bool = False
    detach: bool = False


class ScriptRun:
    """One script on one cluster."""

    def __init__(self, text: str, file: str | None, console: Console, options: ScriptOptions) -> None:
        self._text, self._file = text, file
        self._console = console
        self._options = options
        try:
            self.statements = statements_of(text)
        except ScriptError as error:
            raise error.located(text, file) from None
        self._appends: dict[Span, bool] = {}
        self._jobs: list[str] = []
        self._shipment: Shipment | None = None

    def run(self, cluster: Cluster, properties: Mapping[str, str]) -> None:
        """Run the script to its end.

        Raises: ``ScriptError`` FX-FLK-0202 for what Flink has no twin of, FX-FLK-0201 for what Flink refuses, both at the
        user's line; ``JobError`` FX-FLK-0301 with the root cause when a job fails.
        """
        ready = self._ready(properties)
        self._refuse_unportable()
        cluster.gateway.version()
        if ready.shipment:
            check_python(cluster.gateway.address, ready.shipment.labels)
            ready.shipment.write(cluster.gateway.address)
            properties = {**properties, **ready.properties}
        self._check(cluster, properties)
        with cluster.gateway.session(properties) as session:
            try:
                for statement, inserts in _grouped(self.statements):
                    self._step(cluster, session, statement, inserts)
                if self._options.detach:
                    self._leave()
                self._wait(cluster, session)
            except BaseException:
                for job in self._jobs:
                    cluster.jobmanager.cancel(job)
                raise

    def _ready(self, properties: Mapping[str, str]) -> ReadyScript:
        """Make the functions in Python ready to go along."""
        try:
            ready = ready_script(self.statements, self._file, properties)
        except ScriptError as error:
            raise error.located(self._text, self._file) from None
        self.statements, self._shipment = ready.statements, ready.shipment
        return ready

    def _refuse_unportable(self) -> None:
        for statement in self.statements:
            for found in statement.unportable:
                raise self._wrong("FX-FLK-0202", f"{found.what} can't run on Flink: {found.why}", statement)
        if self._options.detach:
            for statement in self.statements:
                if statement.what is What.QUERY:
                    message = "a SELECT gives its rows to who waits for them, and can't be left alone"
                    hint = "run it without --detach, or INSERT the rows into a table"
                    raise self._wrong("FX-FLK-0203", message, statement, hint)

    def _check(self, cluster: Cluster, properties: Mapping[str, str]) -> None:
        if any(_REACHES_OUT.match(each.text) and not _VIEW.match(each.text) for each in self.statements):
            return
        inserts_for_ever = False
        with cluster.gateway.session(properties) as trial:
            for statement in self.statements:
                if statement.what in (What.SETTING, What.DEFINITION):
                    self._ask(trial, statement)
                elif statement.what is What.INSERT:
                    plan = self._ask(trial, statement, "EXPLAIN").rows[0][0]
                    inserts_for_ever = inserts_for_ever or self._never_ends(plan)
                elif statement.what is What.QUERY:
                    if inserts_for_ever:
                        message = "a SELECT can't follow an INSERT that never ends"
                        raise self._wrong("FX-SQL-0901", message, statement, "put them into two scripts")
                    plan = self._ask(trial, statement, "EXPLAIN CHANGELOG_MODE").rows[0][0]
                    mode = re.search(r"== Optimized Physical Plan ==\n.*?changelogMode=\[([A-Z,]*)\]", plan)
                    appends = mode is not None and mode[1] == "I"
                    if not appends and not self._options.changes and self._never_ends(plan):
                        message = "the rows of this query are updated for ever, because its input never ends"
                        raise self._wrong("FX-RUN-0111", message, statement, "ask for the changes: --format changelog")
                    self._appends[statement.span] = appends

    def _never_ends(self, plan: str) -> bool:
        """Return whether a plan, as EXPLAIN shows it, reads a table of the script that has no end."""
        endless = {each.table.name for each in self.statements if each.table is not None and never_ends(each.table)}
        return bool(endless & set(_SCANNED.findall(plan)))

    def _wrong(self, code: str, message: str, statement: Statement, hint: str | None = None) -> FluxError:
        """Return the error of a statement, with its place."""
        return ScriptError(code, message, span=statement.span, hint=hint).located(self._text, self._file)

    def _ask(self, session: GatewaySession, statement: Statement, lead: str = "") -> Page:
        try:
            return session.run(f"{lead}\n{statement.text}" if lead else statement.text)
        except RestError as error:
            raise self._refusal(error, statement, 1 if lead else 0) from error

    def _refusal(self, error: RestError, statement: Statement, lines_before: int = 0) -> FluxError:
        if self._shipment:
            found = no_python(error, self._shipment.labels)
            if found is not None:
                return found
        return refusal(error, statement, self._text, self._file, lines_before=lines_before)

    def _step(
        self, cluster: Cluster, session: GatewaySession, statement: Statement, inserts: Sequence[Statement]
    ) -> None:
        if statement.what is What.INSERT:
            try:
                page = session.run(all_inserts([each.text for each in inserts]))
            except RestError as error:
                raise self._refusal(error, statement) from error
            self._started(page)
        elif statement.what is What.QUERY:
            self._wait(cluster, session)
            self._query(session, statement)
        else:
            page = self._ask(session, statement)
            self._started(page)
            if statement.what is What.QUESTION:
                rows = tuple(
                    tuple(cell if cell is None or isinstance(cell, bool) else str(cell) for cell in row)
                    for row in page.rows
                )
                self._console.reply(None, tuple(page.schema.names), rows)
            elif page.job is None:
                self._console.reply(f"ok: {' '.join(statement.text.split())[:60]}")

    def _started(self, page: Page) -> None:
        if page.job is not None:
            self._jobs.append(page.job)
            self._console.started(page.job)

    def _leave(self) -> None:
        """Let the jobs go on alone."""
        for job in self._jobs:
            self._console.detached(job)
        self._jobs.clear()

    def _wait(self, cluster: Cluster, session: GatewaySession) -> None:
        """Wait for the end of all jobs started so far."""
        beat = time.monotonic()

        def seen(job: Mapping[str, Any]) -> None:
            nonlocal beat
            self._console.seen(job)
            if time.monotonic() - beat > FLINK_HEARTBEAT_S:
                session.heartbeat()
                beat = time.monotonic()

        while self._jobs:
            job = self._jobs[0]
            state = cluster.jobmanager.wait(job, seen=seen)
            if state != "FINISHED":
                cause = cluster.jobmanager.failure(job) if state == "FAILED" else f"it is {state.lower()}"
                raise job_failed(job, cause)
            self._jobs.pop(0)

    def _query(self, session: GatewaySession, statement: Statement) -> None:
        """Run a query and give its rows to the console's sink: as they come, or the final table at the end."""
        streams = self._options.changes or self._appends.get(statement.span, False)
        results: Results | None = None
        try:
            results = Results(session, statement.text, changes=streams)
            results.give(
                lambda schema: self._console.sink(schema, changes=self._options.changes), self._console.started
            )
        except RestError as error:
            job = results.job if results is not None else None
            if job is None and statement.span not in self._appends:
                raise self._refusal(error, statement) from error
            # a query that was planned in the trial can only fail as a job, even where it fails before its id is told
            raise job_failed(job, error.message, error.hint) from error


def sent_statements(
    text: str, file: str | None, values: Mapping[str, str] | None = None
) -> tuple[list[str], list[Unportable]]:
    """Return a script's statements as they would be sent, and what Flink has no twin of. Raises as :class:`ScriptRun`."""
    try:
        ready = ready_script(statements_of(text), file, values or {})
    except ScriptError as error:
        raise error.located(text, file) from None
    statements = ready.statements
    sent = [f"SET {quotes.text(key)} = {quotes.text(value)}" for key, value in ready.properties.items()]
    sent += [
        all_inserts([each.text for each in inserts]) if statement.what is What.INSERT else statement.text
        for statement, inserts in _grouped(statements)
    ]
    return sent, [found for statement in statements for found in statement.unportable]


def _grouped(statements: Sequence[Statement]) -> list[tuple[Statement, Sequence[Statement]]]:
    """Return the statements in order; inserts that follow one another are one step."""
    steps: list[tuple[Statement, list[Statement]]] = []
    for statement in statements:
        if statement.what is What.INSERT and steps and steps[-1][0].what is What.INSERT:
            steps[-1][1].append(statement)
        else:
            steps.append((statement, [statement]))
    return steps  # type: ignore[return-value]
