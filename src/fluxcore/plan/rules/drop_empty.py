"""Replaces what can give no rows by no rows, so that nothing is read for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import Literal
from fluxcore.expr.simplify import is_never
from fluxcore.plan.columns import references
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    AssignWindow,
    Filter,
    Join,
    JoinKind,
    Map,
    Over,
    Project,
    Rank,
    Scan,
    Sort,
    StampTime,
    TemporalJoin,
    TimeSort,
    Union,
    Values,
    WindowAggregate,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

_KEEPS_NOTHING = (
    AssignWatermark,
    AssignWindow,
    Correlate,
    Filter,
    LookupJoin,
    Map,
    Over,
    Project,
    Rank,
    Sort,
    StampTime,
    TemporalJoin,
    TimeSort,
    WindowAggregate,
)
"""Nodes that give no row where their first input has none."""


def drop_empty(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with ``Values(0 rows)`` for filters that are never true, ``LIMIT 0``, and all that has only such inputs.

    An aggregate without keys has a row also for no rows; an outer join gives the rows of the side that has some.
    """
    return rewrite(roots, _change)


def _change(node: Node) -> Node:
    if _is_empty(node):
        return node
    if isinstance(node, Filter) and is_never(node.condition):
        return _nothing(node)
    if isinstance(node, Scan) and node.predicate is not None and is_never(node.predicate):
        return _nothing(node)
    if isinstance(node, Sort) and node.limit == 0:
        return _nothing(node)
    if isinstance(node, Union):
        return _union(node)
    if isinstance(node, Join):
        return _join(node)
    keeps_nothing = isinstance(node, _KEEPS_NOTHING) or (isinstance(node, Aggregate) and node.keys)
    return _nothing(node) if keeps_nothing and _is_empty(node.inputs[0]) else node


def _is_empty(node: Node) -> bool:
    return isinstance(node, Values) and not node.rows


def _nothing(node: Node) -> Values:
    return Values(node.schema, ())


def _union(node: Union) -> Node:
    branches = tuple(branch for branch in node.branches if not _is_empty(branch))
    if len(branches) == len(node.branches):
        return node
    return replace(node, branches=branches) if branches else _nothing(node)


def _join(node: Join) -> Node:
    never = node.condition is not None and is_never(node.condition)
    left, right = _is_empty(node.left), _is_empty(node.right)
    if not (never or left or right):
        return node
    match node.kind:
        case JoinKind.INNER | JoinKind.SEMI:
            return _nothing(node)
        case JoinKind.ANTI:
            return _nothing(node) if left else node.left
        case JoinKind.LEFT:
            return _nothing(node) if left else _padded(node, left=True)
        case JoinKind.RIGHT:
            return _nothing(node) if right else _padded(node, left=False)
        case JoinKind.FULL if left and right:
            return _nothing(node)
        case JoinKind.FULL if right:
            return _padded(node, left=True)
        case JoinKind.FULL if left:
            return _padded(node, left=False)
    return node


def _padded(node: Join, *, left: bool) -> Node:
    """Return the rows of one side of a join, with NULLs for the other."""
    schema, width = node.schema, len(node.left.schema)
    sides = (schema.columns[:width], schema.columns[width:])
    nulls: tuple[Expr, ...] = tuple(
        Literal(type=column.type.with_nullable(True), value=None) for column in sides[1 if left else 0]
    )
    kept = references(node.left if left else node.right)
    return Project(node.left if left else node.right, (*kept, *nulls) if left else (*nulls, *kept), tuple(schema.names))
