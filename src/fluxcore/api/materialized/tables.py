"""The materialised tables of a session, and the target that lets plans read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from fluxcore.api.materialized.kept import Changes, KeptTable
from fluxcore.api.materialized.table import MaterializedTable, Ready, Status
from fluxcore.core import registry
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import STRING
from fluxcore.errors import JobError
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.changes import FromChangelog
from fluxcore.plan.nodes import Insert, Node, Project, Scan
from fluxcore.sql.materialized import Action, Definition, MaterializedStatement, followed, with_readings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from fluxcore.api.target import RunningJob, Target
    from fluxcore.core.feed import Feed
    from fluxcore.core.ports import Sink
    from fluxcore.core.settings import Settings

    Root = tuple[Node, Sink | None]

_CODES = (("INSERT", "+I"), ("DELETE", "-D"))


class MaterializedTables:
    """The materialised tables of a session by what plans find them by; ``target`` is where their jobs run."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tables: dict[str, MaterializedTable] = {}
        self._held: WeakKeyDictionary[RunningJob, list[object]] = WeakKeyDictionary()

    def __iter__(self) -> Iterator[MaterializedTable]:
        return iter(list(self._tables.values()))

    def __bool__(self) -> bool:
        return bool(self._tables)

    def table(self, definition: Definition) -> MaterializedTable:
        """Return the table of a definition; its job may never have been started."""
        key = definition.memory.key
        if key not in self._tables:
            self._tables[key] = MaterializedTable(definition, _Starter(self, definition))
        return self._tables[key]

    def carry_out(self, statement: MaterializedStatement, *, wait: bool) -> str:
        """Do what a statement says and return the answer; with ``wait`` a job that ends by itself has ended then.

        Raises: ``JobError`` of the job, or FX-RUN-0123 for a refresh that can't be.
        """
        table = self.table(statement.definition)
        match statement.action:
            case Action.CREATE:
                if statement.old is not None:
                    self._remove(statement.old, "changed")
                table.fill(final=wait)
            case Action.DROP:
                self._remove(statement.definition, "dropped")
            case Action.SUSPEND:
                reason = table.suspend()
                if reason is not None:
                    return f"{statement.message.rpartition(' ')[0]} is not suspended: {reason}"
            case Action.RESUME:
                table.resume(final=wait)
            case Action.REFRESH:
                self._refresh(table, statement)
        if wait and statement.action in (Action.CREATE, Action.RESUME):
            table.wait()
        return statement.message

    def keep(self, definitions: Sequence[Definition]) -> None:
        """Stop the tables that the catalog no longer has."""
        known = {definition.memory.key for definition in definitions}
        for key, table in list(self._tables.items()):
            if key not in known:
                self._remove(table.definition, "dropped")

    def close(self) -> None:
        """Stop all jobs."""
        for table in list(self._tables.values()):
            table.stop("stopped with its session")
        self._tables.clear()

    def jobs(self) -> tuple[tuple[str, ...], ...]:
        """Return id, name, status and start of each table's job, as SHOW JOBS tells them."""
        found = []
        for table in self._tables.values():
            if table.job is not None and table.started_at is not None:
                number = getattr(table.job, "id", "NULL")
                started = table.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                found.append((number, table.definition.name, table.status.value, started))
        return tuple(found)

    def start(self, roots: Sequence[Root], settings: Settings, *, changelog: bool = False) -> RunningJob:
        """Start a job whose plans may read the tables, as :meth:`readable` says."""
        plans, held = self.readable([node for node, _ in roots])
        sinks = [sink for _, sink in roots]
        job = self._target.start(list(zip(plans, sinks, strict=True)), settings, changelog=changelog)
        if held:
            self._held[job] = held
        return job

    def ready(self, node: Node, settings: Settings, *, following: bool) -> Ready:
        """Return the query of a table as it can run."""
        (plan,), held = self.readable([node], following=following)
        return Ready(plan, self._target.is_bounded(plan, settings), held)

    def fill(self, ready: Ready, sink: Sink, settings: Settings, *, final: bool) -> RunningJob:
        """Start the job that fills a table; with ``final``, for a query that ends, it gives only the rows that stay."""
        job = self._target.start([(ready.plan, sink)], settings, changelog=not final)
        self._held[job] = ready.held
        return job

    def readable(self, plans: Sequence[Node], *, following: bool = False) -> tuple[list[Node], list[object]]:
        """Return plans that can run, and what must be held until they have run.

        Inserts, or all plans with ``following``, go on with the tables that they read; queries read them as of now, all
        readings of one table at the same moment.
        """
        held: list[object] = []
        snapshots: dict[str, Scan] = {}

        def as_of_now(scan: Scan, definition: Definition) -> Node:
            found = snapshots.get(definition.memory.key)
            if found is None:
                found = snapshots[definition.memory.key] = self._over(scan, self.table(definition).read(), held)
            return replace(scan, table=found.table)

        def from_now_on(scan: Scan, definition: Definition) -> Node:
            table = self.table(definition)
            return self._changes(scan, table, held) if table.running else as_of_now(scan, definition)

        found = list(plans)
        for follows, change in ((True, from_now_on), (False, as_of_now)):
            places = [i for i, node in enumerate(plans) if (following or isinstance(node, Insert)) is follows]
            for place, plan in zip(places, with_readings([plans[i] for i in places], change), strict=True):
                found[place] = plan
        return found, held

    def _refresh(self, table: MaterializedTable, statement: MaterializedStatement) -> None:
        definition = statement.definition
        if not definition.full and not (table.job is not None and table.job.wait(0)):
            message = f"the job of '{definition.name}' runs and keeps it fresh: it is not refreshed besides"
            raise JobError("FX-RUN-0123", message, hint="a table with REFRESH_MODE = FULL is refreshed on demand")
        if table.status is Status.INITIALIZING:
            table.fill(final=True)
        else:
            table.refresh(statement.condition)

    def _remove(self, definition: Definition, why: str) -> None:
        table = self._tables.pop(definition.memory.key, None)
        if table is not None:
            table.stop(why)

    def _changes(self, scan: Scan, table: MaterializedTable, held: list[object]) -> Node:
        """Return the plan that reads a table's rows as of its start, and then its changes."""
        kept = table.kept
        if not kept.follows:
            message = (
                f"the changes of '{table.definition.name}' can't be followed: its PRIMARY KEY is not that of its query"
            )
            raise JobError("FX-RUN-0124", message, hint="leave its PRIMARY KEY out, or GROUP BY its columns")
        job = table.job
        changes = Changes(kept, lambda: table.check_end(job))
        if not kept.updates:
            return self._over(scan, changes, held)
        schema = Schema.of((*scan.table.schema.columns, Column("op", STRING.with_nullable(False))))
        place = len(scan.columns)
        whole = replace(scan, table=replace(scan.table, schema=schema), columns=(*scan.columns, len(schema) - 1))
        coded = FromChangelog(self._over(whole, changes, held), place, _CODES)
        exprs = tuple(ColumnRef(type=coded.schema[index].type, index=index) for index in range(place))
        return Project(coded, exprs, tuple(scan.schema.names))

    def _over(self, scan: Scan, rows: list[pa.RecordBatch] | Feed, held: list[object]) -> Scan:
        """Return a scan of other rows of the same columns, which ``held`` keeps in memory."""
        memory = registry.find(registry.CONNECTORS, "memory").hold(rows)
        held.append(memory)
        options = {"connector": "memory", "memory.key": memory.key}
        return replace(scan, table=replace(scan.table, options=options))


