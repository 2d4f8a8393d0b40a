"""Computes constant expressions once, and drops filters that are always true."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Literal
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import AssignWatermark, Filter, Join, Project

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node


def fold_constants(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return the plans with all constant sub-expressions replaced by their values.

    Without ``settings`` those stay that may depend on the session's zone.
    """
    return rewrite(roots, lambda node: _change(node, lambda expr: fold(expr, settings)))


def _change(node: Node, fold: Callable[[Expr], Expr]) -> Node:
    if isinstance(node, Project):
        return replace(node, exprs=tuple(fold(expr) for expr in node.exprs))
    if isinstance(node, Filter):
        condition = fold(node.condition)
        if isinstance(condition, Literal) and condition.value is True:
            return node.input
        return replace(node, condition=condition)
    if isinstance(node, AssignWatermark):
        return replace(node, expr=fold(node.expr))
    if isinstance(node, Correlate):
        return replace(node, call=replace(node.call, args=tuple(fold(arg) for arg in node.call.args)))
    if isinstance(node, Join) and node.condition is not None:
        condition = fold(node.condition)
        always = isinstance(condition, Literal) and condition.value is True
        return replace(node, condition=None if always else condition)
    return node
