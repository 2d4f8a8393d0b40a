"""Nodes that give rows, pass them on, or change each by itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema, TimeKind
from fluxcore.expr.nodes import Call, ColumnRef
from fluxcore.plan.nodes.node import Node, OneInput, show

if TYPE_CHECKING:
    from fluxcore.core.ports import TableDescription
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import Expr, Literal


@dataclass(frozen=True)
class Scan(Node):
    """Reads a table's columns ``columns`` (positions in the table's schema); ``predicate`` over those columns, pushed down.

    With a ``limit`` nobody needs more rows than that of those that pass, so that the reader may stop. ``partitions`` is a
    condition over the columns that the table is partitioned by (places in ``partitioned_by``): others are not read. ``first``
    marks that of two readings of a table which is done before the other where the order is free.
    """

    table: TableDescription
    columns: tuple[int, ...]
    predicate: Expr | None = None
    limit: int | None = None
    partitions: Expr | None = None
    first: bool = False

    @cached_property
    def schema(self) -> Schema:
        return self.table.schema.select(self.columns)

    def describe(self) -> str:
        where = "" if self.predicate is None else f", where={show(self.predicate, self.schema)}"
        limit = "" if self.limit is None else f", limit={self.limit}"
        keys = self.table.schema.select(self.table.partitioned_by)
        pruned = "" if self.partitions is None else f", partitions={show(self.partitions, keys)}"
        first = ", first" if self.first else ""
        return f"Scan({self.table.name}, columns=[{', '.join(self.schema.names)}]{pruned}{where}{limit}{first})"


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


def _time_of(expr: Expr, source: Schema) -> TimeKind | None:
    if isinstance(expr, ColumnRef):
        return source[expr.index].time
    return TimeKind.PROCESSING if isinstance(expr, Call) and expr.function == "PROCTIME" else None


@dataclass(frozen=True)
class Filter(OneInput):
    """Keeps the rows for which ``condition`` is true."""

    condition: Expr

    def describe(self) -> str:
        return f"Filter({show(self.condition, self.input.schema)})"


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
