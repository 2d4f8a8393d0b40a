"""Binds queries: SELECT with grouping, OVER, DISTINCT and ORDER BY; VALUES; set operations; WITH."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import IntervalType, NullType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr import build
from fluxcore.expr.coercion import common_type
from fluxcore.expr.fold import fold, waits_for_the_zone
from fluxcore.expr.nodes import ColumnRef, Expr, Literal
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import attached_window, distinct_names, references, with_columns
from fluxcore.plan.joins import filtered
from fluxcore.plan.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Node,
    Project,
    Sort,
    Union,
    Values,
    WindowAggregate,
)
from fluxcore.sql import ast
from fluxcore.sql.bind_correlate import one_row
from fluxcore.sql.bind_expressions import ExpressionBinder, Pending, fill
from fluxcore.sql.bind_over import bind_over
from fluxcore.sql.bind_relations import RelationBinder
from fluxcore.sql.calls import agg_call, inputs_of, sort_key
from fluxcore.sql.group_windows import find_group_window, group_window
from fluxcore.sql.hints import check_names, name_of
from fluxcore.sql.row_number import recognise_top_n
from fluxcore.sql.scope import Scope
from fluxcore.sql.sub_queries import bind_sub_query, split_where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.errors import Span
    from fluxcore.sql.catalog import Catalog


@dataclass(frozen=True)
class _Output:
    """The columns of a SELECT over ``node``: expressions and names; ``scope`` is what ORDER BY can see besides them."""

    node: Node
    exprs: list[Expr]
    names: list[str]


class QueryBinder:
    """Binds queries over a catalog, and the tables of an enclosing WITH; ``settings`` are the session's."""

    def __init__(self, catalog: Catalog, settings: Settings, tables: Mapping[str, Node] | None = None) -> None:
        self._catalog = catalog
        self._settings = settings
        self._tables = dict(tables or {})
        self._relations = RelationBinder(self._table, self._sub_query)

    def bind(self, query: ast.Query) -> Node:
        """Return the plan of a query. Raises ``ScriptError`` with the place of what is wrong."""
        return recognise_top_n(self._query(query))

    def _table(self, name: str, span: Span) -> Node:
        if name in self._tables:
            return self._tables[name]
        return self._catalog.relation(name, span)

    def _sub_query(self, query: ast.Query) -> Node:
        return self._query(query)

    def _query(self, query: ast.Query) -> Node:
        if query.tables:
            inner = QueryBinder(self._catalog, self._settings, self._tables)
            for name, columns, table in query.tables:
                node = inner._query(table)
                if columns:
                    node = Project(node, references(node), columns)
                inner._tables[name] = node
                inner._relations = RelationBinder(inner._table, inner._sub_query)
            return inner._query(replace(query, tables=()))
        match query:
            case ast.Select():
                return self._select(query)
            case ast.ValuesQuery():
                node = self._values(query)
            case ast.SetQuery():
                node = self._set(query)
            case _:
                raise not_supported("this query", span=query.span)
        return self._ordered(query, _Output(node, list(references(node)), node.schema.names))

    def _select(self, query: ast.Select) -> Node:
        node, scope = self._source(query)
        if query.where is not None:
            node = self._where(node, scope, query.where)
        binder = ExpressionBinder(scope, aggregates=True)
        binder.functions, binder.settings = self._catalog.aggregates, self._settings
        binder.windows = dict(query.windows)
        node, binder.window_calls = group_window(node, scope, query.group or ())
        exprs, names = self._items(query, scope, binder)
        having = None if query.having is None else binder.condition(query.having, "HAVING")
        hidden = self._hidden(query, names, binder)
        grouped = [asked for asked in binder.asked if asked.over is None]
        if query.group is not None or grouped:
            if len(grouped) != len(binder.asked):
                raise not_supported("OVER in a query that groups", span=query.span, hint="group in a sub-query")
            node, everything = self._group(query, node, scope, binder, [*exprs, *hidden, *([having] if having else [])])
            if having is not None:
                node = Filter(node, everything.pop())
            exprs, hidden = everything[: len(exprs)], everything[len(exprs) :]
        elif having is not None:
            raise ScriptError("FX-SQL-0212", "HAVING needs GROUP BY", span=query.span)
        elif binder.asked:
            node, values = bind_over(node, scope, binder.asked)
            exprs, hidden = [fill(e, values) for e in exprs], [fill(e, values) for e in hidden]
        if query.distinct:
            unique = Project(node, tuple(exprs), distinct_names(names))
            if hidden:
                raise not_supported("DISTINCT with ORDER BY of a column that is not selected", span=query.span)
            node = Aggregate(unique, tuple(range(len(exprs))), (), (), _lifetime(query))
            exprs = list(references(node))
        return self._ordered(query, _Output(node, exprs, names), hidden)

    def _source(self, query: ast.Select) -> tuple[Node, Scope]:
        """Return the plan of FROM, with the lifetimes that a hint gives its tables."""
        check_names(dict(query.lifetimes), query.source, query.span)
        if query.source is None:
            return one_row()
        outer, self._relations.lifetimes = self._relations.lifetimes, dict(query.lifetimes)
        try:
            return self._relations.bind(query.source)
        finally:
            self._relations.lifetimes = outer

    def _where(self, node: Node, scope: Scope, where: ast.Expression) -> Node:
        sub_queries, rest = split_where(where)
        if rest:
            binder = ExpressionBinder(scope, place="in WHERE")
            conditions = [binder.condition(each, "WHERE") for each in (rest if sub_queries else [where])]
            condition = conjunction(conditions)
            assert condition is not None
            comma = isinstance(node, Join) and node.kind is JoinKind.INNER and len(node.schema) == len(scope.schema)
            # conditions between the inputs make the join what it is: with keys, within windows or an interval
            node = filtered(node, condition) if comma and isinstance(node, Join) else Filter(node, condition)
        for tree, negated in sub_queries:
            node = bind_sub_query(node, scope, tree, self._query, negated=negated)
        return node

    def _items(self, query: ast.Select, scope: Scope, binder: ExpressionBinder) -> tuple[list[Expr], list[str]]:
        exprs: list[Expr] = []
        names: list[str] = []
        for item in query.items:
            if isinstance(item.expr, ast.Star):
                if query.source is None:
                    raise ScriptError("FX-SQL-0205", "* needs a FROM", span=item.span)
                for index in scope.all_of(item.expr.qualifier, item.expr.span):
                    exprs.append(scope.column(index, item.expr.span))
                    names.append(scope.schema[index].name)
                continue
            expr = binder.bind(item.expr)
            exprs.append(expr)
            own = item.expr.parts[-1] if isinstance(item.expr, ast.Name) else f"EXPR${len(exprs) - 1}"
            names.append(item.alias or own)
        return exprs, names

    def _hidden(self, query: ast.Select, names: list[str], binder: ExpressionBinder) -> list[Expr]:
        """Return the ORDER BY expressions that are not columns of the output."""
        return [binder.bind(item.expr) for item in query.order if _output_place(item, names) is None]

    def _group(
        self, query: ast.Select, node: Node, scope: Scope, binder: ExpressionBinder, exprs: list[Expr]
    ) -> tuple[Node, list[Expr]]:
        """Return the aggregate and the expressions over its columns."""
        group = ExpressionBinder(scope, place="in GROUP BY")
        window_calls = [tree for tree in query.group or () if find_group_window((tree,))]
        keys = [self._group_key(tree, query, group) for tree in query.group or () if tree not in window_calls]
        keys += list(binder.window_calls.values())
        keys = [key for number, key in enumerate(keys) if key not in keys[:number]]
        window = attached_window(node)
        tails: dict[Expr, int] = {}
        if window is not None:
            columns = [key.index for key in keys if isinstance(key, ColumnRef)]
            if window.start in columns and window.end in columns:
                tails = _window_keys(node, keys)
            else:
                window = None
        plain = [key for key in keys if key not in tails]
        wanted = [*plain, *(arg for asked in binder.asked for arg in inputs_of(asked))]
        wide, places = with_columns(node, wanted)
        rest = iter(places[len(plain) :])
        calls = tuple(agg_call(asked, rest) for asked in binder.asked)
        names = tuple(f"$agg{index}" for index in range(len(calls)))
        found: Node
        if window is not None:
            found = WindowAggregate(wide, window, tuple(places[: len(plain)]), calls, names)
        else:
            found = Aggregate(wide, tuple(places[: len(plain)]), calls, names, _lifetime(query))
        schema = found.schema
        after = {key: index for index, key in enumerate(plain)}
        after |= {key: len(schema) + tail for key, tail in tails.items()}
        values = {
            index: ColumnRef(index=len(plain) + index, type=schema[len(plain) + index].type, name=names[index])
            for index in range(len(calls))
        }
        return found, [_over_groups(expr, after, values, schema, scope) for expr in exprs]

    def _group_key(self, tree: ast.Expression, query: ast.Select, binder: ExpressionBinder) -> Expr:
        try:
            return binder.bind(tree)
        except ScriptError:
            if isinstance(tree, ast.Name) and len(tree.parts) == 1:
                for item in query.items:
                    if item.alias == tree.parts[0]:
                        return binder.bind(item.expr)
            raise

    def _ordered(self, query: ast.Query, output: _Output, hidden: Sequence[Expr] = ()) -> Node:
        names = distinct_names(output.names)
        extra = tuple(f"$order{index}" for index in range(len(hidden)))
        node: Node = Project(output.node, (*output.exprs, *hidden), (*names, *extra))
        if not query.order and query.limit is None and not query.offset:
            return node
        places = iter(range(len(names), len(names) + len(hidden)))
        keys = []
        for item in query.order:
            place = _output_place(item, output.names)
            if place is not None and place >= len(names):
                raise ScriptError("FX-SQL-0213", f"there is no column {place + 1} to order by", span=item.span)
            if place is None and not hidden:
                place = self._by_name(item, node)
            keys.append(sort_key(item, next(places) if place is None else place))
        node = Sort(node, tuple(keys), query.limit, query.offset)
        return Project(node, references(node, range(len(names))), names) if hidden else node

    def _by_name(self, item: ast.OrderItem, node: Node) -> int:
        expr = ExpressionBinder(Scope.of(node.schema), place="in ORDER BY").bind(item.expr)
        if not isinstance(expr, ColumnRef):
            raise not_supported("ORDER BY of an expression over a set operation", span=item.span)
        return expr.index

    def _values(self, query: ast.ValuesQuery) -> Node:
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
        done = tuple(tuple(_constant(value, c) for value, c in zip(row, columns, strict=True)) for row in rows)
        return Values(Schema.of(columns), done)

    def _set(self, query: ast.SetQuery) -> Node:
        if query.kind != "UNION":
            raise not_supported(query.kind, span=query.span)
        left, right = self._query(query.left), self._query(query.right)
        if len(left.schema) != len(right.schema):
            message = f"UNION joins {len(left.schema)} columns with {len(right.schema)}"
            raise ScriptError("FX-SQL-0214", message, span=query.span)
        columns = []
        for index, (a, b) in enumerate(zip(left.schema, right.schema, strict=True)):
            type_ = common_type([a.type, b.type])
            if type_ is None:
                message = f"column {index + 1} of UNION is {a.type.name()} and {b.type.name()}"
                raise ScriptError("FX-SQL-0306", message, span=query.span)
            columns.append(Column(a.name, type_, a.time if a.time == b.time else None))
        branches: list[Node] = []
        for branch in (left, right):
            flat = branch.branches if isinstance(branch, Union) and branch.columns == Schema.of(columns) else (branch,)
            branches += [_as(each, columns) for each in flat]
        found: Node = Union(tuple(branches), Schema.of(columns))
        return found if query.all else Aggregate(found, tuple(range(len(columns))), (), ())


