"""Logical plan nodes.

Every node is an immutable value that states its schema and its inputs; equal nodes compute the same rows, so a plan is a
graph in which equal sub-plans are one. SQL, the Python API and other builders make these nodes, the optimiser's rules
rewrite them, and targets execute or print them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fluxcore.core.schema import Column, Schema, TimeKind
from fluxcore.core.types import BIGINT, TimestampType
from fluxcore.core.user_code import title_of
from fluxcore.expr.nodes import Call, ColumnRef
from fluxcore.expr.show import show_expr
from fluxcore.plan.hashes import remember_hashes

if TYPE_CHECKING:
    from fluxcore.core.async_call import AsyncCall
    from fluxcore.core.batch_function import BatchFunction
    from fluxcore.core.ports import CustomOperator, TableDescription
    from fluxcore.core.process import BroadcastFunction, ProcessFunction, TwoInputFunction
    from fluxcore.core.types import DataType
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import AggCall, Expr, Literal


class Node:
    """The root of all plan nodes."""

    @property
    def schema(self) -> Schema:
        """Return the columns of the rows that the node gives."""
        raise NotImplementedError

    @property
    def inputs(self) -> tuple[Node, ...]:
        """Return the nodes whose rows the node takes."""
        return ()

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:  # noqa: ARG002
        """Return the same node over other inputs (of equal schemas but for nullability)."""
        return self

    def describe(self) -> str:
        """Return the node in one line for EXPLAIN, without its inputs."""
        return type(self).__name__


@dataclass(frozen=True)
class OneInput(Node):
    """A node with a single input."""

    input: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        return replace(self, input=inputs[0])

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True)
class TwoInputs(Node):
    """A node with a left and a right input."""

    left: Node
    right: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        return replace(self, left=inputs[0], right=inputs[1])


@dataclass(frozen=True)
class Scan(Node):
    """Reads a table's columns ``columns`` (positions in the table's schema); ``predicate`` over those columns, pushed down.

    With a ``limit`` nobody needs more rows than that of those that pass, so that the reader may stop. ``partitions`` is a
    condition over the columns that the table is partitioned by (places in ``partitioned_by``): others are not read.
    """

    table: TableDescription
    columns: tuple[int, ...]
    predicate: Expr | None = None
    limit: int | None = None
    partitions: Expr | None = None

    @cached_property
    def schema(self) -> Schema:
        return self.table.schema.select(self.columns)

    def describe(self) -> str:
        where = "" if self.predicate is None else f", where={show(self.predicate, self.schema)}"
        limit = "" if self.limit is None else f", limit={self.limit}"
        keys = self.table.schema.select(self.table.partitioned_by)
        pruned = "" if self.partitions is None else f", partitions={show(self.partitions, keys)}"
        return f"Scan({self.table.name}, columns=[{', '.join(self.schema.names)}]{pruned}{where}{limit})"


@dataclass(frozen=True)
class Values(Node):
    """Constant rows: of literals, and of what the session's zone decides."""

    columns: Schema
    rows: tuple[tuple[Expr, ...], ...]

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        return f"Values({len(self.rows)} rows)"


@dataclass(frozen=True)
class Project(OneInput):
    """Computes columns. A plain reference to a time attribute stays one, and PROCTIME() makes one."""

    exprs: tuple[Expr, ...]
    names: tuple[str, ...]

    @cached_property
    def schema(self) -> Schema:
        source = self.input.schema
        return Schema.of(
            Column(name, expr.type, _time_of(expr, source)) for name, expr in zip(self.names, self.exprs, strict=True)
        )

    def describe(self) -> str:
        shown = (
            show(expr, self.input.schema) + ("" if show(expr, self.input.schema) == name else f" AS {name}")
            for name, expr in zip(self.names, self.exprs, strict=True)
        )
        return f"Project({', '.join(shown)})"


@dataclass(frozen=True)
class Filter(OneInput):
    """Keeps the rows for which ``condition`` is true."""

    condition: Expr

    def describe(self) -> str:
        return f"Filter({show(self.condition, self.input.schema)})"


@dataclass(frozen=True)
class AssignWatermark(OneInput):
    """Makes column ``column`` the event-time attribute; each row's watermark candidate is ``expr`` (a timestamp).

    With a ``generator`` it is what that says instead: a function of the batch's event times (ms) and the batch, or a
    ``WatermarkGenerator`` of which each split has a copy.
    """

    column: int
    expr: Expr
    generator: Any = None

    @cached_property
    def schema(self) -> Schema:
        columns = list(self.input.schema.columns)
        columns[self.column] = replace(columns[self.column], time=TimeKind.EVENT)
        return Schema.of(columns)

    def describe(self) -> str:
        name = getattr(self.generator, "__name__", type(self.generator).__name__)
        how = show(self.expr, self.input.schema) if self.generator is None else name
        return f"AssignWatermark({self.input.schema[self.column].name}, {how})"


