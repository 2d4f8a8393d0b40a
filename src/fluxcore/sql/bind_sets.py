"""Binds VALUES and the set operations: UNION, INTERSECT and EXCEPT, of all rows or of different ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, BOOLEAN, NullType
from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.coercion import common_type
from fluxcore.expr.fold import fold, waits_for_the_zone
from fluxcore.expr.nodes import AggCall, ColumnRef, Expr, Literal
from fluxcore.expr.table_calls import repeat_call
from fluxcore.plan.columns import references, select
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.nodes import Aggregate, Filter, Node, Project, Union, Values
from fluxcore.sql import ast
from fluxcore.sql.bind_correlate import one_row
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from fluxcore.errors import Span


def bind_values(query: ast.ValuesQuery) -> Node:
    """Return the plan of VALUES. Raises ``ScriptError`` FX-SQL-0214, 0306, 0900."""
    binder = ExpressionBinder(Scope.of(Schema(())), place="in VALUES")
    rows = [[fold(binder.bind(tree)) for tree in row] for row in query.rows]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise ScriptError("FX-SQL-0214", "all rows of VALUES need the same number of values", span=query.span)
    columns = []
    for index in range(width):
        type_ = common_type([row[index].type for row in rows])
        if type_ is None:
            raise ScriptError("FX-SQL-0306", f"the values of column {index + 1} don't go together", span=query.span)
        columns.append(Column(f"EXPR${index}", type_))
    done = [[_constant(value, c) for value, c in zip(row, columns, strict=True)] for row in rows]
    schema = Schema.of(columns)
    if all(isinstance(value, Literal) or waits_for_the_zone(value) for row in done for value in row):
        return Values(schema, tuple(tuple(row) for row in done))
    names, (one, _) = tuple(schema.names), one_row()
    computed = [Project(one, tuple(row), names) for row in done]
    return computed[0] if len(computed) == 1 else Union(tuple(computed), schema)


def _constant(value: Expr, column: Column) -> Expr:
    cast = build.cast(value, column.type)
    return cast if isinstance(value.type, NullType) else fold(cast)


def bind_set(query: ast.SetQuery, left: Node, right: Node) -> Node:
    """Return the plan of a set operation. Raises ``ScriptError`` FX-SQL-0214, 0306 for inputs that don't go together."""
    columns = _columns(query.kind, left, right, query.span)
    if query.kind == "UNION":
        return _union(query, left, right, columns)
    branches = []
    for branch, is_left in ((left, True), (right, False)):
        narrow = _as(branch, columns)
        side = build.literal(is_left)
        names = (*(column.name for column in columns), "$left")
        branches.append(Project(narrow, (*references(narrow), side), names))
    side_column = Column("$left", BOOLEAN.with_nullable(False))
    plain = [Column(each.name, each.type) for each in columns]
    both = Union(tuple(branches), Schema.of([*plain, side_column]))
    return _counted(query, both)


def _counted(query: ast.SetQuery, both: Node) -> Node:
    """Return the rows of INTERSECT or EXCEPT by how often each row is on either side."""
    width = len(both.schema) - 1
    refs = references(both)
    wide = Project(both, (*refs, build.call("NOT", [refs[width]])), (*both.schema.names, "$right"))
    count = BIGINT.with_nullable(False)
    calls = tuple(AggCall(function="COUNT", type=count, where=place) for place in (width, width + 1))
    counted = Aggregate(wide, tuple(range(width)), calls, ("$lefts", "$rights"))
    lefts, rights = references(counted)[width:]
    zero = build.literal(0)
    if query.kind == "INTERSECT":
        condition = build.call("AND", [build.call(">", [lefts, zero]), build.call(">", [rights, zero])])
        times = build.call("LEAST", [lefts, rights])
    else:
        none = build.call("=", [rights, zero])
        condition = build.call(">", [lefts, rights if query.all else zero])
        condition = condition if query.all else build.call("AND", [condition, none])
        times = build.call("-", [lefts, rights])
    kept: Node = Filter(counted, condition)
    if query.all:
        kept = Correlate(kept, repeat_call(times), ())
    return select(kept, range(width))


def _union(query: ast.SetQuery, left: Node, right: Node, columns: list[Column]) -> Node:
    branches: list[Node] = []
    for branch in (left, right):
        flat = branch.branches if isinstance(branch, Union) and branch.columns == Schema.of(columns) else (branch,)
        branches += [_as(each, columns) for each in flat]
    found: Node = Union(tuple(branches), Schema.of(columns))
    return found if query.all else Aggregate(found, tuple(range(len(columns))), (), ())


def _columns(kind: str, left: Node, right: Node, span: Span) -> list[Column]:
    if len(left.schema) != len(right.schema):
        message = f"{kind} joins {len(left.schema)} columns with {len(right.schema)}"
        raise ScriptError("FX-SQL-0214", message, span=span)
    columns = []
    for index, (a, b) in enumerate(zip(left.schema, right.schema, strict=True)):
        type_ = common_type([a.type, b.type])
        if type_ is None:
            message = f"column {index + 1} of {kind} is {a.type.name()} and {b.type.name()}"
            raise ScriptError("FX-SQL-0306", message, span=span)
        columns.append(Column(a.name, type_, a.time if a.time == b.time else None))
    return columns


def _as(node: Node, columns: list[Column]) -> Node:
    exprs = [build.cast(ref, column.type) for ref, column in zip(references(node), columns, strict=True)]
    if all(isinstance(expr, ColumnRef) for expr in exprs) and node.schema.names == [c.name for c in columns]:
        return node
    return Project(node, tuple(exprs), tuple(column.name for column in columns))