def _as(node: Node, columns: list[Column]) -> Node:
    exprs = [build.cast(ref, column.type) for ref, column in zip(references(node), columns, strict=True)]
    if all(isinstance(expr, ColumnRef) for expr in exprs) and node.schema.names == [c.name for c in columns]:
        return node
    return Project(node, tuple(exprs), tuple(column.name for column in columns))


def _constant(value: Expr, column: Column) -> Expr:
    found = (
        fold(build.cast(value, column.type)) if not isinstance(value.type, NullType) else build.cast(value, column.type)
    )
    if not isinstance(found, Literal) and not waits_for_the_zone(found):
        raise not_supported("VALUES with more than constants", span=value.span)
    return found


def _output_place(item: ast.OrderItem, names: Sequence[str]) -> int | None:
    """Return the output column that an ORDER BY item names, by name or number; None for any other expression."""
    expr = item.expr
    if isinstance(expr, ast.Constant) and isinstance(expr.value, int) and not isinstance(expr.type, IntervalType):
        return expr.value - 1
    if isinstance(expr, ast.Name) and len(expr.parts) == 1 and expr.parts[0] in names:
        return list(names).index(expr.parts[0])
    return None


def _window_keys(node: Node, keys: list[Expr]) -> dict[Expr, int]:
    """Return the group keys that are the window's start, end or time, with their places from the output's end."""
    from fluxcore.plan.windows import window_of

    found = window_of(node)
    assert found is not None
    tails = {found.start: -3, found.end: -2, found.time: -1}
    return {key: tails[key.index] for key in keys if isinstance(key, ColumnRef) and key.index in tails}


def _over_groups(
    expr: Expr, keys: Mapping[Expr, int], values: Mapping[int, Expr], schema: Schema, scope: Scope
) -> Expr:
    """Return an expression over an aggregate's output: group keys and results are columns of it."""
    if expr in keys:
        index = keys[expr]
        return ColumnRef(index=index, type=schema[index].type, name=schema[index].name, span=expr.span)
    if isinstance(expr, Pending):
        return values[expr.number]
    if isinstance(expr, ColumnRef):
        name = scope.schema[expr.index].name
        message = f"the column '{name}' is neither grouped nor inside an aggregate"
        raise ScriptError("FX-SQL-0215", message, span=expr.span, hint=f"add {name} to GROUP BY, or take MAX({name})")
    children = expr.children
    if not children:
        return expr
    return expr.with_children(tuple(_over_groups(child, keys, values, schema, scope) for child in children))


def _lifetime(query: ast.Select) -> int | None:
    """Return the lifetime (ms) of the groups of a query over one table, where a hint gives it."""
    name = name_of(query.source) if query.source is not None else None
    return dict(query.lifetimes).get(name or "")