def _time_of(expr: Expr, source: Schema) -> TimeKind | None:
    if isinstance(expr, ColumnRef):
        return source[expr.index].time
    return TimeKind.PROCESSING if isinstance(expr, Call) and expr.function == "PROCTIME" else None


@dataclass(frozen=True)
class StampTime(OneInput):
    """Writes the time of the clock into column ``column`` as rows pass, and makes it the time that watermarks follow."""

    column: int

    @cached_property
    def schema(self) -> Schema:
        columns = [replace(each, time=None) if each.time is TimeKind.EVENT else each for each in self.input.schema]
        columns[self.column] = replace(columns[self.column], time=TimeKind.EVENT)
        return Schema.of(columns)

    def describe(self) -> str:
        return f"StampTime({self.input.schema[self.column].name})"


class WindowKind(Enum):
    """The window table functions, and the one window for all times."""

    TUMBLE = "TUMBLE"
    HOP = "HOP"
    CUMULATE = "CUMULATE"
    SESSION = "SESSION"
    GLOBAL = "GLOBAL"


@dataclass(frozen=True)
class WindowSpec:
    """How rows fall into windows: all lengths in ms.

    ``time`` the position of the time attribute (-1: none, of a global window); ``size`` the window's length (the gap of a
    session, the longest window of CUMULATE); ``slide`` the distance of two windows (equal to size for TUMBLE; the step of CUMULATE);
    ``local`` whether they lie in the session's local time, as those of a TIMESTAMP_LTZ do.
    """

    kind: WindowKind
    time: int
    size: int
    slide: int
    offset: int = 0
    partition: tuple[int, ...] = ()
    local: bool = False

    @property
    def time_type(self) -> TimestampType:
        """Return the type of an aggregated window's time."""
        return TimestampType(precision=3, local=self.local)

    def describe(self) -> str:
        """Return the window in one piece for EXPLAIN."""
        parts = [f"size={self.size} ms"]
        if self.kind in (WindowKind.HOP, WindowKind.CUMULATE):
            parts.append(f"{'slide' if self.kind is WindowKind.HOP else 'step'}={self.slide} ms")
        if self.kind is WindowKind.SESSION:
            parts = [f"gap={self.size} ms"]
        if self.kind is WindowKind.GLOBAL:
            parts = []
        if self.offset:
            parts.append(f"offset={self.offset} ms")
        return f"{self.kind.value}({', '.join(parts)})" if parts else self.kind.value


WINDOW_TYPE = TimestampType(precision=3, nullable=False)


def window_columns(time_type: DataType) -> tuple[Column, ...]:
    """Return window_start, window_end and window_time, of which the last has a type."""
    time_type = time_type.with_nullable(False)
    return (
        Column("window_start", WINDOW_TYPE),
        Column("window_end", WINDOW_TYPE),
        Column("window_time", time_type, TimeKind.EVENT),
    )


@dataclass(frozen=True)
class AssignWindow(OneInput):
    """Gives each row once for every window that it falls in, with window_start, window_end and window_time appended."""

    window: WindowSpec

    @cached_property
    def schema(self) -> Schema:
        columns = self.input.schema.columns
        time_type = columns[self.window.time].type
        columns = tuple(replace(c, time=None) if c.time is TimeKind.EVENT else c for c in columns)
        return Schema.of(columns + window_columns(time_type))

    def describe(self) -> str:
        source, window = self.input.schema, self.window
        by = f", by=[{', '.join(source[index].name for index in window.partition)}]" if window.partition else ""
        return f"AssignWindow({source[window.time].name}, {window.describe()}{by})"


@dataclass(frozen=True)
class Attached:
    """The window that rows already carry: positions of its start and end in the input, and where it came from."""

    start: int
    end: int
    spec: WindowSpec


