"""By which columns the rows of a node lie in their tasks: who needs no more than that needs no exchange.

Rows that are equal in the columns of a spread are in one task. A spread is a tuple of positions in a node's rows, in the order
in which the exchange hashed them; None where nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    AssignWindow,
    Filter,
    Join,
    JoinKind,
    Over,
    Project,
    Rank,
    StampTime,
)

if TYPE_CHECKING:
    from fluxcore.plan.nodes import Node

Spread = tuple[int, ...] | None


def spread_of(node: Node, sent: Spread) -> Spread:
    """Return the spread of the rows that an operator gives, given that of its (left) input's rows."""
    if sent is None or isinstance(node, Rank | Over):
        return sent
    if isinstance(node, Aggregate):
        return _moved(sent, {column: place for place, column in enumerate(node.keys)})
    if isinstance(node, Join) and node.kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI):
        return sent  # of other kinds, a row that has no left side lies where its right side's key belongs
    return None


def spread_through(node: Node, below: Spread) -> Spread:
    """Return the spread of the rows of a node that works row by row, given that of its input."""
    if below is None or isinstance(node, Filter | AssignWatermark | AssignWindow | StampTime | Correlate):
        return below
    if isinstance(node, Project):
        columns = reversed(list(enumerate(node.exprs)))
        return _moved(below, {expr.index: place for place, expr in columns if isinstance(expr, ColumnRef)})
    return None


def _moved(spread: tuple[int, ...], places: dict[int, int]) -> Spread:
    return tuple(places[column] for column in spread) if spread and all(each in places for each in spread) else None
