"""Which sources are read for LIMITs alone, so that they may end when those have all their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.graph import consumers, in_order
from fluxcore.plan.nodes import Scan, Sort

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Node


def read_for_limits(roots: Sequence[Node]) -> dict[Scan, frozenset[Sort]]:
    """Return for each such source the nodes with a LIMIT that its rows go through, whichever way they take."""
    takers = consumers(roots)
    found: dict[Node, frozenset[Sort] | None] = dict.fromkeys(roots)  # None: somebody wants all rows
    for node in reversed(in_order(roots)):
        if node in found:
            continue
        limits: set[Sort] = set()
        wanted = False
        for taker in takers[node]:
            if isinstance(taker, Sort) and taker.limit is not None:
                limits.add(taker)
            elif (behind := found[taker]) is not None:
                limits |= behind
            else:
                wanted = True
        found[node] = None if wanted else frozenset(limits)
    return {node: limits for node, limits in found.items() if isinstance(node, Scan) and limits}