@dataclass(frozen=True)
class WindowAggregate(OneInput):
    """Aggregates per key and window; gives keys, aggregates, window_start, window_end, window_time.

    With a ``WindowSpec`` it assigns windows itself and shares slices; with ``Attached`` the rows carry their window.
    """

    window: WindowSpec | Attached
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    names: tuple[str, ...]

    @property
    def spec(self) -> WindowSpec:
        """Return the window's shape, wherever the windows were assigned."""
        return self.window.spec if isinstance(self.window, Attached) else self.window

    @cached_property
    def schema(self) -> Schema:
        source = self.input.schema
        keys = tuple(replace(source[index], time=None) for index in self.keys)
        results = tuple(Column(name, call.type) for name, call in zip(self.names, self.calls, strict=True))
        return Schema.of(keys + results + window_columns(self.spec.time_type))

    def describe(self) -> str:
        attached = ", attached" if isinstance(self.window, Attached) else ""
        source = self.input.schema
        keys = ", ".join(source[index].name for index in self.keys)
        calls = ", ".join(show_call(call, source) for call in self.calls)
        return f"WindowAggregate({self.spec.describe()}{attached}, by=[{keys}], calls=[{calls}])"


@dataclass(frozen=True)
class Aggregate(OneInput):
    """Aggregates per key without a window; its rows are updated as the input goes on. DISTINCT has no calls.

    ``ttl_ms`` is how long by the clock a group is kept that gets no row: 0 for ever, None as the settings say.
    """

    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    names: tuple[str, ...]
    ttl_ms: int | None = None

    @cached_property
    def schema(self) -> Schema:
        source = self.input.schema
        keys = tuple(replace(source[index], time=None) for index in self.keys)
        results = tuple(Column(name, call.type) for name, call in zip(self.names, self.calls, strict=True))
        return Schema.of(keys + results)

    def describe(self) -> str:
        source = self.input.schema
        keys = ", ".join(source[index].name for index in self.keys)
        calls = ", ".join(show_call(call, source) for call in self.calls)
        return f"Aggregate(by=[{keys}], calls=[{calls}])"


class JoinKind(Enum):
    """Which rows without a partner come out too."""

    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    SEMI = "SEMI"
    ANTI = "ANTI"


@dataclass(frozen=True)
class Interval:
    """How far apart two rows may be in event time: right time - left time is from ``low`` to ``high`` ms, both included.

    ``left`` and ``right`` are the positions of the times in their inputs.
    """

    left: int
    right: int
    low: int
    high: int


@dataclass(frozen=True)
class Join(TwoInputs):
    """Joins on equal keys and a condition over both sides' columns (left's first).

    ``left_window`` and ``right_window`` (positions of start and end) make it a window join: rows meet only within the
    same window, and a window's rows come out when it fires. With an ``interval`` of append-only rows each row is forgotten
    when no partner can come any more, and comes out alone only then. Otherwise it is a regular join over changelogs, whose
    rows are kept for ``ttl_ms`` (left, right) by the clock: 0 for ever, None as the settings say.
    """

    kind: JoinKind
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    condition: Expr | None = None
    left_window: Attached | None = None
    right_window: Attached | None = None
    interval: Interval | None = None
    ttl_ms: tuple[int | None, int | None] = (None, None)

    @cached_property
    def schema(self) -> Schema:
        left, right = self.left.schema.columns, self.right.schema.columns
        if self.kind in (JoinKind.SEMI, JoinKind.ANTI):
            return Schema.of(left if self.left_window else tuple(replace(column, time=None) for column in left))
        if self.kind in (JoinKind.RIGHT, JoinKind.FULL):
            left = tuple(replace(column, type=column.type.with_nullable(True)) for column in left)
        if self.kind in (JoinKind.LEFT, JoinKind.FULL):
            right = tuple(replace(column, type=column.type.with_nullable(True)) for column in right)
        if self.left_window is None:
            kept = (self.kind in (JoinKind.INNER, JoinKind.LEFT), self.kind in (JoinKind.INNER, JoinKind.RIGHT))
            left, right = (
                side if self.interval and never_null else tuple(replace(column, time=None) for column in side)
                for side, never_null in zip((left, right), kept, strict=True)
            )
        return Schema.of(left + right)

    def describe(self) -> str:
        left, right = self.left.schema, self.right.schema
        keys = ", ".join(
            f"{left[a].name} = {right[b].name}" for a, b in zip(self.left_keys, self.right_keys, strict=True)
        )
        both = Schema.of(left.columns + right.columns)
        rest = f", where={show(self.condition, both)}" if self.condition is not None else ""
        if self.interval:
            rest += f", apart=[{self.interval.low} ms, {self.interval.high} ms]"
        form = "Window" if self.left_window else "Interval" if self.interval else ""
        return f"{form}Join({self.kind.value}, on=[{keys}]{rest})"