class _Starter:
    """Starts the jobs of one table."""

    def __init__(self, tables: MaterializedTables, definition: Definition) -> None:
        self._tables = tables
        self._settings = definition.settings

    def ready(self, node: Node, *, following: bool) -> Ready:
        """Return a query as it can run."""
        return self._tables.ready(node, self._settings, following=following)

    def start(self, ready: Ready, sink: KeptTable, *, final: bool) -> RunningJob:
        """Return the job."""
        return self._tables.fill(ready, sink, self._settings, final=final)


class TablesTarget:
    """A target that lets plans read the materialised tables of a session."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.tables = MaterializedTables(target)

    def start(self, roots: Sequence[Root], settings: Settings, *, changelog: bool = False) -> RunningJob:
        """Start one job for all roots."""
        return self.tables.start(roots, settings, changelog=changelog)

    def iterate(self, node: Node, settings: Settings, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows batch by batch; closing the iterator stops the job."""
        (plan,), held = self.tables.readable([node])
        yield from self._target.iterate(plan, settings, changelog=changelog)
        held.clear()

    def is_bounded(self, node: Node, settings: Settings) -> bool:
        """Return whether a query ends, which reads tables as of now, or whether an insert does, which goes on with them."""
        return self._target.is_bounded(followed(node) if isinstance(node, Insert) else node, settings)

    def explain(self, roots: Sequence[Node], settings: Settings, details: Sequence[str] = ()) -> str:
        """Return plans as they would run."""
        return self._target.explain(roots, settings, details)

    def problems(self, roots: Sequence[Node], settings: Settings) -> Sequence[str]:
        """Return why plans can't run on the target."""
        return self._target.problems(roots, settings)
