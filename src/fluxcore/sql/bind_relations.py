"""Binds what stands in FROM: tables, views, sub-queries, windows and joins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema, TimeKind
from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.expr import build
from fluxcore.expr.nodes import Call, ColumnRef, Expr, Literal, columns_of, moved
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import references
from fluxcore.plan.joins import join, temporal_join
from fluxcore.plan.nodes import AssignWindow, Filter, JoinKind, Node, Project, WindowKind, WindowSpec
from fluxcore.plan.windows import is_local
from fluxcore.sql import ast
from fluxcore.sql.bind_changes import bind_changes
from fluxcore.sql.bind_correlate import correlated, correlated_join, is_lateral, is_lateral_query, lateral_last, one_row
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.bind_match import check_match
from fluxcore.sql.hints import name_of
from fluxcore.sql.row_number import recognise_top_n
from fluxcore.sql.scope import Outer, Scope
from fluxcore.sql.sub_queries import has_sub_query
from fluxcore.sql.sub_query_joins import join_on_sub_queries, lateral_join
from fluxcore.sql.window_arguments import length_of, time_column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.errors import Span

    Bound = tuple[Node, Scope]


class RelationBinder:
    """Binds relations; ``table`` finds the plan of a name, ``query`` binds a sub-query.

    ``lifetimes`` (ms) by name or alias are those of the tables of the SELECT whose FROM is bound.
    """

    def __init__(
        self, table: Callable[[ast.TableName], Node], query: Callable[[ast.Query], Node], outer: Outer | None = None
    ) -> None:
        self._table = table
        self._query = query
        self._outer = outer
        self.value: Callable[[ast.SubQuery, ExpressionBinder], Expr] | None = None
        self.lateral: Callable[[ast.Query, Outer], Node] | None = None
        self.lifetimes: Mapping[str, int] = {}

    def bind(self, tree: ast.Relation) -> Bound:
        """Return the plan of a relation and the names that it brings."""
        match tree:
            case ast.TableName():
                node = self._table(tree)
                return node, Scope.of(node.schema, tree.parts[-1])
            case ast.Derived():
                node = self._query(tree.query)
                return node, Scope.of(node.schema)
            case ast.Aliased():
                return self._aliased(tree)
            case ast.WindowTable():
                node = self._window(tree.call)
                return node, Scope.of(node.schema)
            case ast.ChangelogTable():
                node = bind_changes(tree.call, lambda each: self.bind(each)[0])
                return node, Scope.of(node.schema)
            case ast.MatchRecognize():
                check_match(tree, self.bind(tree.relation)[0])
                raise not_supported("running MATCH_RECOGNIZE", span=tree.span)
            case ast.Joined():
                return self._join(tree)
            case ast.Unnest() | ast.TableFunction():
                return correlated(one_row(), tree)
            case ast.AsOf():
                raise ScriptError("FX-SQL-0411", "FOR SYSTEM_TIME AS OF needs a join around it", span=tree.span)
        raise not_supported("this in FROM", span=tree.span)

    def _aliased(self, tree: ast.Aliased) -> Bound:
        if is_lateral(tree):
            return correlated(one_row(), tree)
        node, _ = self.bind(tree.relation)
        if tree.columns:
            node = _renamed(node, tree.columns, tree.alias, tree.span)
        return node, Scope.of(node.schema, tree.alias)

    def _window(self, call: ast.FunctionCall) -> Node:
        args = dict(call.named) if call.named else dict(zip(_ARGUMENTS[call.name], call.args, strict=False))
        data = args.get("DATA")
        if isinstance(data, ast.SubQuery) and data.kind == "SCALAR":
            data = ast.TableArgument(table=ast.Derived(query=data.query, span=data.span), span=data.span)
        if not isinstance(data, ast.TableArgument):
            raise ScriptError("FX-SQL-0401", f"{call.name} takes a table first: TABLE t", span=call.span)
        node, scope = self.bind(data.table)
        if data.partition and call.name != "SESSION":
            raise ScriptError("FX-SQL-0402", f"{call.name} takes no PARTITION BY", span=data.span)
        descriptor = args.get("TIMECOL")
        if not isinstance(descriptor, ast.Descriptor) or len(descriptor.columns) != 1:
            raise ScriptError("FX-SQL-0401", f"{call.name} takes DESCRIPTOR(time column) second", span=call.span)
        node, time = time_column(node, Scope.of(node.schema), descriptor.columns, descriptor.span)
        unknown = set(args) - set(_ARGUMENTS[call.name])
        if unknown:
            name = unknown.pop()
            hint = nearest(name, _ARGUMENTS[call.name])
            raise ScriptError("FX-SQL-0402", f"{call.name} has no argument {name}", span=call.span, hint=hint)
        local = is_local(node.schema, time)
        if call.name == "SESSION":
            binder = ExpressionBinder(scope, place="in PARTITION BY")
            partition = [binder.bind(tree) for tree in data.partition]
            if not all(isinstance(expr, ColumnRef) for expr in partition):
                raise not_supported("PARTITION BY of an expression", span=data.span, hint="compute it in a view before")
            gap = self._length(args, "GAP", call)
            keys = tuple(dict.fromkeys(each.index for each in partition if isinstance(each, ColumnRef)))
            return AssignWindow(node, WindowSpec(WindowKind.SESSION, time, gap, gap, 0, keys, local))
        size = self._length(args, "SIZE", call)
        slide = (
            size if call.name == "TUMBLE" else self._length(args, "STEP" if call.name == "CUMULATE" else "SLIDE", call)
        )
        offset = self._length(args, "OFFSET", call) if "OFFSET" in args else 0
        if call.name == "CUMULATE" and size % slide:
            raise ScriptError("FX-SQL-0404", "the size of CUMULATE must be a multiple of its step", span=call.span)
        return AssignWindow(node, WindowSpec(WindowKind(call.name), time, size, slide, offset, (), local))

    def _length(self, args: dict[str, ast.Expression], name: str, call: ast.FunctionCall) -> int:
        tree = args.get(name)
        if tree is None:
            raise ScriptError("FX-SQL-0401", f"{call.name} needs {name}", span=call.span)
        return length_of(tree, name, call.name)

    def _join(self, tree: ast.Joined) -> Bound:
        tree = lateral_last(tree)
        if is_lateral(tree.right):
            return correlated_join(self.bind(tree.left), tree)
        if is_lateral_query(tree.right):
            return self._lateral(self.bind(tree.left), tree)
        as_of, right_tree = _without_as_of(tree.right)
        if as_of is not None:
            tree = replace(tree, right=right_tree)
        (left, left_scope), (right, right_scope) = self.bind(tree.left), self.bind(tree.right)
        hidden = left_scope.hidden | {len(left.schema) + index for index in right_scope.hidden}
        both = Schema.of(left.schema.columns + right.schema.columns)
        scope = Scope(both, left_scope.qualifiers + right_scope.qualifiers, hidden, self._outer)
        condition: Expr | None = None
        using = _common(left_scope, right_scope) if tree.natural else tree.using
        if using:
            condition = conjunction([_same(left_scope, right_scope, name, tree.span) for name in using])
        elif tree.condition is not None and not tree.natural:
            binder = ExpressionBinder(scope, place="in ON")
            binder.sub_query = self.value
            condition = binder.condition(tree.condition, "ON")
        kind = JoinKind.INNER if tree.kind == "CROSS" else JoinKind(tree.kind)
        lifetimes = [self.lifetimes.get(name_of(each) or "") for each in (tree.left, tree.right)]
        node: Node
        if as_of is not None:
            node = self._temporal_join((left, left_scope), right, kind, condition, as_of)
        elif condition is not None and has_sub_query(condition):
            node = join_on_sub_queries((left, right), kind, condition, span=tree.span)
        else:
            node = join(left, right, kind, condition, ttl_ms=(lifetimes[0], lifetimes[1]))
        scope = replace(scope, schema=node.schema)
        return self._using(using, node, scope, (len(left.schema), kind)) if using else (node, scope)

    def _lateral(self, left: Bound, tree: ast.Joined) -> Bound:
        """Return the join of each left row with what a query that sees it gives for it."""
        node, scope = left
        if tree.kind in ("RIGHT", "FULL") or tree.using or tree.natural:
            message = f"LATERAL can't be joined by {'USING' if tree.using else tree.kind}"
            raise ScriptError("FX-SQL-0414", message, span=tree.right.span, hint="CROSS JOIN, or LEFT JOIN … ON TRUE")
        alias: str | None = None
        columns: tuple[str, ...] = ()
        derived = tree.right
        if isinstance(derived, ast.Aliased):
            alias, columns, derived = derived.alias, derived.columns, derived.relation
        assert isinstance(derived, ast.Derived)
        assert self.lateral is not None
        outer = Outer(replace(scope, outer=self._outer))
        plan = self.lateral(derived.query, outer)
        if columns:
            plan = _renamed(plan, columns, str(alias), tree.right.span)
        width = len(plan.schema)
        both = Scope(Schema.of((*node.schema.columns, *plan.schema.columns)), (*scope.qualifiers, *(alias,) * width))
        condition: Expr | None = None
        if tree.condition is not None:
            condition = ExpressionBinder(both, place="in ON").condition(tree.condition, "ON")
            if isinstance(condition, Literal) and condition.value is True:
                condition = None
        if condition is not None and tree.kind == "LEFT":
            message = "a LEFT join of a LATERAL query goes ON TRUE only"
            raise ScriptError("FX-SQL-0414", message, span=tree.span)
        found = lateral_join(node, plan, outer.values, JoinKind.LEFT if tree.kind == "LEFT" else JoinKind.INNER)
        if condition is not None:
            found = Filter(found, condition)
        return found, replace(both, schema=found.schema, hidden=scope.hidden)

    def _temporal_join(
        self, bound: Bound, right: Node, kind: JoinKind, condition: Expr | None, as_of: ast.Expression
    ) -> Node:
        left, scope = bound
        expr = ExpressionBinder(scope, place="in FOR SYSTEM_TIME AS OF").bind(as_of)
        now = isinstance(expr, Call) and expr.function == "PROCTIME"
        column = left.schema[expr.index] if isinstance(expr, ColumnRef) else None
        if not now and (column is None or column.time is None):
            hint = "a column with a watermark, or one of PROCTIME()"
            message = "FOR SYSTEM_TIME AS OF needs a time attribute of the left side"
            raise ScriptError("FX-SQL-0411", message, span=as_of.span, hint=hint)
        if kind not in (JoinKind.INNER, JoinKind.LEFT):
            raise ScriptError("FX-SQL-0411", f"a {kind.value} join can't be FOR SYSTEM_TIME AS OF", span=as_of.span)
        times: tuple[int, int] | None = None
        if column is not None and isinstance(expr, ColumnRef) and column.time is TimeKind.EVENT:
            own = [index for index, each in enumerate(right.schema) if each.time is TimeKind.EVENT]
            if not own:
                hint = "give the right table a watermark, or join as of PROCTIME()"
                raise ScriptError("FX-SQL-0411", "the right table has no versions in time", span=as_of.span, hint=hint)
            times = (expr.index, own[0])
        try:
            found = temporal_join(left, recognise_top_n(right), kind, condition, times)
        except ScriptError as error:
            error.span = error.span or as_of.span
            raise
        if found is None:
            raise ScriptError("FX-SQL-0411", "FOR SYSTEM_TIME AS OF needs ON with equal keys", span=as_of.span)
        return found

    def _using(self, names: Sequence[str], node: Node, scope: Scope, join: tuple[int, JoinKind]) -> Bound:
        """Return the join with one column for each pair of joined ones, in front of all others."""
        width, kind = join
        refs = references(node)
        first: list[Expr] = []
        hidden: set[int] = set()
        for name in names:
            left = next(i for i in range(width) if scope.schema[i].name == name and i not in scope.hidden)
            right = next(i for i in range(width, len(refs)) if scope.schema[i].name == name and i not in scope.hidden)
            hidden |= {left, right}
            both = [refs[left], refs[right]]
            one = build.call("COALESCE", both) if kind is JoinKind.FULL else both[kind is JoinKind.RIGHT]
            first.append(one)
        found = Project(node, (*first, *refs), (*names, *node.schema.names))
        moved_hidden = frozenset(len(names) + index for index in (*hidden, *scope.hidden))
        qualifiers = (*(None for _ in names), *scope.qualifiers)
        return found, Scope(found.schema, qualifiers, moved_hidden, scope.outer)


def _renamed(node: Node, names: tuple[str, ...], alias: str, span: Span) -> Node:
    if len(names) != len(node.schema):
        message = f"{alias} names {len(names)} columns, and there are {len(node.schema)}"
        raise ScriptError("FX-SQL-0209", message, span=span)
    return Project(node, references(node), names)


def _common(left: Scope, right: Scope) -> tuple[str, ...]:
    """Return the names of columns that both sides have, in the left one's order."""
    there = {right.schema[index].name for index in right.visible()}
    return tuple(dict.fromkeys(left.schema[index].name for index in left.visible() if left.schema[index].name in there))


def _without_as_of(tree: ast.Relation) -> tuple[ast.Expression | None, ast.Relation]:
    """Return the time of FOR SYSTEM_TIME AS OF, and the relation without it."""
    if isinstance(tree, ast.AsOf):
        return tree.time, tree.relation
    if isinstance(tree, ast.Aliased):
        time, inner = _without_as_of(tree.relation)
        return time, tree if time is None else replace(tree, relation=inner)
    return None, tree


_ARGUMENTS = {
    "TUMBLE": ("DATA", "TIMECOL", "SIZE", "OFFSET"),
    "HOP": ("DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"),
    "CUMULATE": ("DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"),
    "SESSION": ("DATA", "TIMECOL", "GAP"),
}


def _same(left: Scope, right: Scope, name: str, span: Span) -> Expr:
    first, second = left.resolve([name], span), right.resolve([name], span)
    return build.call("=", [first, moved(second, {i: i + len(left.schema) for i in columns_of(second)})], span=span)