@dataclass(frozen=True)
class TemporalJoin(TwoInputs):
    """Gives each left row with the right rows of its key as they were at the left row's time (INNER or LEFT).

    With ``times`` (positions of event times) the right side is versions, of which the last one not after the left row counts;
    without, it is as it stands. ``right_key`` are columns of which it has one row at a time, where they are known.
    """

    kind: JoinKind
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    times: tuple[int, int] | None = None
    condition: Expr | None = None
    right_key: tuple[int, ...] = ()

    @cached_property
    def schema(self) -> Schema:
        right = tuple(replace(column, time=None) for column in self.right.schema.columns)
        if self.kind is JoinKind.LEFT:
            right = tuple(replace(column, type=column.type.with_nullable(True)) for column in right)
        return Schema.of(self.left.schema.columns + right)

    def describe(self) -> str:
        left, right = self.left.schema, self.right.schema
        pairs = zip(self.left_keys, self.right_keys, strict=True)
        keys = ", ".join(f"{left[a].name} = {right[b].name}" for a, b in pairs)
        both = Schema.of(left.columns + right.columns)
        rest = f", where={show(self.condition, both)}" if self.condition is not None else ""
        at = f"as of {left[self.times[0]].name}" if self.times else "as it stands"
        return f"TemporalJoin({self.kind.value}, on=[{keys}], {at}{rest})"


@dataclass(frozen=True)
class SortKey:
    """One key of an order. Flink's default: NULLs first when ascending, last when descending."""

    column: int
    descending: bool = False
    nulls_first: bool = True

    def describe(self, schema: Schema) -> str:
        """Return the key as in ORDER BY."""
        nulls = "" if self.nulls_first != self.descending else f" NULLS {'FIRST' if self.nulls_first else 'LAST'}"
        return f"{schema[self.column].name}{' DESC' if self.descending else ''}{nulls}"


@dataclass(frozen=True)
class Rank(OneInput):
    """Keeps rows ``first..last`` (from 1) of each partition in an order; ``number`` names an appended row-number column.

    With ``window`` the ranking is within each window and comes out when it fires; otherwise it is updated for ever. Of equal
    rows the one that came first ranks first, or with ``later_first`` the last one: so the last of a time is kept. Without a
    window ``ttl_ms`` is how long by the clock a partition is kept that doesn't change: 0 for ever, None as the settings say.
    """

    partition: tuple[int, ...]
    order: tuple[SortKey, ...]
    last: int
    first: int = 1
    number: str | None = None
    window: Attached | None = None
    later_first: bool = False
    ttl_ms: int | None = None

    @cached_property
    def schema(self) -> Schema:
        columns = self.input.schema.columns
        if self.number is not None:
            columns = (*columns, Column(self.number, BIGINT.with_nullable(False)))
        return Schema.of(columns)

    def describe(self) -> str:
        source = self.input.schema
        partition = ", ".join(source[index].name for index in self.partition)
        order = ", ".join(key.describe(source) for key in self.order)
        where = "Window" if self.window else ""
        ties = ", ties=[later first]" if self.later_first else ""
        return f"{where}Rank(by=[{partition}], order=[{order}], rows={self.first}..{self.last}{ties})"


@dataclass(frozen=True)
class OverCall:
    """One function over an ordered partition and its frame; ``call.parameters`` holds constants such as LAG's offset.

    ``preceding`` and ``following`` say how far the frame reaches before and behind the current row: in rows, or with a RANGE
    frame in what the order counts in (ms of a time). None is the partition's edge, a negative number points the other way; a
    RANGE frame of 0 ends at the last peer of the current row.
    """

    call: AggCall
    rows: bool = True
    preceding: float | None = None
    following: float | None = 0

    def describe(self, source: Schema) -> str:
        """Return the call and its frame as in SQL."""
        kind = "ROWS" if self.rows else "RANGE"
        bounds = [_bound(self.preceding, "PRECEDING", "FOLLOWING"), _bound(self.following, "FOLLOWING", "PRECEDING")]
        plain = self.preceding is None and self.following == 0 and not self.rows
        return show_call(self.call, source) + ("" if plain else f" {kind} {bounds[0]}..{bounds[1]}")


def _bound(reach: float | None, ahead: str, back: str) -> str:
    if reach is None:
        return f"UNBOUNDED {ahead}"
    return "CURRENT ROW" if reach == 0 else f"{abs(reach)} {ahead if reach > 0 else back}"


