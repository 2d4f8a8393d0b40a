"""A session: settings, the catalog of tables, and what runs in it. SQL and Python share both."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from fluxcore.api.materialized.tables import TablesTarget
from fluxcore.api.stream import Stream
from fluxcore.api.target import find_target
from fluxcore.api.watermarks import with_watermark
from fluxcore.connectors.collect import CollectSink
from fluxcore.core import registry
from fluxcore.core.describe_function import described
from fluxcore.core.ports import TableDescription
from fluxcore.core.quotes import quoted
from fluxcore.core.schema import Schema
from fluxcore.core.settings import Settings
from fluxcore.errors import ScriptError
from fluxcore.plan import nodes
from fluxcore.sql.bind_tables import checked_columns
from fluxcore.sql.catalog import Catalog
from fluxcore.sql.functions import Lifetime, Registered, is_built_in
from fluxcore.sql.materialized import Action
from fluxcore.sql.parse_types import type_of
from fluxcore.sql.script import (
    BoundScript,
    CommandReply,
    ExplainStatement,
    InsertStatement,
    MaterializedStatement,
    SelectStatement,
    StatementSet,
    bind_query,
    bind_script,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fluxcore.api.target import RunningJob, Target
    from fluxcore.api.watermarks import Watermark
    from fluxcore.core.feed import Feed
    from fluxcore.core.ports import Sink


@dataclass(frozen=True)
class Step:
    """What a script does next: one job of inserts, one query, one thing with a materialised table, or one reply to a command."""

    inserts: tuple[nodes.Insert, ...] = ()
    select: SelectStatement | None = None
    table: MaterializedStatement | None = None
    reply: CommandReply | None = None
    settings: Settings = field(default_factory=Settings)


class Session:
    """Tables and settings that belong together.

    In: ``settings`` Flink's configuration keys, such as ``{"parallelism.default": "2"}``; they win over the configuration
    file ``fluxcore.toml`` and the environment. ``target`` where plans run: ``embedded``, or ``flink://HOST:PORT``, the SQL
    gateway of a Flink cluster; left out, what ``fluxcore run --target`` says, else embedded.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, *, target: str | None = None) -> None:
        loaded = Settings.load()
        for key, value in {**_from_command_line(), **(settings or {})}.items():
            loaded = loaded.with_value(key, str(value))
        self.settings = loaded
        self.catalog = Catalog()
        runs = TablesTarget(find_target(target or os.environ.get("FLUXCORE_JOB_TARGET") or "embedded"))
        self.target: Target = runs
        self.tables = runs.tables
        self.catalog.jobs = self.tables.jobs
        self._memory: list[object] = []
        self._end = weakref.finalize(self, self.tables.close)

    def close(self) -> None:
        """Stop the jobs of the session's materialised tables; also at the end of ``with fx.Session() as session``."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def sql(self, query: str) -> Stream:
        """Return the stream of a SQL query over the session's tables. Raises ``ScriptError``."""
        return Stream(self, bind_query(query, catalog=self.catalog, settings=self.settings))

    def query(self, query: str) -> pa.Table:
        """Run a SQL query to its end and return its rows; materialised tables answer as of now. Raises ``ScriptError``."""
        return self.sql(query).to_arrow()

    def table(self, name: str) -> Stream:
        """Return the stream of a table or view of the session."""
        return self.sql(f"SELECT * FROM {quoted(name)}")  # noqa: S608  (the name is quoted)

    def execute(self, script: str) -> None:
        """Run a script of CREATE, SET and INSERT statements to the end of its inserts.

        A materialised table whose input ends is filled then; the job of any other goes on until :meth:`close`.
        """
        self.execute_script(script)

    def load(self, path: str | Path) -> None:
        """Take the settings, functions, tables and views of a pipeline in YAML into the session; nothing runs.

        Raises: ``ScriptError`` FX-YAML-0001 and FX-YAML-0002 for a pipeline that is none, and as a script that can't be bound.
        """
        from fluxcore.api.yaml import read_pipeline  # needed by few programs

        pipeline = read_pipeline(Path(path).read_text("utf-8-sig"), str(path))
        with pipeline.places():
            self.execute_script(pipeline.definitions.text, file=str(path))

    def bind(self, text: str, *, file: str | None = None) -> BoundScript:
        """Parse and bind a whole script against the session's tables; its DDL and SET take effect."""
        self.tables.keep(self.catalog.materialized())
        bound = bind_script(text, file=file, catalog=self.catalog, settings=self.settings)
        self.settings = bound.settings
        return bound

    def steps(self, bound: BoundScript, *, text: str = "", file: str | None = None) -> list[Step]:
        """Return what a script does, in order: consecutive inserts are one job.

        Raises: ``ScriptError`` FX-SQL-0901 for a SELECT after an insert that never ends.
        """
        steps: list[Step] = []
        pending: list[nodes.Insert] = []
        settings = self.settings
        unbounded = False

        def flush() -> None:
            nonlocal unbounded
            if pending:
                unbounded = unbounded or not all(self.is_bounded(insert, settings) for insert in pending)
                steps.append(Step(inserts=tuple(pending), settings=settings))
                pending.clear()

        for statement in bound.statements:
            if isinstance(statement, InsertStatement | StatementSet):
                several = statement.inserts if isinstance(statement, StatementSet) else (statement,)
                settings = several[0].settings if several else settings
                pending += [each.plan for each in several]
                continue
            if isinstance(statement, CommandReply):
                if statement.find is not None:
                    flush()
                steps.append(Step(reply=statement))
                continue
            if isinstance(statement, ExplainStatement):
                plans = statement.plan if isinstance(statement.plan, tuple) else (statement.plan,)
                steps.append(
                    Step(reply=CommandReply(None, ("result",), ((self.explain(*plans, details=statement.details),),)))
                )
                continue
            flush()
            if unbounded:
                what = "a SELECT" if isinstance(statement, SelectStatement) else "a materialised table"
                message = f"{what} can't follow an INSERT that never ends"
                error = ScriptError("FX-SQL-0901", message, span=statement.span, hint="put them into two scripts")
                raise error.located(text, file)
            if isinstance(statement, MaterializedStatement):
                self._check_full(statement, text, file)
                steps.append(Step(table=statement, settings=statement.definition.settings))
            else:
                steps.append(Step(select=statement, settings=statement.settings))
        flush()
        return steps

    def execute_script(
        self,
        text: str,
        *,
        file: str | None = None,
        output: Callable[[SelectStatement], Sink] | None = None,
    ) -> None:
        """Run a whole script: nothing runs unless all of it can be bound.

        ``output`` makes the sink of a SELECT; without it a SELECT is an error.
        """
        for step in self.steps(self.bind(text, file=file), text=text, file=file):
            if step.table is not None:
                self.tables.carry_out(step.table, wait=True)
            if step.inserts or step.select:
                self.start_step(step, output).result()

    def start_script(self, text: str, *, file: str | None = None) -> RunningJob:
        """Start a script whose statements, but for DDL and SET, are inserts that run together; return the job."""
        steps = [step for step in self.steps(self.bind(text, file=file), text=text, file=file) if not step.reply]
        for step in steps:
            if step.table is not None:
                self.tables.carry_out(step.table, wait=True)
        steps = [step for step in steps if step.table is None]
        if len(steps) != 1 or not steps[0].inserts:
            raise ScriptError("FX-API-0007", "the script must hold inserts that run together, and no SELECT")
        return self.start_step(steps[0])

    def start_step(
        self, step: Step, output: Callable[[SelectStatement], Sink] | None = None, *, changelog: bool = False
    ) -> RunningJob:
        """Start one step of a script and return its job."""
        if step.select is not None:
            if output is None:
                raise ScriptError("FX-API-0008", "there is nowhere to put the rows of a SELECT here")
            return self.target.start([(step.select.plan, output(step.select))], step.settings, changelog=changelog)
        return self.target.start([(insert, None) for insert in step.inserts], step.settings)

    def insert(self, table: str | Sink, node: nodes.Node) -> None:
        """Run a plan to its end, writing its rows into a table of the session, columns in order, or into a sink."""
        root = (nodes.Insert(node, self.catalog.table(table)), None) if isinstance(table, str) else (node, table)
        self.target.start([root], self.settings).result()

    def iterate(self, node: nodes.Node, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run a query and return its rows batch by batch."""
        yield from self.target.iterate(node, self.settings, changelog=changelog)  # holds the session, and its tables

    def collect(self, *streams: Stream) -> tuple[pa.Table, ...]:
        """Run several streams to their end in one job; return the rows of each. What they share is computed once."""
        sinks = [CollectSink() for _ in streams]
        roots = [(stream.node, sink) for stream, sink in zip(streams, sinks, strict=True)]
        self.target.start(roots, self.settings).result()
        return tuple(
            stream.table_of([batch.data for batch in sink.batches]) for stream, sink in zip(streams, sinks, strict=True)
        )

    def start(self, outputs: Mapping[str, Stream], *, target: str | None = None) -> RunningJob:
        """Start one job that writes several streams into tables of the session, by the tables' names; return the job.

        ``target`` where it runs, when not where the session's other jobs do.
        """
        inserts = [(nodes.Insert(stream.node, self.catalog.table(table)), None) for table, stream in outputs.items()]
        return (find_target(target) if target else self.target).start(inserts, self.settings)

    def run(self, outputs: Mapping[str, Stream], *, target: str | None = None) -> None:
        """Run one job that writes several streams into tables of the session to its end; ``target`` as in :meth:`start`."""
        self.start(outputs, target=target).result()

    def is_bounded(self, node: nodes.Node, settings: Settings | None = None) -> bool:
        """Return whether a plan ends by itself."""
        return self.target.is_bounded(node, settings or self.settings)

    def _check_full(self, statement: MaterializedStatement, text: str, file: str | None) -> None:
        """Check that what is refreshed in full ends. Raises ``ScriptError`` FX-SQL-0531."""
        definition = statement.definition
        if not definition.full or statement.action is not Action.CREATE:
            return
        if not self.target.is_bounded(definition.plan, definition.settings):
            message = "a table that is refreshed in full needs input that ends, and this never does"
            error = ScriptError("FX-SQL-0531", message, span=statement.span, hint="write REFRESH_MODE = CONTINUOUS")
            raise error.located(text, file)

    def explain(self, *plans: nodes.Node, details: Sequence[str] = ()) -> str:
        """Return plans as they would run together; ``details`` as behind EXPLAIN, such as ``JSON_EXECUTION_PLAN``."""
        return self.target.explain(list(plans), self.settings, details)

    def from_arrow(
        self,
        data: pa.Table | pa.RecordBatch | Sequence[pa.RecordBatch] | pa.RecordBatchReader,
        *,
        name: str = "data",
        watermark: Watermark | None = None,
        endless: bool = False,
    ) -> Stream:
        """Return the stream of Arrow data in memory, also as a table ``name`` for SQL. Nothing is copied.

        ``watermark``: the event-time column and how far out of order its rows may come, such as ``("ts", "5 s")``; or a
        strategy in place of the duration: ``fx.bounded``, ``fx.monotonous``, ``fx.punctuated``, a term, a function or a
        ``fx.WatermarkGenerator``; or ``fx.ingestion_time()`` for the time at which rows come in.
        A ``RecordBatchReader`` is read once, batch by batch as it gives them; say ``endless`` when it never ends.
        """
        if isinstance(data, pa.Table):
            batches, schema = data.to_batches(), data.schema
        elif isinstance(data, pa.RecordBatchReader):
            batches, schema = data, data.schema
        else:
            batches = [data] if isinstance(data, pa.RecordBatch) else list(data)
            schema = batches[0].schema
        memory = registry.find(registry.CONNECTORS, "memory").hold(batches, endless=endless)
        self._memory.append(memory)
        options = {"connector": "memory", "memory.key": memory.key}
        return self.from_connector(name, Schema.from_arrow(schema), options, watermark)

    def from_feed(
        self, feed: Feed, *, schema: pa.Schema | Schema, name: str = "feed", watermark: Watermark | None = None
    ) -> Stream:
        """Return the stream of a source that the program brings, also as a table ``name`` for SQL.

        ``schema``: of its batches; ``watermark`` as in :meth:`from_arrow`.
        """
        memory = registry.find(registry.CONNECTORS, "memory").hold(feed)
        self._memory.append(memory)
        found = schema if isinstance(schema, Schema) else Schema.from_arrow(schema)
        return self.from_connector(name, found, {"connector": "memory", "memory.key": memory.key}, watermark)

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        schema: pa.Schema | Schema,
        format: str | None = None,
        name: str | None = None,
        watermark: Watermark | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Stream:
        """Return the stream of a file or folder, also as a table for SQL (named after the file unless ``name`` is given).

        ``format`` csv, json, parquet or debezium-json, by the suffix when left out; ``options`` as in ``WITH (...)``; ``watermark`` as in
        :meth:`from_arrow`.
        """
        place = Path(path)
        suffixes = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
        chosen = format or suffixes.get(place.suffix.lower())
        if chosen is None:
            raise ScriptError("FX-API-0009", f"the format of '{place}' is not clear", hint="give format='csv'")
        found = schema if isinstance(schema, Schema) else Schema.from_arrow(schema)
        given = {"connector": "filesystem", "path": str(place), "format": chosen, **(options or {})}
        return self.from_connector(name or place.stem, found, given, watermark)

    def register_function(self, name: str, function: Any) -> None:
        """Make a function known to SQL, whatever the case of its letters.

        ``function`` is what :func:`fluxcore.udf`, :func:`fluxcore.udtf` or :func:`fluxcore.udaf` gave, or a plain function with
        type hints. Raises: ``ScriptError`` FX-API-0014 for what is no function, or the name of one that SQL has already.
        """
        try:
            user = described(function, type_of)
        except ScriptError as error:
            if error.code != "FX-API-0052":
                raise
            message = f"'{name}' is registered with what is no function for SQL"
            raise ScriptError("FX-API-0014", message, hint=error.hint) from error
        if is_built_in(name):
            raise ScriptError("FX-API-0014", f"SQL has a function '{name}' already", hint="choose another name")
        self.catalog.functions.put(name, Registered(user, Lifetime.TEMPORARY_SYSTEM))

    def from_connector(
        self, name: str, schema: Schema, options: Mapping[str, str], watermark: Watermark | None = None
    ) -> Stream:
        """Return the stream of a table as ``CREATE TABLE name (…) WITH (options)`` would declare it, also for SQL.

        Raises: ``ScriptError`` FX-SQL-0511 to 0513 for options that the connector doesn't have, lacks or can't read, or what it
        refuses.
        """
        time = schema.find(watermark[0]) if isinstance(watermark, tuple) else None
        description = TableDescription(name, schema, options, time_column=time)
        node = checked_columns(description)
        if watermark is not None:
            node = with_watermark(node, watermark)
        self.catalog.register(name, node)
        return Stream(self, node)


def _from_command_line() -> dict[str, str]:
    """Return the settings that ``fluxcore run JOB.py --set …`` hands to the sessions that the job makes."""
    given = os.environ.get("FLUXCORE_JOB_SETTINGS", "")
    return dict(pair.split("=", 1) for pair in given.split("\n") if pair)
