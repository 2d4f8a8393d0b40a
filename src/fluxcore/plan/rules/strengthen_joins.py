"""Turns outer joins into inner ones where a condition above them refuses the rows that they fill with NULLs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.expr.null_rules import refuses_nulls
from fluxcore.expr.pushdown import conjuncts
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import Filter, Join, JoinKind, TemporalJoin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_OUTER = (JoinKind.LEFT, JoinKind.RIGHT, JoinKind.FULL)
_WITHOUT_RIGHT_NULLS = {JoinKind.LEFT: JoinKind.INNER, JoinKind.FULL: JoinKind.RIGHT}
_WITHOUT_LEFT_NULLS = {JoinKind.RIGHT: JoinKind.INNER, JoinKind.FULL: JoinKind.LEFT}


def strengthen_joins(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with joins of a narrower kind where no row that would be filled up can pass.

    Such a row has NULL in all columns of one side. A filter refuses it when a part of it can't be true for NULL, such as
    ``b.v > 3``; a join above refuses it when one of these columns is a key, of a side that is not filled up itself.
    """
    shared = shared_nodes(roots)
    return rewrite(roots, partial(_change, shared), shared)


def _change(shared: set[Node], node: Node) -> Node:
    if isinstance(node, Filter) and node.input not in shared:
        parts = conjuncts(node.condition)
        found = _narrower(node.input, lambda side: any(refuses_nulls(part, side) for part in parts))
        return node if found is node.input else replace(node, input=found)
    if isinstance(node, Join):
        return _below_join(node, shared)
    return node


def _below_join(node: Join, shared: set[Node]) -> Node:
    left, right = node.left, node.right
    if node.kind in (JoinKind.INNER, JoinKind.RIGHT, JoinKind.SEMI) and left not in shared:
        left = _narrower(left, lambda side: not side.isdisjoint(node.left_keys))
    if node.kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI) and right not in shared:
        right = _narrower(right, lambda side: not side.isdisjoint(node.right_keys))
    return node if left is node.left and right is node.right else replace(node, left=left, right=right)


def _narrower(node: Node, refuses: Callable[[frozenset[int]], bool]) -> Node:
    """Return a join without the rows that it fills up; ``refuses`` says whether rows with NULL in all these columns go."""
    if not isinstance(node, Join | TemporalJoin | LookupJoin) or node.kind not in _OUTER:
        return node
    width = len(node.inputs[0].schema)
    kind = node.kind
    if refuses(frozenset(range(width, len(node.schema)))):
        kind = _WITHOUT_RIGHT_NULLS.get(kind, kind)
    if refuses(frozenset(range(width))):
        kind = _WITHOUT_LEFT_NULLS.get(kind, kind)
    return node if kind is node.kind else replace(node, kind=kind)
