"""Values of the row around a sub-query, inside the sub-query's own plan, and where a plan has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.types import same
from fluxcore.expr.nodes import Call, Expr, columns_of, transform, walk
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Filter, Join, Project, TemporalJoin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.plan.nodes import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterRef(Expr):
    """The value ``index`` that a sub-query takes from the row around it; it never is in a plan that runs."""

    index: int


def outer_of(expr: Expr) -> set[int]:
    """Return which values of the row around it an expression looks at."""
    return {node.index for node in walk(expr) if isinstance(node, OuterRef)}


def with_outer(expr: Expr, values: Sequence[Expr]) -> Expr:
    """Return an expression with the values of the row around it put in."""
    return transform(expr, lambda node: values[node.index] if isinstance(node, OuterRef) else node)


def looks_out(expr: Expr) -> bool:
    """Return whether an expression looks at the row around the sub-query that it is in."""
    return bool(outer_of(expr))


def outer_of_plan(root: Node) -> set[int]:
    """Return which values of the row around it a sub-query's plan looks at."""
    return {index for node in in_order([root]) for expr in _exprs(node) for index in outer_of(expr)}


def is_correlated(root: Node) -> bool:
    """Return whether a plan looks at the row around it."""
    return any(looks_out(expr) for node in in_order([root]) for expr in _exprs(node))


def outer_side(expr: Expr) -> tuple[Expr, Expr] | None:
    """Return (value of the row around, value of the own row) of an equality between them; None for anything else."""
    if not isinstance(expr, Call) or expr.function != "=":
        return None
    first, second = expr.args
    if columns_of(first):
        first, second = second, first
    plain = not columns_of(first) and outer_of(first) and columns_of(second) and not outer_of(second)
    return (first, second) if plain and same(first.type, second.type) else None


def _exprs(node: Node) -> Iterable[Expr]:
    match node:
        case Filter():
            return (node.condition,)
        case Project():
            return node.exprs
        case Join() | TemporalJoin() if node.condition is not None:
            return (node.condition,)
        case Correlate():
            return (*node.call.args, *(() if node.condition is None else (node.condition,)))
    return ()
