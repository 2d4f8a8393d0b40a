"""Joins neighbouring projections, filters and unions into one, and drops those that change nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, Expr, Literal, transform, walk
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.nodes import Filter, Project, Union

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def merge_projects(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with ``Project(Project(x))``, ``Filter(Filter(x))`` and unions of unions merged.

    An inner projection that several nodes take is kept; so is one whose computed column the outer one uses twice. A projection
    to all columns as they are, and a union of one input, go.
    """
    shared = shared_nodes(roots)

    def change(node: Node) -> Node:
        if isinstance(node, Project | Filter) and node.input in shared:
            return node
        if isinstance(node, Filter) and isinstance(node.input, Filter):
            both = conjuncts(node.input.condition) + conjuncts(node.condition)
            condition = conjunction(both)
            assert condition is not None
            return Filter(node.input.input, condition)
        if isinstance(node, Project) and isinstance(node.input, Project):
            node = _merge(node, node.input)
        if isinstance(node, Project) and node.schema == node.input.schema and _is_identity(node):
            return node.input
        return _flat(node, shared) if isinstance(node, Union) else node

    return rewrite(roots, change, shared)


def _is_identity(node: Project) -> bool:
    return all(isinstance(expr, ColumnRef) and expr.index == place for place, expr in enumerate(node.exprs))


def _flat(node: Union, shared: set[Node]) -> Node:
    """Return a union with the inputs of unions in it, and without itself where it has one input of its own columns."""
    branches = tuple(
        each
        for branch in node.branches
        for each in (branch.branches if isinstance(branch, Union) and branch not in shared else (branch,))
    )
    if len(branches) == 1 and branches[0].schema == node.schema:
        return branches[0]
    return node if branches == node.branches else replace(node, branches=branches)


def substitute(expr: Expr, inner: Project) -> Expr:
    """Return an expression over a projection's columns as one over the projection's input."""

    def change(node: Expr) -> Expr:
        return inner.exprs[node.index] if isinstance(node, ColumnRef) else node

    return transform(expr, change)


def _merge(outer: Project, inner: Project) -> Project:
    uses = Counter(node.index for expr in outer.exprs for node in walk(expr) if isinstance(node, ColumnRef))
    for index, count in uses.items():
        expr = inner.exprs[index]
        if not isinstance(expr, ColumnRef | Literal) and (count > 1 or not deterministic(expr)):
            return outer
    exprs = tuple(substitute(expr, inner) for expr in outer.exprs)
    return replace(outer, input=inner.input, exprs=exprs)
