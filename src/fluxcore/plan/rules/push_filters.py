"""Moves filters towards the sources, and into a reader that nobody else takes rows from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, Literal, columns_of, moved
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
    Project,
    Rank,
    Scan,
    TemporalJoin,
    Union,
    WindowKind,
)
from fluxcore.plan.rules.merge_projects import substitute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node


def push_filters(roots: Sequence[Node]) -> list[Node]:
    """Return the plans with each filter as near to its source as it can be without changing an answer.

    A filter passes projections of plain columns and unions, window assignments where it does not look at the window,
    groups and rankings where it looks at their keys, and it becomes a part of a join. It never passes a watermark (which
    must see every row) or a node that several others take rows from.
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
    if isinstance(below, AssignWindow):
        # a row that is left out may be what holds a session together
        session = below.window.kind is WindowKind.SESSION
        kept = below.window.partition if session else range(len(below.input.schema))
        return _below(node, below, {index: index for index in kept})
    if isinstance(below, Aggregate):
        return _below(node, below, dict(enumerate(below.keys)))
    if isinstance(below, Rank):
        return _below(node, below, {index: index for index in below.partition})
    if isinstance(below, TemporalJoin | LookupJoin | Correlate):
        return _below(node, below, {index: index for index in range(len(below.inputs[0].schema))})
    if isinstance(below, Join):
        return filtered(below, node.condition)
    if isinstance(below, Scan):
        condition = conjunction([*([below.predicate] if below.predicate is not None else []), node.condition])
        return replace(below, predicate=condition)
    return node


def _below_project(node: Filter, below: Project) -> Node:
    exprs = [below.exprs[index] for index in columns_of(node.condition)]
    if not all(isinstance(expr, ColumnRef | Literal) or deterministic(expr) for expr in exprs):
        return node
    if any(not isinstance(expr, ColumnRef | Literal) for expr in exprs):
        return node  # a computed column would be computed twice
    return replace(below, input=Filter(below.input, substitute(node.condition, below)))


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
