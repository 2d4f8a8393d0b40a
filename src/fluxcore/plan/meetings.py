"""Where the rows of two scans meet: only in joins that don't look at time, or in something that needs both at once."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from fluxcore.plan.nodes import Join, Scan, TemporalJoin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node


def meet_in_joins(order: Sequence[Node]) -> set[frozenset[Node]]:
    """Return the pairs of scans that may be read one after the other. In: the plan's nodes, inputs first.

    Sources that meet anywhere else than in a join without windows, intervals and versions are read together, since a watermark
    or a waiting row of one would be held back by the other; so are all others that meet with those.
    """
    if any(isinstance(node, TemporalJoin) for node in order):
        return set()
    below: dict[Node, frozenset[Node]] = {}
    joined: set[frozenset[Node]] = set()
    tied: set[Node] = set()
    for node in order:
        if isinstance(node, Scan):
            below[node] = frozenset({node})
            continue
        sides = [below[each] for each in node.inputs]
        below[node] = frozenset().union(*sides)
        for index, side in enumerate(sides):
            for one, other in product(side, frozenset().union(*sides[:index])):
                if is_timeless(node) and one is not other:
                    joined.add(frozenset({one, other}))
                else:
                    tied |= {one, other}
    return {pair for pair in joined if not pair & tied}


def is_timeless(node: Node) -> bool:
    """Return whether a node is a join that gives the same rows whatever the watermark is."""
    return isinstance(node, Join) and node.left_window is None and node.interval is None
