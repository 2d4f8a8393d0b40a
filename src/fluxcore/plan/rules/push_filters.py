"""Moves filters towards the sources, and into a reader that nobody else takes rows from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.core.types import DecimalType, FloatType, IntegerType, same
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Literal, columns_of, moved
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.joins import filtered, narrowed
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWindow,
    Filter,
    Join,
    Over,
    Project,
    Rank,
    Scan,
    Sort,
    TemporalJoin,
    TimeSort,
    Union,
    WindowAggregate,
    WindowKind,
)
from fluxcore.plan.rules.merge_projects import substitute
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

_CHEAP = frozenset(["+", "-", "*", "=", "<>", "<", "<=", ">", ">=", "AND", "OR", "NOT", "IS NULL", "IS NOT NULL"])
"""Functions that cost so little that a filter may compute them once more."""


def push_filters(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with each filter as near to its source as it can be without changing an answer.

    A filter passes projections of plain and of cheap columns, and unions; window assignments where it does not look at the
    window; groups, rankings and OVER where it looks at their keys; orders without a limit; and it becomes a part of a join.
    It never passes a watermark (which must see every row), a node that several others take rows from, or one that this rule
    does not know.
    """
    while True:
        shared = shared_nodes(roots)
        changed = rewrite(roots, partial(_change, shared), shared)
        if changed == list(roots):
            return changed
        roots = changed


def _change(shared: set[Node], node: Node) -> Node:
    if isinstance(node, Join):
        return narrowed(node)
    if not isinstance(node, Filter) or node.input in shared:
        return node
    below = node.input
    if isinstance(below, Project):
        return _below_project(node, below)
    if isinstance(below, Union):
        return replace(below, branches=tuple(Filter(branch, node.condition) for branch in below.branches))
    if isinstance(below, Join):
        return filtered(below, node.condition)
    if isinstance(below, Scan):
        condition = conjunction([*([below.predicate] if below.predicate is not None else []), node.condition])
        return replace(below, predicate=condition)
    return _below(node, below, _handed_on(below))


def _handed_on(node: Node) -> dict[int, int]:
    """Return the columns by which a node's rows may be left out before it, with their places in its first input."""
    match node:
        case AssignWindow():
            # a row that is left out may be what holds a session together
            session = node.window.kind is WindowKind.SESSION
            return {each: each for each in (node.window.partition if session else range(len(node.input.schema)))}
        case Aggregate() | WindowAggregate():
            return dict(enumerate(node.keys))
        case TriggeredAggregate() if node.trigger.custom is None:
            return dict(enumerate(node.keys))
        case Rank() | Over():
            return {each: each for each in node.partition}
        case TemporalJoin() | LookupJoin() | Correlate():
            return {each: each for each in range(len(node.inputs[0].schema))}
        case Sort() if node.limit is None and not node.offset:
            return {each: each for each in range(len(node.schema))}
        case TimeSort():
            return {each: each for each in range(len(node.schema))}
    return {}


def _below_project(node: Filter, below: Project) -> Node:
    """Return the plan with those conditions below a projection that read plain columns, or what is cheap to compute again."""
    parts = conjuncts(node.condition)
    early = [part for part in parts if all(_cheap(below.exprs[index]) for index in columns_of(part))]
    condition = conjunction([substitute(part, below) for part in early])
    if condition is None:
        return node
    pushed = replace(below, input=Filter(below.input, condition))
    rest = conjunction([part for part in parts if part not in early])
    return pushed if rest is None else Filter(pushed, rest)


def _cheap(expr: Expr) -> bool:
    if isinstance(expr, ColumnRef | Literal):
        return True
    numbers = IntegerType | FloatType | DecimalType
    if isinstance(expr, Cast):
        plain = same(expr.type, expr.arg.type) or (
            isinstance(expr.type, numbers) and isinstance(expr.arg.type, numbers)
        )
        return plain and _cheap(expr.arg)
    return isinstance(expr, Call) and expr.function in _CHEAP and deterministic(expr) and all(map(_cheap, expr.args))


def _below(node: Filter, below: Node, places: dict[int, int]) -> Node:
    """Return the plan with those conditions below a node that read only columns which the node hands on unchanged."""
    parts = conjuncts(node.condition)
    early = [part for part in parts if columns_of(part) and columns_of(part) <= places.keys() and deterministic(part)]
    condition = conjunction([moved(part, places) for part in early])
    if condition is None:
        return node
    first, *others = below.inputs
    pushed = below.with_inputs((Filter(first, condition), *others))
    rest = conjunction([part for part in parts if part not in early])
    return pushed if rest is None else Filter(pushed, rest)
