"""Filters one side of a join by what is known of the other side's keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.types import FloatType
from fluxcore.expr.nodes import Call, ColumnRef, Expr, columns_of, transform
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.facts import facts_of
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Filter, Join, JoinKind, Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_COMPARED = ("=", "<>", "<", "<=", ">", ">=", "IN", "LIKE")
_TO_RIGHT = (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI)
_TO_LEFT = (JoinKind.INNER, JoinKind.RIGHT, JoinKind.SEMI)


def infer_filters(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with a filter on the keys of one input for each condition known of the other input's keys.

    Of ``a.k = b.k`` and ``a.k > 5`` follows ``b.k > 5``: a row for which it doesn't hold meets no partner. That holds for the
    side whose rows never come out alone. Conditions are comparisons of one key with constants; keys of both sides are of one
    type, and no floating point numbers, where equal numbers may differ.
    """
    return rewrite(roots, _change)


def _change(node: Node) -> Node:
    if not isinstance(node, Join) or not node.left_keys:
        return node
    pairs = list(zip(node.left_keys, node.right_keys, strict=True))
    left, right = node.left, node.right
    if node.kind in _TO_RIGHT:
        right = _filtered(right, node.left, pairs)
    if node.kind in _TO_LEFT:
        left = _filtered(left, node.right, [(b, a) for a, b in pairs])
    return node if left is node.left and right is node.right else replace(node, left=left, right=right)


def _filtered(side: Node, other: Node, pairs: Sequence[tuple[int, int]]) -> Node:
    """Return one input with the conditions of the other input's keys; ``pairs`` are (the other's key, its own)."""
    if isinstance(side, Values):
        return side
    known = facts_of(side)
    found: dict[Expr, None] = {}
    for fact in sorted(facts_of(other), key=str):
        if not _is_comparison(fact):
            continue
        for theirs, own in pairs:
            a, b = other.schema[theirs].type, side.schema[own].type
            if (
                columns_of(fact) != {theirs}
                or isinstance(a, FloatType)
                or a.with_nullable(True) != b.with_nullable(True)
            ):
                continue
            key = ColumnRef(index=own, name=side.schema[own].name, type=b)
            inferred = _about(fact, key)
            if inferred not in known:
                found[inferred] = None
    condition = conjunction(list(found))
    return side if condition is None else Filter(side, condition)


def _is_comparison(fact: Expr) -> bool:
    """Return whether a condition compares a plain column with constants."""
    if not isinstance(fact, Call) or fact.function not in _COMPARED:
        return False
    return all(isinstance(arg, ColumnRef) or not columns_of(arg) for arg in fact.args)


def _about(fact: Expr, key: ColumnRef) -> Expr:
    return transform(fact, lambda each: key if isinstance(each, ColumnRef) else each)
