"""ROW_NUMBER: with a bound on the number around it, it is a Top-N."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT
from fluxcore.expr.nodes import AggCall, Call, ColumnRef, Expr, Literal
from fluxcore.expr.pushdown import conjunction, conjuncts
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Attached, Filter, Node, OneInput, Over, OverCall, Project, Rank, SortKey

if TYPE_CHECKING:
    from fluxcore.errors import Span


@dataclass(frozen=True)
class RowNumber(OneInput):
    """Numbers rows within partitions; only stands in a plan until it is known whether a bound is around it.

    ``partition`` is the one beside the ``window``, ``whole`` the one as written.
    """

    partition: tuple[int, ...]
    order: tuple[SortKey, ...]
    window: Attached | None = None
    whole: tuple[int, ...] = ()
    span: Span | None = field(default=None, compare=False)

    @cached_property
    def schema(self) -> Schema:
        return Schema.of((*self.input.schema.columns, Column("$number", BIGINT.with_nullable(False))))


def recognise_top_n(root: Node) -> Node:
    """Return the plan with numbered queries as Rank nodes where a bound is on the number, else as Over nodes."""
    (found,) = rewrite([root], _change)
    (found,) = rewrite([found], _unbounded)
    return found


def _unbounded(node: Node) -> Node:
    if not isinstance(node, RowNumber):
        return node
    key, source = node.order[0], node.input.schema
    by_time = len(node.order) == 1 and not key.descending and source[key.column].time is not None
    call = AggCall(function="ROW_NUMBER", type=node.schema[len(source)].type, span=node.span)
    order = () if by_time else node.order
    time = key.column if by_time else None
    return Over(node.input, node.whole, time, (OverCall(call, rows=False),), ("$number",), order)


def _change(node: Node) -> Node:
    if not isinstance(node, Filter):
        return node
    path: list[Project | Filter] = []
    below: Node = node.input
    number: int | None = None
    for part in conjuncts(node.condition):
        limits = _limits(part)
        if limits is None:
            continue
        column, first, last = limits
        path, below, number = _follow(node.input, column)
        if isinstance(below, RowNumber) and number == len(below.schema) - 1:
            later_first = last == 1 and _by_time_descending(below)
            rank = Rank(below.input, below.partition, below.order, last, first, "$number", below.window, later_first)
            rest = conjunction([each for each in conjuncts(node.condition) if each is not part])
            rebuilt: Node = rank
            for step in reversed(path):
                rebuilt = step.with_inputs((rebuilt,))
            return rebuilt if rest is None else Filter(rebuilt, rest)
    return node


def _by_time_descending(node: RowNumber) -> bool:
    """Return whether the first row is the latest one, so that the query keeps the last row of each key."""
    key = node.order[0]
    return len(node.order) == 1 and key.descending and node.input.schema[key.column].time is not None


def _follow(node: Node, column: int) -> tuple[list[Project | Filter], Node, int | None]:
    """Follow a column down through projections and filters."""
    path: list[Project | Filter] = []
    place: int | None = column
    while isinstance(node, Project) and place is not None:
        path.append(node)
        expr = node.exprs[place]
        place = expr.index if isinstance(expr, ColumnRef) else None
        node = node.input
    return path, node, place


_FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def _limits(expr: Expr) -> tuple[int, int, int] | None:
    """Return column, first and last rank of ``column <= n`` and the like, or None."""
    if not isinstance(expr, Call) or expr.function not in _FLIP:
        return None
    left, right, op = _uncast(expr.args[0]), _uncast(expr.args[1]), expr.function
    if isinstance(left, Literal):
        left, right, op = right, left, _FLIP[op]
    if not isinstance(left, ColumnRef) or not isinstance(right, Literal) or not isinstance(right.value, int):
        return None
    value = right.value
    match op:
        case "<=" if value >= 1:
            return left.index, 1, value
        case "<" if value >= 2:
            return left.index, 1, value - 1
        case "=" if value >= 1:
            return left.index, value, value
    return None


def _uncast(expr: Expr) -> Expr:
    while expr.children and type(expr).__name__ == "Cast":
        expr = expr.children[0]
    return expr
