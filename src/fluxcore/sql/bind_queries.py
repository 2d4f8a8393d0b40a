"""Binds queries: SELECT with grouping, OVER, DISTINCT and ORDER BY; WITH; sub-queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.types import BOOLEAN, IntervalType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr.coercion import common_type
from fluxcore.expr.nodes import ColumnRef, Expr
from fluxcore.expr.pushdown import conjunction, conjuncts
from fluxcore.plan.columns import distinct_names, references
from fluxcore.plan.joins import filtered
from fluxcore.plan.nodes import Aggregate, Filter, Join, JoinKind, Node, Project, Sort
from fluxcore.sql import ast
from fluxcore.sql.bind_correlate import one_row
from fluxcore.sql.bind_expressions import ExpressionBinder, fill
from fluxcore.sql.bind_groups import group, refuse_grouping
from fluxcore.sql.bind_over import bind_over
from fluxcore.sql.bind_relations import RelationBinder
from fluxcore.sql.bind_sets import bind_set, bind_values
from fluxcore.sql.bind_tables import with_hint
from fluxcore.sql.calls import sort_key
from fluxcore.sql.group_windows import group_window
from fluxcore.sql.hints import check_names, name_of
from fluxcore.sql.row_number import recognise_top_n
from fluxcore.sql.scope import Outer, Scope
from fluxcore.sql.sub_queries import SubQueryValue, attach, attach_calls, has_sub_query, keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.sql.bind_expressions import Asked
    from fluxcore.sql.catalog import Catalog


@dataclass
class _Selected:
    """What a SELECT computes, while it is bound: columns with names, what ORDER BY wants besides, HAVING, QUALIFY."""

    exprs: list[Expr]
    names: list[str]
    hidden: list[Expr]
    having: Expr | None
    qualify: Expr | None


class QueryBinder:
    """Binds queries over a catalog, and the tables of an enclosing WITH; ``settings`` are the session's.

    ``outer`` is the query around a sub-query.
    """

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        tables: Mapping[str, Node] | None = None,
        outer: Outer | None = None,
    ) -> None:
        self._catalog = catalog
        self._settings = settings
        self._tables = dict(tables or {})
        self._outer = outer
        self._relations = RelationBinder(self._table, self._query, outer)
        self._relations.value, self._relations.lateral = self._value, self._inside

    def bind(self, query: ast.Query) -> Node:
        """Return the plan of a query. Raises ``ScriptError`` with the place of what is wrong."""
        return recognise_top_n(self._query(query))

    def _table(self, tree: ast.TableName) -> Node:
        if len(tree.parts) == 1 and tree.parts[0] in self._tables:
            return self._tables[tree.parts[0]]
        if tree.options:
            return with_hint(self._catalog, tree)
        return self._catalog.relation(tree.parts, tree.span)

    def _query(self, query: ast.Query) -> Node:
        if query.tables:
            inner = QueryBinder(self._catalog, self._settings, self._tables, self._outer)
            for name, columns, table in query.tables:
                node = inner._query(table)
                if columns:
                    if len(columns) != len(node.schema):
                        message = f"{name} names {len(columns)} columns, and there are {len(node.schema)}"
                        raise ScriptError("FX-SQL-0209", message, span=table.span)
                    node = Project(node, references(node), columns)
                inner._tables[name] = node
            return inner._query(replace(query, tables=()))
        match query:
            case ast.Select():
                return self._select(query)
            case ast.ValuesQuery():
                node = bind_values(query)
            case ast.SetQuery():
                node = bind_set(query, self._query(query.left), self._query(query.right))
            case _:
                raise not_supported("this query", span=query.span)
        return self._ordered_whole(query, node)

    def _inside(self, query: ast.Query, outer: Outer) -> Node:
        """Return the plan of a query that sees the rows around it."""
        return QueryBinder(self._catalog, self._settings, self._tables, outer).bind(query)

    def _value(self, tree: ast.SubQuery, binder: ExpressionBinder) -> Expr:
        """Return what stands for a sub-query within an expression that ``binder`` binds."""
        outer = Outer(binder.scope)
        plan = self._inside(tree.query, outer)
        if tree.kind == "EXISTS":
            known = BOOLEAN.with_nullable(False)
            return SubQueryValue(type=known, span=tree.span, kind=tree.kind, plan=plan, outer=tuple(outer.values))
        lefts: tuple[ast.Expression, ...] = () if tree.left is None else (tree.left,)
        row = tree.left if isinstance(tree.left, ast.FunctionCall) and tree.left.name == "ROW" else None
        if row is not None and len(row.args) > 1 and tree.kind == "IN":
            lefts = row.args
        wanted = max(len(lefts), 1)
        if len(plan.schema) != wanted:
            what = {"SCALAR": "a sub-query as a value", "IN": "IN"}.get(tree.kind, f"{tree.kind} ANY or ALL")
            message = f"{what} needs a query of {wanted} column{'s' * (wanted > 1)}, and this has {len(plan.schema)}"
            raise ScriptError("FX-SQL-0217", message, span=tree.span)
        if tree.kind == "SCALAR":
            value_type = plan.schema[0].type.with_nullable(True)
            return SubQueryValue(type=value_type, span=tree.span, kind=tree.kind, plan=plan, outer=tuple(outer.values))
        operands = tuple(binder.bind(each) for each in lefts)
        for operand, column in zip(operands, plan.schema, strict=True):
            if common_type([operand.type, column.type]) is None:
                message = f"{operand.type.name()} can't be looked for among {column.type.name()}"
                raise ScriptError("FX-SQL-0306", message, span=tree.span)
        nullable = any(each.type.nullable for each in (*operands, *plan.schema))
        return SubQueryValue(
            type=BOOLEAN.with_nullable(nullable), span=tree.span, kind=tree.kind, plan=plan, operands=operands,
            outer=tuple(outer.values),
        )  # fmt: skip

    def _select(self, query: ast.Select) -> Node:
        node, scope = self._source(query)
        if query.where is not None:
            node = self._where(node, scope, query.where)
        binder = ExpressionBinder(scope, aggregates=True)
        binder.settings = self._settings
        binder.windows, binder.sub_query = dict(query.windows), self._value
        node, binder.window_calls = group_window(node, scope, query.group or ())
        exprs, names = self._items(query, scope, binder)
        having = None if query.having is None else binder.condition(query.having, "HAVING")
        binder.aliases = dict(zip(names, exprs, strict=True))
        qualify = None if query.qualify is None else binder.condition(query.qualify, "QUALIFY")
        binder.aliases_first = True
        hidden = [binder.bind(item.expr) for item in query.order if _output_place(item, names) is None]
        found = _Selected(exprs, names, hidden, having, qualify)
        grouped = query.group is not None or having is not None
        overs = [(number, asked) for number, asked in enumerate(binder.asked) if asked.over is not None]
        if grouped or len(overs) < len(binder.asked):
            groups = group(node, scope, query, binder, _lifetime(query))
            node = groups.node
            found.exprs, found.hidden = [groups.over(e) for e in exprs], [groups.over(e) for e in hidden]
            found.qualify = None if qualify is None else groups.over(qualify)
            overs = [(number, asked.changed(groups.over)) for number, asked in overs]
            for part in [] if having is None else conjuncts(having):
                node = keep(node, groups.over(part))
        else:
            refuse_grouping([*exprs, *hidden, *([] if qualify is None else [qualify])])
        node = self._over(query, node, overs, found)
        if query.distinct:
            return self._distinct(query, node, found)
        return self._ordered(query, node, found)

    def _over(self, query: ast.Select, node: Node, overs: list[tuple[int, Asked]], found: _Selected) -> Node:
        """Return the node with the results of OVER, for which QUALIFY holds; the selected expressions become those over it."""
        if query.qualify is not None and not overs:
            raise ScriptError("FX-SQL-0220", "QUALIFY needs a function with OVER", span=query.qualify.span)
        if not overs:
            return node
        node, overs = attach_calls(node, overs)
        node, values = bind_over(node, overs)
        found.exprs, found.hidden = [fill(e, values) for e in found.exprs], [fill(e, values) for e in found.hidden]
        if found.qualify is not None:
            node = keep(node, fill(found.qualify, values))
        return node

    def _source(self, query: ast.Select) -> tuple[Node, Scope]:
        """Return the plan of FROM, with the lifetimes that a hint gives its tables."""
        check_names(dict(query.lifetimes), query.source, query.span)
        if query.source is None:
            node, scope = one_row()
            return node, replace(scope, outer=self._outer)
        outer, self._relations.lifetimes = self._relations.lifetimes, dict(query.lifetimes)
        try:
            node, scope = self._relations.bind(query.source)
        finally:
            self._relations.lifetimes = outer
        return node, replace(scope, outer=self._outer)

    def _where(self, node: Node, scope: Scope, where: ast.Expression) -> Node:
        binder = ExpressionBinder(scope, place="in WHERE")
        binder.sub_query = self._value
        whole = binder.condition(where, "WHERE")
        parts = conjuncts(whole)
        plain = [each for each in parts if not has_sub_query(each)]
        condition = whole if len(plain) == len(parts) else conjunction(plain)
        if condition is not None:
            comma = isinstance(node, Join) and node.kind is JoinKind.INNER and len(node.schema) == len(scope.schema)
            # conditions between the inputs make the join what it is: with keys, within windows or an interval
            node = filtered(node, condition) if comma and isinstance(node, Join) else Filter(node, condition)
        for part in parts:
            if has_sub_query(part):
                node = keep(node, part)
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

    def _distinct(self, query: ast.Select, node: Node, found: _Selected) -> Node:
        node, exprs = attach(node, found.exprs)
        unique = Project(node, tuple(exprs), distinct_names(found.names))
        whole = Aggregate(unique, tuple(range(len(exprs))), (), (), _lifetime(query))
        refs = references(whole)
        places = dict(reversed(list(zip(exprs, refs, strict=True))))
        hidden = []
        for expr in found.hidden:
            changed = _over_selected(expr, places)
            if changed is None:
                message = "SELECT DISTINCT can only be ordered by what it selects"
                raise ScriptError("FX-SQL-0218", message, span=expr.span or query.span)
            hidden.append(changed)
        return self._ordered(query, whole, replace(found, exprs=list(refs), hidden=hidden))

    def _ordered_whole(self, query: ast.Query, node: Node) -> Node:
        """Return VALUES or a set operation in its order."""
        names = node.schema.names
        binder = ExpressionBinder(Scope.of(node.schema), place="in ORDER BY")
        hidden = [binder.bind(item.expr) for item in query.order if _output_place(item, names) is None]
        return self._ordered(query, node, _Selected(list(references(node)), names, hidden, None, None))

    def _ordered(self, query: ast.Query, node: Node, found: _Selected) -> Node:
        node, everything = attach(node, [*found.exprs, *found.hidden])
        names = distinct_names(found.names)
        extra = tuple(f"$order{index}" for index in range(len(found.hidden)))
        node = Project(node, tuple(everything), (*names, *extra))
        if not query.order and query.limit is None and not query.offset:
            return node
        places = iter(range(len(names), len(names) + len(extra)))
        keys = []
        for item in query.order:
            place = _output_place(item, found.names)
            if place is not None and not 0 <= place < len(names):
                raise ScriptError("FX-SQL-0213", f"there is no column {place + 1} to order by", span=item.span)
            column = next(places) if place is None else place
            keys.append(sort_key(item, column, node.schema[column].type))
        node = Sort(node, tuple(keys), query.limit, query.offset)
        return Project(node, references(node, range(len(names))), names) if extra else node


def _over_selected(expr: Expr, places: Mapping[Expr, Expr]) -> Expr | None:
    """Return an expression over what was selected; None where it looks at more than that."""
    if expr in places:
        return places[expr]
    if isinstance(expr, ColumnRef | SubQueryValue):
        return None
    children = [_over_selected(child, places) for child in expr.children]
    if any(child is None for child in children):
        return None
    return expr.with_children(tuple(child for child in children if child is not None)) if children else expr


def _output_place(item: ast.OrderItem, names: Sequence[str]) -> int | None:
    """Return the output column that an ORDER BY item names, by name or number; None for any other expression."""
    expr = item.expr
    if isinstance(expr, ast.Constant) and isinstance(expr.value, int) and not isinstance(expr.type, IntervalType):
        return expr.value - 1
    if isinstance(expr, ast.Name) and len(expr.parts) == 1 and expr.parts[0] in names:
        return list(names).index(expr.parts[0])
    return None


def _lifetime(query: ast.Select) -> int | None:
    """Return the lifetime (ms) of the groups of a query over one table, where a hint gives it."""
    name = name_of(query.source) if query.source is not None else None
    return dict(query.lifetimes).get(name or "")
