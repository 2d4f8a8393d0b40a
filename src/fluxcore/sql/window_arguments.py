"""The arguments of windows: a time column and lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.schema import TimeKind
from fluxcore.core.types import IntervalType, TimestampType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Aggregate, Join, JoinKind, Rank, StampTime
from fluxcore.plan.windows import window_of
from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Node
    from fluxcore.sql.scope import Scope


def time_column(node: Node, scope: Scope, name: Sequence[str], span: Span) -> tuple[Node, int]:
    """Return the position of a time attribute, and the node that gives its rows.

    Raises: ``ScriptError`` FX-SQL-0403 when the column is none.
    """
    expr = scope.resolve(name, span)
    column = node.schema[expr.index] if isinstance(expr, ColumnRef) else None
    if column is None or not isinstance(expr, ColumnRef) or column.time is None:
        hint = "give its table a watermark: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
        if column is not None and isinstance(column.type, TimestampType) and window_of(node):
            hint = "rows that are in windows already have their time in window_time"
        elif (loser := _loser_of(node, name[-1])) is not None:
            hint = f"it was one before {loser}, as in Flink: put the window before that, or take a time that is kept"
        raise ScriptError("FX-SQL-0403", f"'{name[-1]}' is no event-time column", span=span, hint=hint)
    if isinstance(column.type, TimestampType) and column.type.precision > 6:
        raise not_supported("an event time finer than microseconds", span=span)
    return stamped(node, expr.index), expr.index


def _loser_of(node: Node, name: str) -> str | None:
    """Return what made an event time of that name a plain column, if one stands below; the topmost such node."""
    for each in reversed(in_order([node])):
        kept = any(column.name == name and column.time for column in each.schema)
        if not kept and any(column.name == name and column.time for below in each.inputs for column in below.schema):
            if isinstance(each, Join) and each.kind in (JoinKind.SEMI, JoinKind.ANTI):
                return "IN or EXISTS with a query"
            return {Join: "a join", Aggregate: "GROUP BY", Rank: "a ranking"}.get(type(each), "an expression")
    return None


def stamped(node: Node, column: int) -> Node:
    """Return the node with the clock's time in a column, where that is its processing time."""
    return StampTime(node, column) if node.schema[column].time is TimeKind.PROCESSING else node


def length_of(tree: ast.Expression, what: str, window: str) -> int:
    """Return a length in ms. Raises ``ScriptError`` FX-SQL-0404 for what is no interval, or not more than 0."""
    if not isinstance(tree, ast.Constant) or not isinstance(tree.type, IntervalType) or tree.type.months:
        message = f"{what} of {window} must be an interval such as INTERVAL '10' MINUTE"
        raise ScriptError("FX-SQL-0404", message, span=tree.span)
    if tree.value <= 0 and what.lower() != "offset":
        raise ScriptError("FX-SQL-0404", f"{what} of {window} must be more than 0", span=tree.span)
    return int(tree.value)
