"""Says of each plan node whether its rows are final (append-only) or may be taken back later (updating)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.changes import FromChangelog, ToChangelog
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Filter,
    Join,
    JoinKind,
    Over,
    Project,
    Rank,
    Scan,
    SideOutput,
    Sort,
    StampTime,
    TemporalJoin,
    WindowAggregate,
)
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from fluxcore.plan.nodes import Node


def is_append_only(node: Node) -> bool:
    """Return whether the node never takes a row back."""
    if isinstance(node, Sort | SideOutput | ToChangelog | WindowAggregate) or (isinstance(node, Over) and node.at_end):
        return True
    if isinstance(node, FromChangelog):
        return False
    if isinstance(node, Aggregate) or (isinstance(node, Rank) and node.window is None):
        return False
    if _pads_and_takes_back(node) or (isinstance(node, TriggeredAggregate) and node.updates):
        return False
    if isinstance(node, TemporalJoin):
        return is_append_only(node.left)
    return all(is_append_only(each) for each in node.inputs)


def is_final(node: Node, told: AbstractSet[Node] = frozenset()) -> bool:
    """Return whether the node takes no row back when groups and rankings give only their final rows (bounded input).

    In: ``told`` the nodes that give each of their changes all the same, as :func:`told_changes` finds them.
    """
    if node in told:
        return False
    if isinstance(node, SideOutput | ToChangelog | WindowAggregate) or (isinstance(node, Over) and node.at_end):
        return True
    if isinstance(node, FromChangelog):
        return False
    if isinstance(node, Aggregate) or (isinstance(node, Rank) and node.window is None):
        return not node.ttl_ms  # what was forgotten before the end is not among the final rows
    if isinstance(node, Sort):
        return True
    if _pads_and_takes_back(node) or (isinstance(node, TriggeredAggregate) and node.updates):
        return False
    if isinstance(node, TemporalJoin):
        return is_final(node.left, told)
    return all(is_final(each, told) for each in node.inputs)


def told_changes(roots: Sequence[Node]) -> set[Node]:
    """Return the nodes that take rows back and stand below a TO_CHANGELOG, which wants to see each change."""
    found: set[Node] = set()

    def visit(node: Node) -> None:
        if node in found or is_append_only(node):
            return
        found.add(node)
        for each in node.inputs:
            visit(each)

    for node in in_order(roots):
        if isinstance(node, ToChangelog):
            visit(node.input)
    return found


def _pads_and_takes_back(node: Node) -> bool:
    """Return whether a join gives rows without a partner before it can know that none will come."""
    if not isinstance(node, Join) or node.left_window is not None or node.interval is not None:
        return False
    return node.kind not in (JoinKind.INNER, JoinKind.SEMI)


def changelog_mode(node: Node) -> str:
    """Return ``I`` for append-only rows, ``I,UB,UA,D`` for updating ones, as Flink's EXPLAIN writes it."""
    return "I" if is_append_only(node) else "I,UB,UA,D"


def unique_key(node: Node) -> tuple[int, ...] | None:
    """Return columns by which an updating node's rows differ from each other at any time; None where none are known."""
    if isinstance(node, Aggregate):
        return tuple(range(len(node.keys)))
    if isinstance(node, TriggeredAggregate) and node.updates and node.trigger.custom is None:
        window = () if node.is_global else (len(node.schema) - 3, len(node.schema) - 2)
        return (*range(len(node.keys)), *window)
    if isinstance(node, FromChangelog):
        return node.key or None
    if isinstance(node, Filter | AssignWatermark | StampTime):
        return unique_key(node.input)
    if isinstance(node, Rank) and node.window is None:
        if node.number is not None:
            return (*node.partition, len(node.schema) - 1)
        return node.partition if node.last == 1 else unique_key(node.input)
    if isinstance(node, Project):
        below = unique_key(node.input)
        return None if below is None else _projected(node, below)
    return None


def row_key(node: Node) -> tuple[int, ...]:
    """Return columns of which the table that a node stands for has one row at a time; none where none are known.

    It is a table's primary key, by which a later row replaces an earlier one, or what a query keeps one row of.
    """
    match node:
        case AssignWatermark() | StampTime() | Filter():
            return row_key(node.input)
        case Scan():
            places = {column: place for place, column in enumerate(node.columns)}
            key = node.table.primary_key
            return tuple(places[column] for column in key) if all(column in places for column in key) else ()
        case Project():
            return _projected(node, row_key(node.input)) or ()
        case Rank() if node.window is None and node.first == node.last == 1:
            return node.partition
    return () if is_append_only(node) else unique_key(node) or ()


def _projected(node: Project, columns: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return where a projection has columns of its input, None where it doesn't have all of them."""
    places = {expr.index: place for place, expr in reversed(list(enumerate(node.exprs))) if isinstance(expr, ColumnRef)}
    return tuple(places[column] for column in columns) if all(column in places for column in columns) else None
