"""Puts the database that is current when a query runs into its plan, wherever CURRENT_DATABASE() stands: in views and tables too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import Call, Expr, Literal, transform
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import rewrite
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import AssignWatermark, Filter, Join, Project, TemporalJoin, Values

if TYPE_CHECKING:
    from fluxcore.plan.nodes import Node


def with_database(root: Node, database: str) -> Node:
    """Return the plan with each CURRENT_DATABASE() as a constant."""

    def change(expr: Expr) -> Expr:
        if isinstance(expr, Call) and expr.function == "CURRENT_DATABASE":
            return Literal(type=expr.type, value=database, span=expr.span)
        return expr

    def put(expr: Expr) -> Expr:
        return transform(expr, change)

    def named(node: Node) -> Node:
        match node:
            case Project():
                exprs = tuple(map(put, node.exprs))
                same = all(new is old for new, old in zip(exprs, node.exprs, strict=True))
                return node if same else replace(node, exprs=exprs)
            case Values():
                rows = tuple(tuple(map(put, row)) for row in node.rows)
                return node if rows == node.rows else replace(node, rows=rows)
            case AssignWatermark():
                expr = put(node.expr)
                return node if expr is node.expr else replace(node, expr=expr)
            case Correlate():
                args = tuple(map(put, node.call.args))
                node = node if args == node.call.args else replace(node, call=replace(node.call, args=args))
        if isinstance(node, Filter | Join | TemporalJoin | LookupJoin | Correlate) and node.condition is not None:
            condition = put(node.condition)
            return node if condition is node.condition else replace(node, condition=condition)
        return node

    return rewrite([root], named)[0]
