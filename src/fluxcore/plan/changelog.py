"""Says of each plan node whether its rows are final (append-only) or may be taken back later (updating)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.nodes import Aggregate, Join, JoinKind, Rank, Sort

if TYPE_CHECKING:
    from fluxcore.plan.nodes import Node


def is_append_only(node: Node) -> bool:
    """Return whether the node never takes a row back."""
    if isinstance(node, Sort):
        return True
    if isinstance(node, Aggregate) or (isinstance(node, Rank) and node.window is None):
        return False
    if isinstance(node, Join) and node.left_window is None and node.kind not in (JoinKind.INNER, JoinKind.SEMI):
        return False
    return all(is_append_only(each) for each in node.inputs)


def changelog_mode(node: Node) -> str:
    """Return ``I`` for append-only rows, ``I,UB,UA,D`` for updating ones, as Flink's EXPLAIN writes it."""
    return "I" if is_append_only(node) else "I,UB,UA,D"
