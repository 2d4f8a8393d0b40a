"""Moves LIMIT into the readers, which then stop reading."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.nodes import Project, Scan, Sort, Union, Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def push_limits(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with the number of rows that a LIMIT without ORDER BY wants at the readers below it.

    It passes projections and unions, and calls that give at least one row for each; the LIMIT itself stays, since a reader
    may give more. It never passes a node that others take rows from, nor a filter that the reader doesn't apply.
    """
    shared = shared_nodes(roots)
    return rewrite(roots, partial(_change, shared), shared)


def _change(shared: set[Node], node: Node) -> Node:
    if not isinstance(node, Sort) or node.keys or node.limit is None:
        return node
    below = _limited(node.input, node.limit + node.offset, shared)
    return node if below is node.input else replace(node, input=below)


def _limited(node: Node, limit: int, shared: set[Node]) -> Node:
    if node in shared:
        return node
    if isinstance(node, Scan):
        return node if node.limit is not None and node.limit <= limit else replace(node, limit=limit)
    if isinstance(node, Values):
        return node if len(node.rows) <= limit else replace(node, rows=node.rows[:limit])
    passes = isinstance(node, Project | Union) or (isinstance(node, Correlate) and node.outer)
    passes = passes or (isinstance(node, Sort) and not node.keys and node.limit is None and not node.offset)
    if not passes:
        return node
    inputs = tuple(_limited(each, limit, shared) for each in node.inputs)
    same = all(new is old for new, old in zip(inputs, node.inputs, strict=True))
    return node if same else node.with_inputs(inputs)
