"""Which columns tell a node's rows apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.changelog import unique_key
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Aggregate, Filter, Join, Project, Rank, WindowAggregate

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def distinct_by(node: Node) -> tuple[int, ...] | None:
    """Return columns of which no two rows of a node are equal at any time; None where none are known.

    It holds where nothing below forgets its state (see :func:`forgets`).
    """
    if isinstance(node, WindowAggregate):
        width = len(node.schema)
        return (*range(len(node.keys)), width - 3, width - 2)
    if isinstance(node, Rank) and node.window is None and node.first == node.last:
        return node.partition
    if isinstance(node, Filter):
        return distinct_by(node.input)
    if isinstance(node, Project):
        below = distinct_by(node.input)
        places = {
            expr.index: place for place, expr in reversed(list(enumerate(node.exprs))) if isinstance(expr, ColumnRef)
        }
        return tuple(places[each] for each in below) if below and all(each in places for each in below) else None
    return unique_key(node)


def forgets(node: Node, settings: Settings | None) -> bool:
    """Return whether something at or below a node may forget a row by the clock and give it anew."""
    if settings is not None and duration_ms(settings.text("table.exec.state.ttl")):
        return True
    return any(
        any(each.ttl_ms) if isinstance(each, Join) else bool(each.ttl_ms)
        for each in in_order([node])
        if isinstance(each, Aggregate | Rank | Join)
    )
