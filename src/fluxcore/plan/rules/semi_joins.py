"""Turns joins whose partner only has to exist into semi joins, which keep no rows of the partner's side."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import columns_of, moved
from fluxcore.expr.pushdown import deterministic
from fluxcore.plan.columns import select
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.nodes import Aggregate, Join, JoinKind, Project
from fluxcore.plan.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_ONE_SIDED = (JoinKind.SEMI, JoinKind.ANTI)


def semi_joins(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return the plans with two rewritings, both of regular joins without lifetimes that nobody else takes rows from.

    An inner join under DISTINCT, or under aggregates that don't count rows twice (MIN, MAX, DISTINCT ones), of which only one
    side's columns are used, becomes a semi join; not where that side is known to have more rows than the other, since then a row
    seldom has several partners. The partners of a semi or anti join are not made distinct before it.
    """
    shared = shared_nodes(roots)
    sizes = None if settings is None else Sizes(settings)
    return rewrite(roots, partial(_change, shared, sizes), shared)


def _change(shared: set[Node], sizes: Sizes | None, node: Node) -> Node:
    if isinstance(node, Join) and node.kind in _ONE_SIDED:
        return _of_all_partners(node, shared)
    if isinstance(node, Aggregate) and all(call.distinct or call.function in ("MIN", "MAX") for call in node.calls):
        if not node.keys or node.input in shared:
            return node
        return _of_one_side(node, shared, sizes)
    return node


def _of_all_partners(node: Join, shared: set[Node]) -> Node:
    right = node.right
    plain = node.condition is None and node.left_window is None and node.interval is None and not any(node.ttl_ms)
    if not plain or not node.left_keys or not isinstance(right, Aggregate) or right in shared:
        return node
    if right.calls or right.ttl_ms or not right.keys:
        return node
    return replace(node, right=select(right.input, right.keys))


def _of_one_side(node: Aggregate, shared: set[Node], sizes: Sizes | None) -> Node:
    projection, below = None, node.input
    if isinstance(below, Project):
        projection, below = below, below.input
        if below in shared or not all(deterministic(expr) for expr in projection.exprs):
            return node
    if not isinstance(below, Join) or below.kind is not JoinKind.INNER or not below.left_keys:
        return node
    if below.left_window is not None or below.interval is not None or any(below.ttl_ms):
        return node
    if below.condition is not None and not deterministic(below.condition):
        return node
    used = _used(node) if projection is None else {i for expr in projection.exprs for i in columns_of(expr)}
    width = len(below.left.schema)
    if not used:
        return node
    if max(used) < width and _pays(sizes, below.left, below.right):
        return _over(node, projection, replace(below, kind=JoinKind.SEMI), 0)
    if min(used) >= width and _pays(sizes, below.right, below.left):
        return _over(node, projection, _swapped(below), width)
    return node


def _pays(sizes: Sizes | None, kept: Node, other: Node) -> bool:
    """Return whether rows may have several partners, as far as sizes are known."""
    first, second = (None, None) if sizes is None else (sizes.of(kept), sizes.of(other))
    return first is None or second is None or first.rows <= second.rows


def _used(node: Aggregate) -> set[int]:
    return set(node.keys) | {index for call in node.calls for index in call.args} | {
        call.where for call in node.calls if call.where is not None
    }  # fmt: skip


def _swapped(node: Join) -> Join:
    """Return the semi join that keeps the right rows."""
    left, right = len(node.left.schema), len(node.right.schema)
    places = {index: index + right if index < left else index - left for index in range(left + right)}
    condition = None if node.condition is None else moved(node.condition, places)
    return replace(
        node,
        left=node.right,
        right=node.left,
        kind=JoinKind.SEMI,
        left_keys=node.right_keys,
        right_keys=node.left_keys,
        condition=condition,
        ttl_ms=(node.ttl_ms[1], node.ttl_ms[0]),
    )


def _over(node: Aggregate, projection: Project | None, join: Join, first: int) -> Node:
    """Return the aggregate over a semi join, whose column 0 was column ``first`` of the inner join."""
    places = {first + index: index for index in range(len(join.left.schema))}
    if projection is not None:
        exprs = tuple(moved(expr, places) for expr in projection.exprs)
        return replace(node, input=replace(projection, input=join, exprs=exprs))
    calls = tuple(
        replace(
            call,
            args=tuple(places[index] for index in call.args),
            where=None if call.where is None else places[call.where],
        )
        for call in node.calls
    )
    return replace(node, input=join, keys=tuple(places[index] for index in node.keys), calls=calls)
