"""Joins neighbouring projections, and neighbouring filters, into one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, Expr, Literal, transform, walk
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.nodes import Filter, Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node


def merge_projects(roots: Sequence[Node]) -> list[Node]:
    """Return the plans with ``Project(Project(x))`` and ``Filter(Filter(x))`` merged.

    An inner projection that several nodes take is kept; so is one whose computed column the outer one uses twice.
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
            return _merge(node, node.input)
        return node

    return rewrite(roots, change, shared)


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
