"""CURRENT_WATERMARK(time): the watermark that a row meets, as a column that a node of its own appends below the expression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema, TimeKind
from fluxcore.core.types import TimestampType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr.nodes import Call, ColumnRef, Expr, transform, walk
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import Filter, Join, OneInput, Project, TemporalJoin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node

NAME = "CURRENT_WATERMARK"


@dataclass(frozen=True)
class CurrentWatermark(OneInput):
    """Appends the watermark that stood before each row, NULL before the first, in the type of event-time column ``time``."""

    time: int

    @cached_property
    def schema(self) -> Schema:
        time = self.input.schema[self.time].type
        assert isinstance(time, TimestampType)
        return Schema.of((*self.input.schema, Column(NAME, replace(time, precision=3, nullable=True))))

    def describe(self) -> str:
        return f"CurrentWatermark({self.input.schema[self.time].name})"


def with_watermarks(root: Node) -> Node:
    """Return the plan with the column of a :class:`CurrentWatermark` in place of each call.

    Raises: ``ScriptError`` FX-SQL-0403 for a column that is no event time, FX-SQL-0900 for a call in the condition of a join.
    """

    def put(node: Node) -> Node:
        match node:
            case Project() if calls := _calls(node.exprs):
                below, exprs = _appended(node.input, calls, node.exprs)
                return replace(node, input=below, exprs=exprs)
            case Filter() if calls := _calls((node.condition,)):
                below, (condition,) = _appended(node.input, calls, (node.condition,))
                columns = list(enumerate(node.schema))
                kept = tuple(ColumnRef(index=index, type=column.type) for index, column in columns)
                return Project(Filter(below, condition), kept, tuple(column.name for _, column in columns))
        if isinstance(node, Join | TemporalJoin | LookupJoin | Correlate) and node.condition is not None:
            for call in _calls((node.condition,)):
                raise not_supported(
                    f"{NAME} in the condition of a join", span=call.span, hint="select it before the join"
                )
        return node

    return rewrite([root], put)[0]


def _calls(exprs: Sequence[Expr]) -> list[Call]:
    found = (node for expr in exprs for node in walk(expr) if isinstance(node, Call) and node.function == NAME)
    return list(dict.fromkeys(found))


def _appended(node: Node, calls: Sequence[Call], exprs: Sequence[Expr]) -> tuple[Node, tuple[Expr, ...]]:
    """Return the node with a watermark appended for each of the calls, and the expressions that take them from there."""
    places: dict[Expr, Expr] = {}
    for call in calls:
        (time,) = call.args
        column = node.schema[time.index] if isinstance(time, ColumnRef) else None
        if column is None or column.time is not TimeKind.EVENT:
            hint = "it takes a column with a watermark, as its table has it"
            raise ScriptError("FX-SQL-0403", f"{NAME} wants an event-time column", span=call.span, hint=hint)
        assert isinstance(time, ColumnRef)
        node = CurrentWatermark(node, time.index)
        places[call] = ColumnRef(index=len(node.schema) - 1, type=call.type, span=call.span)
    return node, tuple(transform(expr, lambda each: places.get(each, each)) for expr in exprs)
