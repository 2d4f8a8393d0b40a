"""Binds sub-queries in WHERE: IN and EXISTS become joins that keep the rows with a partner, or those without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.coercion import common_type
from fluxcore.plan.columns import references, select, with_columns
from fluxcore.plan.nodes import Aggregate, Filter, Join, JoinKind, Node, Project
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.expr.nodes import Expr
    from fluxcore.sql.scope import Scope


def split_where(where: ast.Expression) -> tuple[list[tuple[ast.SubQuery, bool]], list[ast.Expression]]:
    """Return the sub-queries that WHERE joins with AND, each with whether it is negated, and all other conditions."""
    if isinstance(where, ast.FunctionCall) and where.name == "AND":
        parts = [split_where(each) for each in where.args]
        return [each for found, _ in parts for each in found], [each for _, rest in parts for each in rest]
    inner, negated = where, False
    while isinstance(inner, ast.FunctionCall) and inner.name == "NOT" and len(inner.args) == 1:
        inner, negated = inner.args[0], not negated
    if isinstance(inner, ast.SubQuery) and inner.kind in ("IN", "EXISTS"):
        return [(inner, negated)], []
    return [], [where]


def bind_sub_query(
    node: Node, scope: Scope, tree: ast.SubQuery, query: Callable[[ast.Query], Node], *, negated: bool
) -> Node:
    """Return the rows of ``node`` for which IN or EXISTS holds, or doesn't where ``negated``.

    NOT IN is null-aware: one NULL among the values, or a NULL looked for among any, keeps no row.
    """
    right = query(tree.query)
    if tree.kind == "EXISTS":
        return _keep(node, _any_row(right), JoinKind.ANTI if negated else JoinKind.SEMI)
    if len(right.schema) != 1:
        raise ScriptError(
            "FX-SQL-0217", f"IN needs a query of 1 column, and this has {len(right.schema)}", span=tree.span
        )
    assert tree.left is not None
    value = ExpressionBinder(scope, place="in WHERE").bind(tree.left)
    (column,) = references(right)
    type_ = common_type([value.type, column.type])
    if type_ is None:
        message = f"{value.type.name()} can't be looked for among {column.type.name()}"
        raise ScriptError("FX-SQL-0306", message, span=tree.span)
    values = Aggregate(Project(right, (build.cast(column, type_),), ("value",)), (0,), (), ())
    found = _keep(node, values, JoinKind.ANTI if negated else JoinKind.SEMI, build.cast(value, type_))
    if not negated:
        return found
    (there,) = references(values)
    if there.type.nullable:
        unknown = _any_row(Filter(values, build.call("IS NULL", [there])))
        found = _keep(found, unknown, JoinKind.ANTI)
    if value.type.nullable:
        found = _keep(found, _any_row(values), JoinKind.ANTI, condition=build.call("IS NULL", [value]))
    return found


def _any_row(node: Node) -> Node:
    """Return one row when ``node`` has any, else none."""
    one = build.literal(1)
    return Aggregate(Project(node, (one,), ("one",)), (0,), (), ())


def _keep(left: Node, right: Node, kind: JoinKind, key: Expr | None = None, *, condition: Expr | None = None) -> Node:
    """Return the left rows with, or without, a partner: one whose only column equals ``key``, where there is a key."""
    wide, places = with_columns(left, [key] if key is not None else [])
    node: Node = Join(wide, right, kind, tuple(places), (0,) if key is not None else (), condition)
    if wide is left:
        return node
    return select(node, range(len(left.schema)))
