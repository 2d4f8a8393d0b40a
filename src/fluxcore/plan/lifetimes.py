"""Says of each node whose state would be kept for ever how long it is kept, where neither it nor a hint says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Aggregate, Join, Rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node


def with_lifetimes(roots: Sequence[Node], ttl_ms: int) -> list[Node]:
    """Return the plans in which groups, regular joins and rankings without a lifetime of their own have this one (ms)."""
    if not ttl_ms:
        return list(roots)

    def change(node: Node) -> Node:
        if isinstance(node, Aggregate) or (isinstance(node, Rank) and node.window is None):
            return replace(node, ttl_ms=ttl_ms) if node.ttl_ms is None else node
        if isinstance(node, Join) and node.left_window is None and node.interval is None:
            left, right = (ttl_ms if each is None else each for each in node.ttl_ms)
            return replace(node, ttl_ms=(left, right))
        return node

    return rewrite(roots, change)
