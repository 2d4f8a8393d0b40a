"""The fluent Python API: each verb gives a new stream over one more node of the plan.

Nothing runs until a result is asked for (``to_arrow``, ``batches``, ``write``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import pyarrow as pa

from fluxcore.api.calls import bind_calls, boolean, over_call
from fluxcore.api.choosing import first_that_holds, sampled
from fluxcore.api.expressions import Term, col, named, term
from fluxcore.api.grouped import Grouped
from fluxcore.api.joining import as_of_join, equal_join, interval_join, join_kind, length, lookup_join, table_join
from fluxcore.api.keyed import Keyed
from fluxcore.api.lookups import lookup_options
from fluxcore.api.processing import (
    Broadcast,
    CallOptions,
    Connected,
    async_call,
    check_function,
    columns_of,
    row_function,
    side_output,
)
from fluxcore.api.windowing import late_rows, windowing
from fluxcore.api.windows import Window
from fluxcore.core.batch_function import BatchFunction
from fluxcore.core.lookups import AskedFunction
from fluxcore.core.ports import CustomOperator
from fluxcore.core.process import ProcessFunction
from fluxcore.core.row_function import Takes
from fluxcore.core.schema import Column, Schema, TimeKind
from fluxcore.core.types import same
from fluxcore.errors import ScriptError
from fluxcore.expr.aggregates import looks_ahead
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan import nodes
from fluxcore.plan.columns import attached_window, named_as, select
from fluxcore.plan.correlate import Correlate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    import polars as pl

    from fluxcore.api.aggregates import Aggregate
    from fluxcore.api.functions import TableTerm
    from fluxcore.api.lookups import Cache, Calls
    from fluxcore.api.processing import CallSettings, RowSchema
    from fluxcore.api.session import Session
    from fluxcore.api.triggers import AnyEvictor, AnyTrigger
    from fluxcore.api.windowing import GlobalWindow, Windowing
    from fluxcore.api.windows import Duration
    from fluxcore.core.async_call import Answer
    from fluxcore.core.ports import Operator, Sink
    from fluxcore.core.row_function import RowFunction

Columns = str | Term
INNER_OR_LEFT = (nodes.JoinKind.INNER, nodes.JoinKind.LEFT)


class Stream:
    """Rows that a plan gives: a table that changes, or the answer of a query. Immutable."""

    def __init__(self, session: Session, node: nodes.Node) -> None:
        self._session = session
        self.node = node

    @property
    def session(self) -> Session:
        """Return the session that the stream belongs to."""
        return self._session

    @property
    def schema(self) -> Schema:
        """Return names and types of the columns."""
        return self.node.schema

    def filter(self, *conditions: Term) -> Stream:
        """Keep the rows for which all conditions hold."""
        node = self.node
        for each in conditions:
            node = nodes.Filter(node, boolean(each.bind(node.schema)))
        return self._with(node)

    def select(self, *columns: Columns, **computed: Any) -> Stream:
        """Take columns by name or term, and ``computed`` ones under their keyword's name."""
        terms = [named(each) for each in columns] + [term(value).alias(name) for name, value in computed.items()]
        exprs = tuple(each.bind(self.schema) for each in terms)
        names = tuple(each.output_name() or f"EXPR${index}" for index, each in enumerate(terms))
        return self._with(nodes.Project(self.node, exprs, names))

    def with_columns(self, **computed: Any) -> Stream:
        """Append computed columns, or replace those of the same name."""
        values = {name: term(value) for name, value in computed.items()}
        kept = [values.pop(name).alias(name) if name in values else col(name) for name in self.schema.names]
        return self.select(*kept, **values)

    def window(
        self,
        window: Window | GlobalWindow,
        *,
        allowed_lateness: Duration | None = None,
        trigger: AnyTrigger | None = None,
        evictor: AnyEvictor | None = None,
    ) -> Stream:
        """Put each row into its windows: the columns window_start, window_end and window_time are appended.

        ``allowed_lateness``: rows that come so long after a window's end, by the watermark, still change its result.
        ``trigger``: when a window gives a result, :func:`on_event_time` by default; ``evictor``: which of its rows it keeps
        then. With any of them, and for global and count windows, :meth:`group_by` must follow. Raises ``ScriptError``.
        """
        chosen = windowing(window, allowed_lateness, trigger, evictor)
        if isinstance(window, Window) and chosen.is_plain:
            return self._with(nodes.AssignWindow(self.node, window.bind(self.schema)))
        return Windowed(self, chosen)

    def join_lateral(self, rows: TableTerm, *, outer: bool = False) -> Stream:
        """Join each row with the rows that a table function, or :func:`fluxcore.unnest`, gives for it.

        A row for which there is none is left out, or with ``outer`` comes out with NULLs.
        Example: ``orders.join_lateral(fx.unnest("items").alias("item"))``. Raises ``ScriptError``.
        """
        call = rows.bind(self.schema)
        names = rows.names or tuple(name for name, _ in call.columns)
        if len(names) != len(call.columns):
            message = f"{len(names)} names are given, and {call.function} gives {len(call.columns)} columns"
            raise ScriptError("FX-API-0053", message)
        return self._with(Correlate(self.node, call, names, outer))

    def late(self) -> Stream:
        """Return the rows that came too late for every window of the aggregate that this stream is, whole as they were.

        Read together, by ``fx.collect`` or ``fx.run``, the aggregate and its late rows are one job.
        """
        return self._with(late_rows(self.node))

    def group_by(self, *columns: Columns, ttl: Duration | None = None) -> Grouped:
        """Group by columns, per window if the rows are in windows; :meth:`Grouped.agg` follows.

        ``ttl``: a group that got no row for so long by the clock is forgotten; as ``table.exec.state.ttl`` says without it.
        """
        return Grouped(self, tuple(named(each) for each in columns), None, None if ttl is None else length(ttl))

    def process(
        self,
        function: ProcessFunction | BatchFunction,
        *,
        by: str | Sequence[str] = (),
        schema: RowSchema,
        time: str | None = None,
    ) -> Stream:
        """Hand the rows to a function, key by key: row by row or, to a ``BatchFunction``, in batches; return what it gives.

        ``by``: the key columns; without any there is one key. ``schema``: the columns of the rows that come out; ``time`` is
        the one that is an event time, if any: its rows must not be older than the watermark. Raises ``ScriptError``.
        """
        check_function(function, ProcessFunction, BatchFunction)
        keys = self._positions([by] if isinstance(by, str) else by)
        return self._with(nodes.Process(self.node, function, keys, columns_of(schema, time)))

    def map(
        self,
        function: Callable[[dict[str, Any]], Mapping[str, Any] | None],
        *,
        schema: RowSchema,
        time: str | None = None,
    ) -> Stream:
        """Call a function for each row, a dict by column name; return the rows that it gives, none where it gives None.

        ``schema`` and ``time`` as in :meth:`process`. The function keeps nothing, gives the same for the same row, and may be
        called from several threads. Raises ``ScriptError`` FX-API-0021.
        """
        return self._mapped(row_function(function, Takes.ROW), columns_of(schema, time))

    def flat_map(
        self,
        function: Callable[[dict[str, Any]], Iterable[Mapping[str, Any]] | None],
        *,
        schema: RowSchema,
        time: str | None = None,
    ) -> Stream:
        """Call a function for each row, as :meth:`map` does; return all the rows that it gives: a list, or a generator's."""
        return self._mapped(row_function(function, Takes.ROWS), columns_of(schema, time))

    def map_batches(
        self, function: Callable[[pa.RecordBatch], Any], *, schema: RowSchema, time: str | None = None
    ) -> Stream:
        """Call a function for each record batch; return the rows that it gives: a batch, a dict of columns, or None.

        As many as came in are one for each. Others are given with the numbers (int64, not falling) of the input rows that they
        came with, ``(rows, numbers)``, where event times or rows that are taken back matter. How rows are cut into batches is
        not fixed. The rest is as in :meth:`map`.
        """
        return self._mapped(row_function(function, Takes.BATCH), columns_of(schema, time))

    def key_by(self, *columns: str) -> Keyed:
        """Return the stream by key, for ``reduce`` and ``process``."""
        self._positions(columns)
        return Keyed(self, columns)

    def map_async(
        self,
        function: Callable[[dict[str, Any]], Awaitable[Answer]],
        *,
        schema: RowSchema,
        time: str | None = None,
        **options: Unpack[CallSettings],
    ) -> Stream:
        """Call an ``async`` function for each row, many at a time; return the rows that it answers with.

        The function takes a row as a dict and answers with one, with several in a list, or with None. ``schema`` and ``time`` as
        in :meth:`process`. Options: ``timeout`` of a row's calls ("10 s"); ``capacity`` how many rows wait for answers (100);
        ``ordered=False`` gives rows as they are answered, though never behind a later watermark; ``retries`` after an error (0),
        each after ``retry_delay`` ("100 ms"); ``on_timeout`` a function that answers for a row that took too long.
        """
        call = async_call(function, CallOptions(**options))
        return self._with(nodes.Process(self.node, call, (), columns_of(schema, time)))

    def transform(
        self,
        make: Callable[[], Operator],
        *,
        by: str | Sequence[str] = (),
        schema: RowSchema,
        time: str | None = None,
        sides: Mapping[str, pa.Schema] | None = None,
    ) -> Stream:
        """Hand the rows to an operator of the program's own; return the rows that it gives, which are never taken back.

        ``make`` makes a ``fx.Operator`` for each task, such as the class itself; ``by`` says how rows are spread over tasks. ``sides``
        are the columns of the side outputs that it gives rows to with ``context.side(tag, batch)``.
        """
        keys = self._positions([by] if isinstance(by, str) else by)
        return self._with(nodes.Process(self.node, CustomOperator(make, sides or {}), keys, columns_of(schema, time)))

    def connect(self, other: Stream | Broadcast) -> Connected:
        """Connect two streams whose rows one function takes: ``a.connect(b).process(function, by="user", schema=…)``.

        With ``a.connect(b.broadcast())`` all rows of ``b`` come to each of the function's tasks.
        """
        return Connected(self, other)

    def broadcast(self) -> Broadcast:
        """Return the stream for :meth:`connect` to send all of its rows to every task."""
        return Broadcast(self)

    def side(self, name: str) -> Stream:
        """Return the rows that the function of :meth:`process` gave to one of its side outputs.

        Read together, by ``fx.collect`` or ``fx.run``, the stream and its sides are one job. Raises ``ScriptError`` FX-API-0020.
        """
        return self._with(side_output(self.node, name))

    def union(self, *others: Stream) -> Stream:
        """Return the rows of this stream and of others with columns of the same types, named as here; duplicates are kept."""
        for other in others:
            if len(other.schema) != len(self.schema) or not all(
                same(a, b) for a, b in zip(self.schema.types, other.schema.types, strict=True)
            ):
                raise ScriptError("FX-API-0004", "a union needs the same column types in all its streams")
        branches = (self.node, *(named_as(other.node, self.schema.names) for other in others))
        columns = (
            Column(
                column.name,
                column.type.with_nullable(any(branch.schema[i].type.nullable for branch in branches)),
                column.time if all(branch.schema[i].time == column.time for branch in branches) else None,
            )
            for i, column in enumerate(self.schema)
        )
        return self._with(nodes.Union(branches, Schema.of(columns)))

    def join(
        self,
        other: Stream,
        on: Sequence[str],
        how: str = "inner",
        *,
        within: tuple[Duration, Duration] | None = None,
        ttl: Duration | tuple[Duration, Duration] | None = None,
    ) -> Stream:
        """Join on equal columns; two windowed streams are joined window by window.

        The other side's key and window columns are dropped. ``how``: inner, left, right, full, semi or anti.
        ``within``: the other side's event time lies so long before, and so long after, this one's (both included); rows
        are forgotten when no partner can come any more. ``ttl``: without windows and ``within``, how long by the clock rows are
        kept, of both sides or of each; as ``table.exec.state.ttl`` says without it.
        """
        kind = join_kind(how, tuple(nodes.JoinKind), "join")
        keys = self._positions(on), other._positions(on)
        if within is None:
            return self._with(equal_join(self.node, other.node, kind, keys, ttl))
        if ttl is not None:
            raise ScriptError("FX-API-0005", "a join takes within or ttl, not both")
        return self._with(interval_join(self.node, other.node, kind, keys, within))

    def join_as_of(
        self, other: Stream, on: Sequence[str], how: str = "inner", *, tolerance: Duration | None = None
    ) -> Stream:
        """Join each row with the other side's last row, by event time, that has the same keys and is not later.

        The other side's key columns are dropped. ``how``: inner, or left to keep rows without one. With a ``tolerance`` a row
        that is older than that does not count. A row comes out when the watermark has passed it.
        """
        kind = join_kind(how, INNER_OR_LEFT, "join as of")
        keys = self._positions(on), other._positions(on)
        return self._with(as_of_join(self.node, other.node, kind, keys, tolerance))

    def lookup(
        self,
        function: Callable[..., Any],
        *,
        on: str | Sequence[str],
        schema: pa.Schema | Mapping[str, pa.DataType],
        how: str = "inner",
        cache: Cache | None = None,
        calls: Calls | None = None,
    ) -> Stream:
        """Join each row with what a function finds for its key: a dict of the columns of ``schema``, several, or None.

        The function, which may be ``async``, takes the values of the columns ``on`` and is called once for each different key
        of a batch that ``cache`` (see ``fx.cache``) does not know; ``calls`` (see ``fx.calls``) says how. Rows of one key
        keep their order; those whose key is NULL find nothing. ``how``: inner, or left to keep rows for which nothing is found.
        Raises ``ScriptError``.
        """
        kind = join_kind(how, INNER_OR_LEFT, "lookup")
        keys = self._positions([on] if isinstance(on, str) else on)
        columns = Schema.from_arrow(schema if isinstance(schema, pa.Schema) else pa.schema(list(schema.items())))
        if not keys or not columns.columns:
            hint = "on=['id'], schema={'name': pa.string()}"
            raise ScriptError("FX-API-0005", "a lookup needs keys and columns", hint=hint)
        asked = AskedFunction(function, self.schema.select(keys), columns, lookup_options(cache, calls))
        return self._with(lookup_join(self.node, kind, keys, asked))

    def enrich(self, table: Stream, on: Sequence[str], how: str = "left") -> Stream:
        """Give each row the columns that another stream, as a table, has for its key at the moment that the row comes.

        Bounded input of the table is read first; where it has an event time :meth:`join_as_of` asks for the row's own moment.
        ``how``: left, with NULLs where there is none, or inner. Raises ``ScriptError``.
        """
        kind = join_kind(how, INNER_OR_LEFT, "enriching join")
        keys = self._positions(on), table._positions(on)
        return self._with(table_join(self.node, table.node, kind, keys))

    def top(
        self,
        rows: int,
        *,
        by: str | Sequence[str],
        per: Sequence[str] = (),
        ascending: bool = False,
        rank: str = "",
        ttl: Duration | None = None,
    ) -> Stream:
        """Keep the first ``rows`` rows in an order, largest first unless ``ascending``; per window and per ``per``.

        ``rank`` names an appended column with the place, from 1. ``ttl``: where no row got among the first of a ``per`` for so
        long by the clock, they are forgotten; as ``table.exec.state.ttl`` says without it.
        """
        keys = self._positions([by] if isinstance(by, str) else by)
        order = tuple(nodes.SortKey(index, not ascending, ascending) for index in keys)
        window = attached_window(self.node)
        node = nodes.Rank(self.node, self._positions(per), order, rows, number=rank or None, window=window)
        if ttl is not None and window is None:
            node = replace(node, ttl_ms=length(ttl))
        return self._with(node)

    def deduplicate(self, on: str | Sequence[str], keep: str = "first") -> Stream:
        """Keep one row of each key: the first or the last one by event time, or by arrival where the rows have none.

        Of rows in windows it keeps one of each key and window, when the window is complete; else the row that is kept may be
        replaced as rows come. Of equal times the row that came first counts as the first, the one that came last as the last.
        """
        if keep not in ("first", "last"):
            raise ScriptError("FX-API-0005", f"a row can't be kept by '{keep}'", hint="first or last")
        last = keep == "last"
        time = next((index for index, column in enumerate(self.schema) if column.time is TimeKind.EVENT), None)
        window = attached_window(self.node)
        order = () if time is None else (nodes.SortKey(time, last, not last),)
        keys = self._positions([on] if isinstance(on, str) else on)
        return self._with(nodes.Rank(self.node, keys, order, 1, window=window, later_first=last))

    def over(
        self,
        *,
        partition_by: str | Sequence[str] = (),
        order_by: str | Sequence[str] = (),
        ascending: bool = True,
        **functions: Aggregate,
    ) -> Stream:
        """Append functions over each partition in an order, such as ``previous=fx.lag("delay")``.

        By event time, ascending, rows come out as the watermark passes them. In any other order, or where a function looks at
        rows behind the current one, the input must end. An aggregate goes over all rows up to the current one's peers, or
        over the frame that it names: ``fx.sum("delay").rows(3)``. Without ``order_by`` it goes over the whole partition.
        """
        partition = self._positions([partition_by] if isinstance(partition_by, str) else partition_by)
        names = [order_by] if isinstance(order_by, str) else list(order_by)
        order = tuple(nodes.SortKey(index, not ascending, ascending) for index in self._positions(names))
        base, calls = bind_calls(self.node, functions)
        overs = tuple(over_call(call, each, order) for call, each in zip(calls, functions.values(), strict=True))
        ahead = any(looks_ahead(over.call.function, over.preceding, over.following) for over in overs)
        by_time = len(order) == 1 and ascending and self.schema[order[0].column].time is TimeKind.EVENT and not ahead
        time = order[0].column if by_time else None
        node = nodes.Over(base, partition, time, overs, tuple(functions), () if by_time else order)
        width, extra = len(self.schema), len(base.schema) - len(self.schema)
        kept = [*range(width), *range(width + extra, width + extra + len(functions))]
        return self._with(select(node, kept))

    def sample(self, share: float, *, by: str | Sequence[str] = (), seed: int = 0) -> Stream:
        """Keep about a share (0 to 1) of the rows, chosen by a hash of all columns, or of the columns ``by``.

        With ``by`` all rows of a chosen key are kept, such as all events of a tenth of the users. The same rows are chosen each
        time, and on Flink too; another ``seed`` chooses others. Raises ``ScriptError`` FX-API-0003.
        """
        chosen = self._positions([by] if isinstance(by, str) else by) or range(len(self.schema))
        return self._with(nodes.Filter(self.node, sampled(self.schema, chosen, share, seed)))

    def split(self, *conditions: Term) -> tuple[Stream, ...]:
        """Return a stream for each condition, and one for the rest: each row goes to the first that holds for it.

        Read together, by ``fx.collect`` or ``fx.run``, the streams are one job.
        """
        bound = [boolean(each.bind(self.schema)) for each in conditions]
        return tuple(
            self if condition is None else self._with(nodes.Filter(self.node, condition))
            for condition in first_that_holds(bound)
        )

    def sort(self, *columns: str, ascending: bool = True) -> Stream:
        """Order the final rows of bounded input."""
        keys = tuple(nodes.SortKey(index, not ascending, ascending) for index in self._positions(columns))
        return self._with(nodes.Sort(self.node, keys))

    def limit(self, rows: int) -> Stream:
        """Keep the first rows of bounded input."""
        if isinstance(self.node, nodes.Sort) and self.node.limit is None:
            return self._with(replace(self.node, limit=rows))
        return self._with(nodes.Sort(self.node, (), rows))

    def batches(self, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run and return the rows batch by batch, as they come; closing the iterator stops the job.

        With ``changelog`` a first column ``op`` says +I, -U, +U or -D.
        """
        return self._session.iterate(self.node, changelog=changelog)

    def to_arrow(self) -> pa.Table:
        """Run to the end and return the rows."""
        return self.table_of(list(self.batches()))

    def table_of(self, batches: Sequence[pa.RecordBatch]) -> pa.Table:
        """Return batches of the stream's rows as a table."""
        plain = pa.schema([pa.field(field.name, field.type) for field in self.schema.arrow()])
        # readers mark columns that are never NULL, operators don't
        same = (b if b.schema.equals(plain) else pa.RecordBatch.from_arrays(b.columns, schema=plain) for b in batches)
        return pa.Table.from_batches(list(same), schema=plain)

    def to_polars(self) -> pl.DataFrame:
        """Run to the end and return the rows as a Polars frame over the same memory. Needs ``polars``."""
        import polars  # an optional library

        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_pandas(self) -> pd.DataFrame:
        """Run to the end and return the rows as a pandas frame with Arrow-backed columns, not copied. Needs ``pandas``."""
        import pandas  # an optional library

        return self.to_arrow().to_pandas(types_mapper=pandas.ArrowDtype)

    def write(self, table: str | Sink) -> None:
        """Run to the end, writing the rows into a table of the session, or into a ``fx.Sink`` of the program's own."""
        self._session.insert(table, self.node)

    def explain(self) -> str:
        """Return the plan as it would run."""
        return self._session.explain(self.node)

    def _mapped(self, function: RowFunction, columns: Schema) -> Stream:
        return self._with(nodes.Map(self.node, function, columns))

    def _with(self, node: nodes.Node) -> Stream:
        return Stream(self._session, node)

    def _positions(self, columns: Sequence[str]) -> tuple[int, ...]:
        found = (col(name).bind(self.schema) for name in columns)
        return tuple(expr.index for expr in found if isinstance(expr, ColumnRef))

    def __repr__(self) -> str:
        return "Stream(" + ", ".join(column.describe() for column in self.schema) + ")"


class Windowed(Stream):
    """Rows in windows with a trigger, allowed lateness or an evictor: :meth:`group_by` must follow."""

    def __init__(self, stream: Stream, window: Windowing) -> None:
        self._session = stream._session
        self._stream = stream
        self._window = window

    @property
    def node(self) -> nodes.Node:  # type: ignore[override]
        """Refuse: there are no rows before they are grouped."""
        message = "windows with a trigger, lateness or an evictor, and global ones, are there to be aggregated"
        raise ScriptError("FX-API-0031", message, hint="let group_by(…).agg(…) follow, and filter before")

    @property
    def schema(self) -> Schema:
        return self._stream.schema

    def group_by(self, *columns: Columns, ttl: Duration | None = None) -> Grouped:
        """Group by columns, per window; :meth:`Grouped.agg` follows. A window says itself how long it lasts: no ``ttl``."""
        if ttl is not None:
            raise ScriptError("FX-API-0031", "windows with a trigger take no ttl", hint="purge, or evict rows")
        return Grouped(self._stream, tuple(named(each) for each in columns), self._window)
