"""Finds where the rows of a plan node carry the window that they were assigned to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.types import TimestampType
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    AssignWindow,
    Filter,
    Join,
    Over,
    Project,
    Rank,
    TemporalJoin,
    Union,
    WindowAggregate,
)

if TYPE_CHECKING:
    from fluxcore.core.schema import Schema
    from fluxcore.plan.nodes import Node, WindowSpec


def is_local(schema: Schema, time: int) -> bool:
    """Return whether windows over a column lie in the session's local time: those of a TIMESTAMP_LTZ do."""
    type_ = schema[time].type
    return isinstance(type_, TimestampType) and type_.local


@dataclass(frozen=True)
class WindowColumns:
    """Where a node's rows carry their window: positions of start, end and time; None for one projected away."""

    start: int | None
    end: int | None
    time: int | None
    spec: WindowSpec


def window_of(node: Node) -> WindowColumns | None:
    """Return the window columns of a node's rows, or None when the rows belong to no window."""
    if isinstance(node, AssignWindow | WindowAggregate):
        count = len(node.schema)
        spec = node.window if isinstance(node, AssignWindow) else node.spec
        return WindowColumns(count - 3, count - 2, count - 1, spec)
    if isinstance(node, Project):
        return _through_project(node)
    if isinstance(node, Over) and node.at_end:
        return None
    if isinstance(node, Filter | Over):
        return window_of(node.input)
    if isinstance(node, Rank):
        return window_of(node.input) if node.window else None
    if isinstance(node, TemporalJoin | LookupJoin | Correlate):
        return window_of(node.inputs[0])
    if isinstance(node, Join):
        return window_of(node.left) if node.left_window else None
    if isinstance(node, Union):
        found = {window_of(branch) for branch in node.branches}
        return found.pop() if len(found) == 1 else None
    return None


def _through_project(node: Project) -> WindowColumns | None:
    inner = window_of(node.input)
    if inner is None:
        return None
    places: dict[int, int] = {}
    for index, expr in enumerate(node.exprs):
        if isinstance(expr, ColumnRef):
            places.setdefault(expr.index, index)

    def place(column: int | None) -> int | None:
        return None if column is None else places.get(column)

    moved = replace(inner, start=place(inner.start), end=place(inner.end), time=place(inner.time))
    return moved if (moved.start, moved.end, moved.time) != (None, None, None) else None
