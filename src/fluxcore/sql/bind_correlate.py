"""Binds what sees the columns before it in FROM: UNNEST and table functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.core.user_functions import TableFunction
from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.nodes import Literal
from fluxcore.expr.table_calls import unnest_call
from fluxcore.expr.user_calls import user_table_call
from fluxcore.plan.columns import select
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.nodes import Filter, Values
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from fluxcore.expr.table_calls import TableCall
    from fluxcore.plan.nodes import Node

    Bound = tuple[Node, Scope]

_ONE_ROW = Values(Schema.of([Column("$none", build.literal(0).type)]), ((build.literal(0),),))


def one_row() -> Bound:
    """Return a relation of one row in which no name can be seen."""
    return _ONE_ROW, Scope.of(Schema(()))


def is_lateral(tree: ast.Relation) -> bool:
    """Return whether a relation is UNNEST or a table function, under another name or not."""
    inner = tree.relation if isinstance(tree, ast.Aliased) else tree
    return isinstance(inner, ast.Unnest | ast.TableFunction)


def is_lateral_query(tree: ast.Relation) -> bool:
    """Return whether a relation is a query that sees the relations before it."""
    inner = tree.relation if isinstance(tree, ast.Aliased) else tree
    return isinstance(inner, ast.Derived) and inner.lateral


def lateral_last(tree: ast.Joined) -> ast.Joined:
    """Return ``a, b JOIN UNNEST(…)`` as ``(a, b) JOIN UNNEST(…)``, so that it sees the columns of ``a`` too."""
    right = tree.right
    if tree.kind != "CROSS" or not isinstance(right, ast.Joined):
        return tree
    if not is_lateral(right.right) and not is_lateral_query(right.right):
        return tree
    left = lateral_last(replace(tree, right=right.left))
    return replace(right, left=left)


def correlated_join(left: Bound, tree: ast.Joined) -> Bound:
    """Return a join whose right side sees the columns of its left one.

    Raises: ``ScriptError`` FX-SQL-0414 for RIGHT and FULL.
    """
    if tree.kind in ("RIGHT", "FULL") or tree.using:
        message = f"UNNEST and table functions can't be joined by {'USING' if tree.using else tree.kind}"
        raise ScriptError("FX-SQL-0414", message, span=tree.right.span, hint="CROSS JOIN, or LEFT JOIN … ON TRUE")
    node, scope = correlated(left, tree.right, outer=tree.kind == "LEFT")
    if tree.condition is None:
        return node, scope
    condition = ExpressionBinder(scope, place="in ON").condition(tree.condition, "ON")
    if isinstance(condition, Literal) and condition.value is True:
        return node, scope
    if isinstance(node, Correlate) and node.outer:
        return replace(node, condition=condition), scope
    return Filter(node, condition), scope


def correlated(left: Bound, tree: ast.Relation, *, outer: bool = False) -> Bound:
    """Return the rows of ``left`` with those of a call over their columns. Raises ``ScriptError``."""
    below, scope = left
    alias: str | None = None
    columns: tuple[str, ...] = ()
    inner = tree
    if isinstance(tree, ast.Aliased):
        alias, columns, inner = tree.alias, tree.columns, tree.relation
    call = _call(inner, scope)
    names = tuple(name for name, _ in call.columns)
    if columns:
        if len(columns) != len(names):
            message = f"{alias} names {len(columns)} columns, and there are {len(names)}"
            raise ScriptError("FX-SQL-0209", message, span=tree.span)
        names = columns
    elif alias is not None and isinstance(inner, ast.Unnest) and len(names) == 1 + call.ordinality:
        names = (alias, *names[1:])  # the only column goes by the name of the relation
    node = Correlate(below, call, names, outer)
    hidden = len(below.schema) - len(scope.schema)  # the one row that stands for nothing
    if hidden:
        kept = tuple(range(hidden, len(node.schema)))
        found = select(node, kept)
        return found, Scope.of(found.schema, alias)
    return node, Scope(node.schema, (*scope.qualifiers, *(alias for _ in names)))


def _call(tree: ast.Relation, scope: Scope) -> TableCall:
    if isinstance(tree, ast.Unnest):
        arg = ExpressionBinder(scope, place="in UNNEST").bind(tree.arg)
        return unnest_call(arg, ordinality=tree.ordinality, span=tree.span)
    assert isinstance(tree, ast.TableFunction)
    call, user = tree.call, tree.call.user
    if not isinstance(user, TableFunction):
        hint = "CREATE FUNCTION f AS 'module.name' LANGUAGE PYTHON, of a function with @fx.udtf"
        raise ScriptError("FX-SQL-0210", f"there is no table function '{call.name}'", span=call.span, hint=hint)
    if call.distinct or call.star or call.where is not None or call.over is not None:
        raise ScriptError("FX-SQL-0206", f"{call.name} is no aggregate function", span=call.span)
    args = ExpressionBinder(scope, place=f"in {call.name}").arguments(call, user)
    return user_table_call(user, args, span=call.span)
