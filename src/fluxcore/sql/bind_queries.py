"""Binds queries: SELECT with grouping, OVER, DISTINCT and ORDER BY; VALUES; set operations; WITH."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema, TimeKind
from fluxcore.core.types import IntervalType, NullType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr import build
from fluxcore.expr.coercion import common_type
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import AggCall, ColumnRef, Expr, Literal
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import attached_window, distinct_names, references, with_columns
from fluxcore.plan.joins import filtered
from fluxcore.plan.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Node,
    Over,
    OverCall,
    Project,
    Sort,
    SortKey,
    Union,
    Values,
    WindowAggregate,
    WindowKind,
)
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import Asked, ExpressionBinder, Pending, fill
from fluxcore.sql.bind_relations import RelationBinder
from fluxcore.sql.group_windows import find_group_window, group_window
from fluxcore.sql.hints import check_names, name_of
from fluxcore.sql.row_number import RowNumber, recognise_top_n
from fluxcore.sql.scope import Scope
from fluxcore.sql.sub_queries import bind_sub_query, split_where
from fluxcore.sql.window_arguments import stamped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.errors import Span
    from fluxcore.sql.catalog import Catalog

_ONE_ROW = Values(Schema.of([Column("$none", build.literal(0).type)]), ((build.literal(0),),))


@dataclass(frozen=True)
class _Output:
    """The columns of a SELECT over ``node``: expressions and names; ``scope`` is what ORDER BY can see besides them."""

    node: Node
    exprs: list[Expr]
    names: list[str]


class QueryBinder:
    """Binds queries over a catalog, and the tables of an enclosing WITH."""

    def __init__(self, catalog: Catalog, tables: Mapping[str, Node] | None = None) -> None:
        self._catalog = catalog
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
            inner = QueryBinder(self._catalog, self._tables)
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
            node, values = self._over(node, scope, binder.asked)
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
            return _ONE_ROW, Scope.of(Schema(()))
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
        wanted = [*plain, *(arg for asked in binder.asked for arg in _inputs(asked))]
        wide, places = with_columns(node, wanted)
        rest = iter(places[len(plain) :])
        calls = tuple(_agg_call(asked, rest) for asked in binder.asked)
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

    def _over(self, node: Node, scope: Scope, asked: list[Asked]) -> tuple[Node, dict[int, Expr]]:
        """Return the node with the results of all OVER calls appended, one node per distinct window."""
        values: dict[int, Expr] = {}
        clauses = list(dict.fromkeys(_window_of_call(each) for each in asked))
        for partition, order in clauses:
            members = [(i, each) for i, each in enumerate(asked) if _window_of_call(each) == (partition, order)]
            node = self._over_one(node, scope, members, values)
        return node, values

    def _over_one(self, node: Node, scope: Scope, members: list[tuple[int, Asked]], values: dict[int, Expr]) -> Node:
        over = members[0][1].over
        assert over is not None
        binder = ExpressionBinder(scope, place="inside OVER")
        partition = [binder.bind(tree) for tree in over.partition]
        order = [(item, binder.bind(item.expr)) for item in over.order]
        inputs = [arg for _, asked in members for arg in _inputs(asked)]
        wide, places = with_columns(node, [*partition, *(expr for _, expr in order), *inputs])
        first = len(partition) + len(order)
        part, keys = places[: len(partition)], places[len(partition) : first]
        if members[0][1].function == "ROW_NUMBER":
            return self._row_number(wide, members, (part, keys), values)
        time = self._over_time(wide, keys, over)
        by_clock = time is not None and wide.schema[time].time is TimeKind.PROCESSING
        wide = wide if time is None else stamped(wide, time)
        sort = () if time is not None else tuple(_sort_key(*each) for each in zip(over.order, keys, strict=True))
        rest = iter(places[first:])
        calls = tuple(_over_call(asked, rest) for _, asked in members)
        if by_clock:  # rows of one batch have one time, and are no peers all the same
            calls = tuple(replace(call, rows=call.rows or call.preceding is None) for call in calls)
        names = tuple(f"$over{index}" for index in range(len(calls)))
        found = Over(wide, tuple(part), time, calls, names, sort)
        width = len(wide.schema)
        for position, (number, asked) in enumerate(members):
            values[number] = ColumnRef(index=width + position, type=asked.type, name=names[position])
        return found

    def _over_time(self, node: Node, keys: list[int], over: ast.OverClause) -> int | None:
        """Return the time attribute that OVER is ordered by, or None: then the order is made at the end of the input."""
        if not keys:
            hint = "order by the column that the watermark is on, ascending"
            raise ScriptError("FX-SQL-0405", "OVER needs ORDER BY", span=over.span, hint=hint)
        plain = len(keys) == 1 and not over.order[0].descending
        return keys[0] if plain and node.schema[keys[0]].time is not None else None

    def _row_number(
        self, node: Node, members: list[tuple[int, Asked]], places: tuple[list[int], list[int]], values: dict[int, Expr]
    ) -> Node:
        over = members[0][1].over
        assert over is not None
        if len(members) > 1:
            raise not_supported("other OVER functions beside ROW_NUMBER", span=over.span)
        part, keys = places
        if not keys:
            raise ScriptError("FX-SQL-0406", "ROW_NUMBER needs ORDER BY", span=over.span)
        order = tuple(_sort_key(item, key) for item, key in zip(over.order, keys, strict=True))
        node = stamped(node, keys[0])
        window = attached_window(node)
        if window is not None and window.start in part and window.end in part:
            told = (window.end,) if window.spec.kind is WindowKind.SESSION else (window.start, window.end)
            part = [index for index in part if index not in told]
        else:
            window = None
        found = RowNumber(node, tuple(part), order, window, members[0][1].span)
        last = len(found.schema) - 1
        values[members[0][0]] = ColumnRef(index=last, type=found.schema[last].type, name="$number")
        return found

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
            keys.append(_sort_key(item, next(places) if place is None else place))
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


def _constant(value: Expr, column: Column) -> Literal:
    found = (
        fold(build.cast(value, column.type)) if not isinstance(value.type, NullType) else build.cast(value, column.type)
    )
    if not isinstance(found, Literal):
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


def _sort_key(item: ast.OrderItem, column: int) -> SortKey:
    nulls = (not item.descending) if item.nulls_first is None else item.nulls_first
    return SortKey(column, item.descending, nulls)


def _window_keys(node: Node, keys: list[Expr]) -> dict[Expr, int]:
    """Return the group keys that are the window's start, end or time, with their places from the output's end."""
    from fluxcore.plan.windows import window_of

    found = window_of(node)
    assert found is not None
    tails = {found.start: -3, found.end: -2, found.time: -1}
    return {key: tails[key.index] for key in keys if isinstance(key, ColumnRef) and key.index in tails}


def _inputs(asked: Asked) -> list[Expr]:
    return [*asked.args, *([] if asked.where is None else [asked.where])]


def _agg_call(asked: Asked, places: object) -> AggCall:
    take = places.__next__  # type: ignore[attr-defined]
    args = tuple(take() for _ in asked.args)
    where = None if asked.where is None else take()
    return AggCall(
        function=asked.function, type=asked.type, args=args, parameters=asked.parameters, distinct=asked.distinct,
        where=where, span=asked.span,
    )  # fmt: skip


def _over_call(asked: Asked, places: object) -> OverCall:
    over = asked.over
    assert over is not None
    if asked.function not in _OVER:
        raise not_supported(f"{asked.function} with OVER", span=asked.span)
    if asked.distinct or asked.where is not None:
        raise not_supported("DISTINCT or FILTER with OVER", span=asked.span)
    call = _agg_call(asked, places)
    preceding: int | None = None
    if over.preceding is not None:
        value = over.preceding
        if not isinstance(value, ast.Constant) or not isinstance(value.value, int) or value.value < 0:
            raise ScriptError("FX-SQL-0407", "the frame needs a whole number or an interval", span=over.preceding.span)
        preceding = value.value
    return OverCall(call, rows=bool(over.rows), preceding=preceding)


_OVER = {"LAG", "COUNT", "SUM", "MIN", "MAX", "AVG", "FIRST_VALUE", "LAST_VALUE"}


def _window_of_call(asked: Asked) -> tuple[tuple[ast.Expression, ...], tuple[ast.OrderItem, ...]]:
    assert asked.over is not None
    return asked.over.partition, asked.over.order


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
