"""Walking and rewriting plans as graphs: equal sub-plans are visited once and stay shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.plan.nodes import Node


def in_order(roots: Sequence[Node]) -> list[Node]:
    """Return every distinct node of the plans, inputs before the nodes that take them."""
    seen: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node in seen:
            return
        for each in node.inputs:
            visit(each)
        seen[node] = None

    for root in roots:
        visit(root)
    return list(seen)


def consumers(roots: Sequence[Node]) -> dict[Node, list[Node]]:
    """Return for each node the nodes that take its rows; a node that takes them twice stands twice."""
    found: dict[Node, list[Node]] = {}
    for node in in_order(roots):
        found.setdefault(node, [])
        for each in node.inputs:
            found[each].append(node)
    return found


def shared_nodes(roots: Sequence[Node]) -> set[Node]:
    """Return the nodes whose rows are taken more than once."""
    return {node for node, takers in consumers(roots).items() if len(takers) > 1}


def rewrite(roots: Sequence[Node], change: Callable[[Node], Node], marked: set[Node] | None = None) -> list[Node]:
    """Return the plans with ``change`` applied to every node, inputs first; equal nodes are changed once.

    What a node in ``marked`` becomes is added to ``marked``, before the nodes that take it are changed.
    """
    done: dict[Node, Node] = {}
    for node in in_order(roots):
        inputs = tuple(done[each] for each in node.inputs)
        same = all(new is old for new, old in zip(inputs, node.inputs, strict=True))
        done[node] = change(node if same else node.with_inputs(inputs))
        if marked is not None and node in marked:
            marked.add(done[node])
    return [done[root] for root in roots]
