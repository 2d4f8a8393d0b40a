"""Binds what stands in FROM: tables, views, sub-queries, windows and joins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema, TimeKind
from fluxcore.core.types import IntervalType, TimestampType
from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.expr.nodes import ColumnRef, Expr, columns_of, moved
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import references
from fluxcore.plan.joins import join
from fluxcore.plan.nodes import AssignWindow, JoinKind, Node, Project, WindowKind, WindowSpec
from fluxcore.plan.windows import window_of
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.errors import Span

    Bound = tuple[Node, Scope]


class RelationBinder:
    """Binds relations; ``table`` finds a table's plan by name, ``query`` binds a sub-query."""

    def __init__(self, table: Callable[[str, Span], Node], query: Callable[[ast.Query], Node]) -> None:
        self._table = table
        self._query = query

    def bind(self, tree: ast.Relation) -> Bound:
        """Return the plan of a relation and the names that it brings."""
        match tree:
            case ast.TableName():
                node = self._table(tree.parts[-1], tree.span)
                return node, Scope.of(node.schema, tree.parts[-1])
            case ast.Derived():
                node = self._query(tree.query)
                return node, Scope.of(node.schema)
            case ast.Aliased():
                return self._aliased(tree)
            case ast.WindowTable():
                node = self._window(tree.call)
                return node, Scope.of(node.schema)
            case ast.Joined():
                return self._join(tree)
        raise not_supported("this in FROM", span=tree.span)

    def _aliased(self, tree: ast.Aliased) -> Bound:
        node, _ = self.bind(tree.relation)
        if tree.columns:
            if len(tree.columns) != len(node.schema):
                message = f"{tree.alias} names {len(tree.columns)} columns, and there are {len(node.schema)}"
                raise ScriptError("FX-SQL-0209", message, span=tree.span)
            node = Project(node, references(node), tree.columns)
        return node, Scope.of(node.schema, tree.alias)

    def _window(self, call: ast.FunctionCall) -> Node:
        args = dict(call.named) if call.named else dict(zip(_ARGUMENTS[call.name], call.args, strict=False))
        data = args.get("DATA")
        if not isinstance(data, ast.TableArgument):
            raise ScriptError("FX-SQL-0401", f"{call.name} takes a table first: TABLE t", span=call.span)
        if call.name == "SESSION":
            raise not_supported("a SESSION window", span=call.span)
        node, _ = self.bind(data.table)
        time = self._time_column(node, args.get("TIMECOL"), call)
        unknown = set(args) - set(_ARGUMENTS[call.name])
        if unknown:
            name = unknown.pop()
            hint = nearest(name, _ARGUMENTS[call.name])
            raise ScriptError("FX-SQL-0402", f"{call.name} has no argument {name}", span=call.span, hint=hint)
        size = self._length(args, "SIZE", call)
        slide = (
            size if call.name == "TUMBLE" else self._length(args, "STEP" if call.name == "CUMULATE" else "SLIDE", call)
        )
        offset = self._length(args, "OFFSET", call) if "OFFSET" in args else 0
        if call.name == "CUMULATE" and size % slide:
            raise ScriptError("FX-SQL-0404", "the size of CUMULATE must be a multiple of its step", span=call.span)
        return AssignWindow(node, WindowSpec(WindowKind(call.name), time, size, slide, offset))

    def _time_column(self, node: Node, tree: ast.Expression | None, call: ast.FunctionCall) -> int:
        if not isinstance(tree, ast.Descriptor) or len(tree.columns) != 1:
            raise ScriptError("FX-SQL-0401", f"{call.name} takes DESCRIPTOR(time column) second", span=call.span)
        expr = Scope.of(node.schema).resolve(tree.columns, tree.span)
        column = node.schema[expr.index] if isinstance(expr, ColumnRef) else None
        if column is None or column.time is not TimeKind.EVENT:
            message = f"'{tree.columns[0]}' is no event-time column"
            hint = "give its table a watermark: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
            if column is not None and isinstance(column.type, TimestampType) and window_of(node):
                hint = "rows that are in windows already have their time in window_time"
            raise ScriptError("FX-SQL-0403", message, span=tree.span, hint=hint)
        assert isinstance(expr, ColumnRef)
        if isinstance(column.type, TimestampType) and column.type.precision > 6:
            raise not_supported("an event time finer than microseconds", span=tree.span)
        return expr.index

    def _length(self, args: dict[str, ast.Expression], name: str, call: ast.FunctionCall) -> int:
        tree = args.get(name)
        if tree is None:
            raise ScriptError("FX-SQL-0401", f"{call.name} needs {name}", span=call.span)
        if not isinstance(tree, ast.Constant) or not isinstance(tree.type, IntervalType) or tree.type.months:
            raise ScriptError("FX-SQL-0404", f"{name} must be an interval such as INTERVAL '10' MINUTE", span=tree.span)
        if tree.value <= 0 and name != "OFFSET":
            raise ScriptError("FX-SQL-0404", f"{name} must be more than 0", span=tree.span)
        return int(tree.value)

    def _join(self, tree: ast.Joined) -> Bound:
        (left, left_scope), (right, right_scope) = self.bind(tree.left), self.bind(tree.right)
        both = Schema.of(left.schema.columns + right.schema.columns)
        scope = Scope(both, left_scope.qualifiers + right_scope.qualifiers)
        condition: Expr | None = None
        if tree.using:
            condition = conjunction([_same(left_scope, right_scope, name, tree.span) for name in tree.using])
        elif tree.condition is not None:
            condition = ExpressionBinder(scope, place="in ON").condition(tree.condition, "ON")
        kind = JoinKind.INNER if tree.kind == "CROSS" else JoinKind(tree.kind)
        node = join(left, right, kind, condition)
        columns = Schema.of(node.schema.columns)
        if tree.using:
            return self._using(tree, node, Scope(columns, scope.qualifiers), len(left.schema))
        return node, Scope(columns, scope.qualifiers)

    def _using(self, tree: ast.Joined, node: Node, scope: Scope, width: int) -> Bound:
        """Keep one of each pair of joined columns."""
        if tree.kind in ("RIGHT", "FULL"):
            raise not_supported(f"USING with a {tree.kind} join", span=tree.span)
        names = node.schema.names
        kept = [i for i in range(len(names)) if i < width or names[i] not in tree.using]
        projected = Project(node, references(node, kept), tuple(names[i] for i in kept))
        return projected, Scope(projected.schema, tuple(scope.qualifiers[i] for i in kept))


_ARGUMENTS = {
    "TUMBLE": ("DATA", "TIMECOL", "SIZE", "OFFSET"),
    "HOP": ("DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"),
    "CUMULATE": ("DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"),
    "SESSION": ("DATA", "TIMECOL", "GAP"),
}


def _same(left: Scope, right: Scope, name: str, span: Span) -> Expr:
    from fluxcore.expr import build

    first, second = left.resolve([name], span), right.resolve([name], span)
    return build.call("=", [first, moved(second, {i: i + len(left.schema) for i in columns_of(second)})], span=span)
