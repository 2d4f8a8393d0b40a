"""Checks MATCH_RECOGNIZE: its clauses, variables, columns and conditions are what Flink takes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fluxcore.core.types import IntervalType
from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.changelog import is_append_only
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.schema import Schema
    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Node

_NAVIGATION = ("FIRST", "LAST")
_OFFSETS = ("PREV", "NEXT")
_MOMENTS = {"MATCH_ROWTIME": "CURRENT_TIMESTAMP", "MATCH_PROCTIME": "PROCTIME"}


def check_match(tree: ast.MatchRecognize, node: Node) -> None:
    """Check a row pattern over the rows of a node.

    Raises: ``ScriptError`` FX-SQL-0416 for what no pattern can say, FX-SQL-0900 for what Flink does not execute.
    """
    if not is_append_only(node):
        raise _wrong("MATCH_RECOGNIZE takes rows that are not updated", tree.span)
    if tree.all_rows:
        raise not_supported("ALL ROWS PER MATCH", span=tree.span, hint="ONE ROW PER MATCH")
    _check_order(tree, node)
    names = list(dict.fromkeys(each.name for each in _parts(tree.pattern) if each.kind == "NAME"))
    _check_pattern(tree.pattern)
    variables = {*names, *(name for name, _ in tree.defines), *(name for name, _ in tree.subsets)}
    for _, members in tree.subsets:
        for member in members:
            if member not in names:
                raise _unknown(member, names, tree.span)
    if tree.skip[1] and tree.skip[1] not in variables:
        raise _unknown(tree.skip[1], names, tree.span)
    if tree.within is not None and not isinstance(tree.within.type, IntervalType):
        raise _wrong("WITHIN takes an interval", tree.within.span)
    twice = [name for name, _ in tree.defines if [each for each, _ in tree.defines].count(name) > 1]
    if twice:
        raise _wrong(f"'{twice[0]}' is defined twice", tree.span)
    for _, condition in tree.defines:
        _Expressions(node.schema, variables, "DEFINE").condition(condition)
    measures = _Expressions(node.schema, variables, "MEASURES")
    for item in tree.measures:
        measures.check(item.expr)
    if not tree.measures and not tree.partition:
        raise _wrong("MATCH_RECOGNIZE gives no column: it has no MEASURES", tree.span)


def _check_order(tree: ast.MatchRecognize, node: Node) -> None:
    binder = ExpressionBinder(Scope.of(node.schema), place="in PARTITION BY")
    for each in tree.partition:
        if not isinstance(binder.bind(each), ColumnRef):
            raise not_supported("PARTITION BY of an expression", span=each.span, hint="compute it in a view before")
    hint = "ORDER BY the event time, or a processing time, first"
    if not tree.order:
        raise ScriptError("FX-SQL-0416", "MATCH_RECOGNIZE needs ORDER BY a time attribute", span=tree.span, hint=hint)
    first, *_ = orders = [binder.bind(item.expr) for item in tree.order]
    if not isinstance(first, ColumnRef) or node.schema[first.index].time is None:
        raise ScriptError("FX-SQL-0416", "MATCH_RECOGNIZE needs ORDER BY a time attribute", span=first.span, hint=hint)
    if tree.order[0].descending:
        raise _wrong("MATCH_RECOGNIZE goes forward in time: ORDER BY it ascending", tree.order[0].span)
    for expr in orders:
        if not isinstance(expr, ColumnRef):
            raise _wrong("MATCH_RECOGNIZE is ordered by columns", expr.span or tree.span)


def _parts(pattern: ast.RowPattern) -> Iterator[ast.RowPattern]:
    yield pattern
    for part in pattern.parts:
        yield from _parts(part)


def _check_pattern(pattern: ast.RowPattern) -> None:
    parts = pattern.parts if pattern.kind == "SEQUENCE" and len(pattern.parts) > 1 else (pattern,)
    whats = {"CHOICE": "alternatives in PATTERN", "PERMUTE": "PERMUTE", "EXCLUDED": "{- … -} in PATTERN",
             "SEQUENCE": "a group in PATTERN"}  # fmt: skip
    for each in parts:
        if each.kind in whats:
            raise not_supported(whats[each.kind], span=each.span)
    last = parts[-1]
    if last.greedy and last.most != last.least and last.most != 1:
        message = "a greedy quantifier can't stand at the end of PATTERN"
        raise ScriptError("FX-SQL-0416", message, span=last.span, hint="make it reluctant: B+?, or end with a variable")
    if all(each.least == 0 for each in parts):
        raise _wrong("PATTERN can match no row at all", pattern.span)
    for before, after in pairwise(parts):
        if before.greedy and before.most is None and after.least == 0:
            raise _wrong("an optional part can't follow a greedy one", after.span)


class _Expressions:
    """Checks the expressions of DEFINE and MEASURES, in which a variable stands before the name of a column."""

    def __init__(self, schema: Schema, variables: set[str], clause: str) -> None:
        self._schema = schema
        self._variables = variables
        self._clause = clause
        self._binder = ExpressionBinder(Scope.of(schema), aggregates=True, place=f"in {clause}")

    def condition(self, tree: ast.Expression) -> None:
        self.check(tree, condition=True)

    def check(self, tree: ast.Expression, *, condition: bool = False) -> None:
        plain = self._plain(tree)
        if condition:
            self._binder.condition(plain, self._clause)
        else:
            self._binder.bind(plain)

    def _plain(self, tree: ast.Expression, used: set[str] | None = None) -> ast.Expression:
        """Return the expression over plain columns: without variables, and FIRST and LAST as what they look at."""
        used = set() if used is None else used
        match tree:
            case ast.Name():
                return self._column(tree, used)
            case ast.CastTo():
                return ast.CastTo(arg=self._plain(tree.arg, used), type=tree.type, lenient=tree.lenient, span=tree.span)
            case ast.SubQuery():
                raise not_supported(f"a sub-query in {self._clause}", span=tree.span)
            case ast.FunctionCall():
                return self._call(tree, used)
        return tree

    def _column(self, tree: ast.Name, used: set[str]) -> ast.Name:
        if len(tree.parts) == 1 or tree.parts[0] not in self._variables:
            if len(tree.parts) > 1 and tree.parts[0] not in self._schema.names:
                raise _unknown(tree.parts[0], sorted(self._variables), tree.span)
            used.add("")
            return tree
        used.add(tree.parts[0])
        return ast.Name(parts=tree.parts[1:], span=tree.span)

    def _call(self, tree: ast.FunctionCall, used: set[str]) -> ast.Expression:
        name = tree.name.upper()
        if name in _MOMENTS:
            return ast.FunctionCall(name=_MOMENTS[name], args=(), span=tree.span)
        if name in _OFFSETS:
            raise not_supported(f"{name} in {self._clause}", span=tree.span, hint="LAST(A.x, 1) looks back among A")
        if name in ("CLASSIFIER", "MATCH_NUMBER"):
            raise not_supported(name, span=tree.span)
        if tree.distinct:
            raise not_supported(f"DISTINCT in {self._clause}", span=tree.span)
        inside: set[str] = set()
        args = tuple(self._plain(arg, inside) for arg in tree.args)
        used |= inside
        if name in _NAVIGATION:
            offset = args[1] if len(args) == 2 else None
            if not 1 <= len(args) <= 2 or (offset is not None and not isinstance(offset, ast.Constant)):
                raise _wrong(f"{name} takes a column, and how many rows to go on", tree.span)
            return args[0]
        call = ast.FunctionCall(
            name=tree.name,
            args=args,
            star=tree.star,
            where=tree.where,
            over=tree.over,
            named=tree.named,
            span=tree.span,
        )
        asked = len(self._binder.asked)
        self._binder.bind(call)
        if len(self._binder.asked) > asked and len(inside) > 1:
            raise _wrong(f"{name} looks at the rows of one variable only", tree.span)
        return call


def _wrong(message: str, span: Span) -> ScriptError:
    return ScriptError("FX-SQL-0416", message, span=span)


def _unknown(name: str, known: list[str], span: Span) -> ScriptError:
    hint = nearest(name, known) or f"the variables are {', '.join(known)}"
    return ScriptError("FX-SQL-0416", f"the pattern has no variable '{name}'", span=span, hint=hint)
