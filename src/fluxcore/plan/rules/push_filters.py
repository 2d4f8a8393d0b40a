"""Moves filters towards the sources, and into a reader that nobody else takes rows from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, Literal, columns_of, moved
from fluxcore.expr.pushdown import conjunction, conjuncts
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.nodes import AssignWindow, Filter, Project, Scan, Union
from fluxcore.plan.rules.merge_projects import deterministic, substitute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node


def push_filters(roots: Sequence[Node]) -> list[Node]:
    """Return the plans with each filter as near to its source as it can be without changing an answer.

    A filter passes projections of plain columns and unions, and window assignments where it does not look at the
    window. It never passes a watermark (which must see every row) or a node that several others take rows from.
    """
    while True:
        shared = shared_nodes(roots)
        changed = rewrite(roots, partial(_change, shared), shared)
        if changed == list(roots):
            return changed
        roots = changed


def _change(shared: set[Node], node: Node) -> Node:
    if not isinstance(node, Filter) or node.input in shared:
        return node
    below = node.input
    if isinstance(below, Project):
        return _below_project(node, below)
    if isinstance(below, Union):
        return replace(below, branches=tuple(Filter(branch, node.condition) for branch in below.branches))
    if isinstance(below, AssignWindow):
        return _below_window(node, below)
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


def _below_window(node: Filter, below: AssignWindow) -> Node:
    count = len(below.input.schema)
    parts = conjuncts(node.condition)
    early = [part for part in parts if all(index < count for index in columns_of(part))]
    if not early:
        return node
    late = [part for part in parts if part not in early]
    condition = conjunction(early)
    assert condition is not None
    here = {index: index for index in range(count)}
    pushed = replace(below, input=Filter(below.input, moved(condition, here)))
    rest = conjunction(late)
    return pushed if rest is None else Filter(pushed, rest)
