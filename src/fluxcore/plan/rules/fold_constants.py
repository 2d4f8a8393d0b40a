"""Computes constant expressions once, simplifies conditions, and drops filters that are always true."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.expr.fold import fold
from fluxcore.expr.simplify import is_true, simplify, simplify_condition
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import AssignWatermark, Filter, Join, Project, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node


def fold_constants(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return the plans with all constant sub-expressions replaced by their values, and conditions in their simplest form.

    Without ``settings`` those stay that may depend on the session's zone.
    """
    return rewrite(roots, lambda node: _change(node, lambda expr: simplify(fold(expr, settings))))


def _change(node: Node, fold: Callable[[Expr], Expr]) -> Node:
    found = _folded(node, fold)
    return node if found == node else found


def _folded(node: Node, fold: Callable[[Expr], Expr]) -> Node:
    if isinstance(node, Project):
        return replace(node, exprs=tuple(fold(expr) for expr in node.exprs))
    if isinstance(node, Filter):
        condition = simplify_condition(fold(node.condition))
        return node.input if is_true(condition) else replace(node, condition=condition)
    if isinstance(node, Scan) and node.predicate is not None:
        condition = simplify_condition(fold(node.predicate))
        return replace(node, predicate=None if is_true(condition) else condition)
    if isinstance(node, AssignWatermark):
        return replace(node, expr=fold(node.expr))
    if isinstance(node, Correlate):
        call = replace(node.call, args=tuple(fold(arg) for arg in node.call.args))
        return replace(node, call=call, condition=node.condition and fold(node.condition))
    if isinstance(node, Join) and node.condition is not None:
        # a pair of rows meets where the condition is TRUE, so that NULL is as FALSE in all kinds of joins
        condition = simplify_condition(fold(node.condition))
        return replace(node, condition=None if is_true(condition) else condition)
    return node
