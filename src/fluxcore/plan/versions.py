"""Reads what has one row of each key, a query that keeps the last or a table of changes, as all its versions in event time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import TimeKind
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr import build
from fluxcore.plan.changelog import is_append_only, row_key
from fluxcore.plan.changes import FromChangelog
from fluxcore.plan.columns import references
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Aggregate, AssignWatermark, Filter, Join, Project, Rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node


def all_versions(node: Node) -> tuple[Node, tuple[int, ...]]:
    """Return the rows of which each is the version of its key from its time on, until the next one's.

    Out: the node's columns, and behind them BOOLEAN ones, at the positions returned, which say of a version whether the query
    keeps it: a condition on the last rows ends a version with the first row that doesn't fulfil it. Other nodes stay as they are.
    """
    found = _unranked(node)
    if found is None:
        return node, ()
    return found, tuple(range(len(node.schema), len(found.schema)))


def check_versions(right: Node, equal: Sequence[int]) -> None:
    """Check that the columns ``equal`` of a versioned table hold its key, so that it has one version at a time.

    Raises: ``ScriptError`` FX-SQL-0411; FX-SQL-0900 for queries whose rows are updated in other ways.
    """
    key = row_key(right)
    if not is_append_only(right) and _unranked(right) is None and any(map(_updates, in_order([right]))):
        hint = "keep the last row of each key: ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1"
        raise not_supported("a query whose rows are updated as versions in event time", hint=hint)
    if (key or not is_append_only(right)) and (not key or not set(key) <= set(equal)):
        names = ", ".join(right.schema[index].name for index in key)
        hint = f"the join's condition must hold {names}" if key else "declare a PRIMARY KEY"
        raise ScriptError("FX-SQL-0411", "versions in event time are found by the right table's key", hint=hint)


def _updates(node: Node) -> bool:
    return isinstance(node, Aggregate | Rank | Join) and not is_append_only(node)


def _unranked(node: Node) -> Node | None:
    """Return the node over the rows that a ranking below it takes the last ones of, or over those that tell changes of rows.

    Out: None where there is nothing such. The columns of the node stand first, then what its filters say of each row: a row
    that is deleted is a version that isn't kept.
    """
    if isinstance(node, FromChangelog):
        return _told(node) if node.key else None
    if isinstance(node, AssignWatermark):
        over = _unranked(node.input)
        return None if over is None else replace(node, input=over)
    if isinstance(node, Rank):
        if not _keeps_last(node):
            return None
        if node.number is None:
            return node.input
        one = build.cast(build.literal(1), node.schema[-1].type)
        return Project(node.input, (*references(node.input), one), tuple(node.schema.names))
    if not isinstance(node, Filter | Project):
        return None
    below = _unranked(node.input)
    if below is None:
        return None
    said = range(len(node.input.schema), len(below.schema))
    if isinstance(node, Filter):
        exprs: tuple[Expr, ...] = (*references(below), node.condition)
        return Project(below, exprs, (*below.schema.names, f"$kept{len(below.schema)}"))
    names = tuple(below.schema[index].name for index in said)
    return Project(below, (*node.exprs, *references(below, said)), (*node.names, *names))


def _told(node: FromChangelog) -> Node:
    """Return the rows that changes tell, but those that are replaced, and whether each one stays."""
    codes = dict(node.codes)
    op = references(node.input)[node.op]

    def differs(kind: str) -> Expr:
        return build.call("<>", [op, build.literal(codes[kind])])

    rows = Filter(node.input, differs("UPDATE_BEFORE")) if "UPDATE_BEFORE" in codes else node.input
    kept = differs("DELETE") if "DELETE" in codes else build.literal(True)
    return Project(rows, (*references(rows), kept), (*rows.schema.names, f"$kept{len(rows.schema)}"))


def _keeps_last(node: Rank) -> bool:
    """Return whether a ranking keeps the last row of each key by event time."""
    one = node.window is None and node.first == node.last == 1 and len(node.order) == 1
    if not one or not is_append_only(node.input):
        return False
    key = node.order[0]
    return key.descending and node.later_first and node.input.schema[key.column].time is TimeKind.EVENT