@dataclass(frozen=True)
class Over(OneInput):
    """Appends functions over each partition in event-time order; rows come out when the watermark passes them.

    Without a ``time`` it is ``order`` instead, of bounded input: all rows come out at its end.
    """

    partition: tuple[int, ...]
    time: int | None
    calls: tuple[OverCall, ...]
    names: tuple[str, ...]
    order: tuple[SortKey, ...] = ()

    @property
    def at_end(self) -> bool:
        """Return whether all rows come out at the end of the input."""
        return self.time is None

    @cached_property
    def schema(self) -> Schema:
        columns = self.input.schema.columns
        if self.at_end:  # no watermark goes by their times any more
            columns = tuple(replace(column, time=None) for column in columns)
        results = tuple(Column(name, over.call.type) for name, over in zip(self.names, self.calls, strict=True))
        return Schema.of(columns + results)

    def describe(self) -> str:
        source = self.input.schema
        partition = ", ".join(source[index].name for index in self.partition)
        calls = ", ".join(over.describe(source) for over in self.calls)
        order = (
            source[self.time].name if self.time is not None else ", ".join(each.describe(source) for each in self.order)
        )
        return f"Over(by=[{partition}], order=[{order}], calls=[{calls}])"


@dataclass(frozen=True)
class Process(OneInput):
    """Hands the rows of each key to a function written in Python, which keeps state and gives rows of its own."""

    function: ProcessFunction | BatchFunction | AsyncCall | CustomOperator
    keys: tuple[int, ...]
    columns: Schema

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        keys = ", ".join(self.input.schema[index].name for index in self.keys)
        return f"Process({title_of(self.function)}, by=[{keys}])"


@dataclass(frozen=True)
class Connect(TwoInputs):
    """Hands the rows of two inputs to one function written in Python: by key, or with ``broadcast`` all right rows to all."""

    function: TwoInputFunction | BroadcastFunction
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    columns: Schema
    broadcast: bool = False

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        left, right = self.left.schema, self.right.schema
        pairs = zip(self.left_keys, self.right_keys or self.left_keys, strict=True)
        keys = ", ".join(left[a].name if self.broadcast else f"{left[a].name} = {right[b].name}" for a, b in pairs)
        return f"{'Broadcast' if self.broadcast else 'Connect'}({type(self.function).__name__}, by=[{keys}])"


@dataclass(frozen=True)
class SideOutput(OneInput):
    """The rows that the operator of ``input`` gives beside its own, under a tag; they are never taken back.

    ``columns`` are theirs; the input's operator sees all columns of its own input, so that none of them is missing here.
    """

    tag: str
    columns: Schema

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        return f"SideOutput({self.tag})"


@dataclass(frozen=True)
class Union(Node):
    """All rows of all inputs (UNION ALL)."""

    branches: tuple[Node, ...]
    columns: Schema

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.branches

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        return replace(self, branches=inputs)

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        return f"Union({len(self.branches)} inputs)"


@dataclass(frozen=True)
class Sort(OneInput):
    """Orders bounded input at its end; ``limit`` and ``offset`` keep a part of it (limit None keeps all)."""

    keys: tuple[SortKey, ...]
    limit: int | None = None
    offset: int = 0

    def describe(self) -> str:
        order = ", ".join(key.describe(self.input.schema) for key in self.keys)
        limit = f", limit={self.limit}" if self.limit is not None else ""
        offset = f", offset={self.offset}" if self.offset else ""
        return f"Sort([{order}]{limit}{offset})"


@dataclass(frozen=True)
class TimeSort(OneInput):
    """Orders rows that never end by event time, which is the first key; they come out when the watermark passes them."""

    keys: tuple[SortKey, ...]

    def describe(self) -> str:
        return f"TimeSort([{', '.join(key.describe(self.input.schema) for key in self.keys)}])"


@dataclass(frozen=True)
class Insert(OneInput):
    """Writes rows into a table's sink.

    With ``overwrite`` they take the place of what the table or their partitions held; ``fixed`` are the constants of PARTITION.
    """

    table: TableDescription
    span: Span | None = field(default=None, compare=False)
    overwrite: bool = False
    fixed: tuple[tuple[int, Literal], ...] = ()

    def describe(self) -> str:
        return f"Insert({self.table.name}{', overwrite' if self.overwrite else ''})"


def show(expr: Expr, schema: Schema) -> str:
    """Return an expression as readable SQL with column names."""
    return show_expr(expr, schema.names)


def show_call(call: AggCall, schema: Schema) -> str:
    """Return an aggregate call as readable SQL."""
    args = [schema[index].name for index in call.args] + [str(value) for value in call.parameters]
    inside = ("DISTINCT " if call.distinct else "") + (", ".join(args) or "*")
    where = f" FILTER (WHERE {schema[call.where].name})" if call.where is not None else ""
    return f"{call.function}({inside}){where}"


remember_hashes(Node)
