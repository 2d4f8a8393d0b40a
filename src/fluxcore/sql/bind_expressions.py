"""Binds expressions of the syntax tree: names to columns, calls to functions, with types."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fluxcore.core.aggregate import UserAggregate
from fluxcore.core.types import BIGINT, BOOLEAN, BooleanType, NullType
from fluxcore.core.user_functions import ScalarFunction, TableFunction
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr import build
from fluxcore.expr.aggregates import (
    aggregate_type,
    call_parameters,
    constants_from,
    is_aggregate,
    is_group_window,
    is_over_function,
    with_frequency,
)
from fluxcore.expr.nodes import Call, Expr
from fluxcore.expr.user_calls import user_call
from fluxcore.sql import ast
from fluxcore.sql.aggregate_forms import plain_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fluxcore.core.settings import Settings
    from fluxcore.core.types import DataType
    from fluxcore.core.user_functions import UserFunction
    from fluxcore.errors import Span
    from fluxcore.sql.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending(Expr):
    """Stands for the result of an aggregate or OVER call until the node that computes it is made."""

    number: int


@dataclass(frozen=True)
class Window:
    """What OVER says, bound: partition and order as expressions, the frame as written."""

    partition: tuple[Expr, ...]
    order: tuple[tuple[Expr, ast.OrderItem], ...]
    clause: ast.OverClause


GROUPING = "GROUPING"
"""The call that says which of its arguments are no keys of a row's grouping; what groups replaces it."""


@dataclass(frozen=True)
class Asked:
    """An aggregate or OVER call as written, with bound arguments; constants that the function wants are parameters."""

    function: str
    args: tuple[Expr, ...]
    type: DataType
    parameters: tuple[object, ...] = ()
    distinct: bool = False
    where: Expr | None = None
    user: UserAggregate | None = None
    over: Window | None = field(default=None)
    span: Span | None = field(default=None, compare=False)

    def reads(self) -> list[Expr]:
        """Return the expressions that the call reads."""
        over = () if self.over is None else (*self.over.partition, *(each for each, _ in self.over.order))
        return [*self.args, *(() if self.where is None else (self.where,)), *over]

    def changed(self, change: Callable[[Expr], Expr]) -> Asked:
        """Return the call with ``change`` applied to each expression that it reads."""
        over = self.over and replace(
            self.over,
            partition=tuple(change(each) for each in self.over.partition),
            order=tuple((change(each), item) for each, item in self.over.order),
        )
        where = None if self.where is None else change(self.where)
        return replace(self, args=tuple(change(each) for each in self.args), where=where, over=over)


class ExpressionBinder:
    """Binds expressions over a scope, and notes the aggregate and OVER calls that it meets."""

    def __init__(self, scope: Scope, *, aggregates: bool = False, place: str = "here") -> None:
        self.scope = scope
        self.asked: list[Asked] = []
        self.windows: dict[str, ast.OverClause] = {}
        self.settings: Settings | None = None
        self.window_calls: dict[ast.FunctionCall, Expr] = {}
        self.sub_query: Callable[[ast.SubQuery, ExpressionBinder], Expr] | None = None
        self.aliases: Mapping[str, Expr] = {}
        self.aliases_first = False
        self._aggregates = aggregates
        self._in_over = False
        self._place = place

    def bind(self, tree: ast.Expression) -> Expr:
        """Return the bound expression. Raises ``ScriptError`` with the place of what can't be bound."""
        match tree:
            case ast.Name():
                alias = tree.parts[0] if len(tree.parts) == 1 else None
                if alias in self.aliases and (self.aliases_first or not self.scope.knows(tree.parts)):
                    return self.aliases[tree.parts[0]]
                if alias is not None and alias.upper() == "PI" and not self.scope.knows(tree.parts):
                    return build.call("PI", [], span=tree.span)  # it may stand without brackets
                return self.scope.resolve(tree.parts, tree.span)
            case ast.Constant():
                return build.literal(tree.value, tree.type, span=tree.span)
            case ast.CastTo():
                return build.cast(self.bind(tree.arg), tree.type, lenient=tree.lenient, span=tree.span)
            case ast.FunctionCall():
                return self._call(tree)
            case ast.SubQuery():
                if self.sub_query is None:
                    raise ScriptError("FX-SQL-0205", f"a sub-query can't stand {self._place}", span=tree.span)
                return self.sub_query(tree, self)
            case ast.GroupingSet():
                raise ScriptError("FX-SQL-0205", "groupings can only stand in GROUP BY", span=tree.span)
            case ast.Star():
                raise ScriptError("FX-SQL-0205", "* can't stand here", span=tree.span)
        raise ScriptError("FX-SQL-0205", "this can't stand here", span=tree.span)

    def condition(self, tree: ast.Expression, what: str) -> Expr:
        """Return a bound condition. Raises ``ScriptError`` FX-SQL-0305 when it is not BOOLEAN."""
        expr = self.bind(tree)
        if isinstance(expr.type, NullType):
            return build.cast(expr, BOOLEAN)
        if not isinstance(expr.type, BooleanType):
            message = f"{what} needs a condition, and this is {expr.type.name()}"
            raise ScriptError("FX-SQL-0305", message, span=tree.span)
        return expr

    def _call(self, tree: ast.FunctionCall) -> Expr:
        if tree in self.window_calls:
            return self.window_calls[tree]
        name = tree.name.upper()
        if is_group_window(name):
            hint = "its arguments must be those of the window in GROUP BY" if self.window_calls else None
            raise ScriptError("FX-SQL-0410", f"{name} needs a window in GROUP BY", span=tree.span, hint=hint)
        if isinstance(tree.user, ScalarFunction | TableFunction):
            return self._user_call(tree, tree.user)
        if tree.named:
            raise not_supported("named arguments of a function", span=tree.span)
        if name in ("GROUPING", "GROUPING_ID", "GROUP_ID") and tree.over is None:
            return self._grouping(tree, name)
        if tree.over is not None or is_aggregate(name) or tree.user is not None:
            return self._asked(tree, name)
        if is_over_function(name):
            raise ScriptError("FX-SQL-0206", f"{name} needs OVER (…)", span=tree.span)
        if tree.distinct or tree.star or tree.where is not None:
            raise ScriptError("FX-SQL-0206", f"{name} is no aggregate function", span=tree.span)
        return build.call(tree.name, [self.bind(arg) for arg in tree.args], span=tree.span)

    def _user_call(self, tree: ast.FunctionCall, user: ScalarFunction | TableFunction) -> Expr:
        if isinstance(user, TableFunction):
            hint = f"FROM t, LATERAL TABLE({tree.name}(…)) AS r"
            raise ScriptError("FX-SQL-0206", f"{tree.name} gives rows, not a value", span=tree.span, hint=hint)
        if tree.distinct or tree.star or tree.where is not None or tree.over is not None:
            raise ScriptError("FX-SQL-0206", f"{tree.name} is no aggregate function", span=tree.span)
        return user_call(user, self.arguments(tree, user), span=tree.span)

    def arguments(self, tree: ast.FunctionCall, user: UserFunction) -> list[Expr]:
        """Return the bound arguments of a call, named ones in the place of their parameters.

        Raises: ``ScriptError`` FX-SQL-0206 for a name that is none of the function's parameters.
        """
        if not tree.named:
            return [self.bind(arg) for arg in tree.args]
        given = {name.upper(): self.bind(arg) for name, arg in tree.named}
        found: list[Expr] = []
        for parameter in user.parameters:
            arg = given.pop(parameter.name.upper(), None)
            if arg is None:
                break
            found.append(arg)
        if given:
            hint = f"it wants {user.signature()}"
            message = f"{tree.name} can't take the argument {next(iter(given))} here"
            raise ScriptError("FX-SQL-0206", message, span=tree.span, hint=hint)
        return found

    def _asked(self, tree: ast.FunctionCall, name: str) -> Expr:
        if self._in_over and tree.over is not None:
            raise ScriptError("FX-SQL-0207", "an OVER function can't stand inside OVER", span=tree.span)
        if not self._aggregates:
            kind = "an aggregate" if tree.over is None else "an OVER"
            raise ScriptError("FX-SQL-0207", f"{kind} function can't stand {self._place}", span=tree.span)
        if tree.user is None:
            tree = plain_form(tree, name)
        inner = self._inside(tree)
        args = [inner.bind(arg) for arg in tree.args]
        if not args and not tree.star and name == "COUNT":
            raise ScriptError("FX-SQL-0206", "write COUNT(*)", span=tree.span)
        user = tree.user
        if user is not None:
            assert isinstance(user, UserAggregate)
            if not args:
                raise ScriptError("FX-SQL-0206", f"{tree.name} needs an argument", span=tree.span)
            name, type_ = tree.name, user.result_type([arg.type for arg in args])
        else:
            type_ = aggregate_type(name, [arg.type for arg in args], distinct=tree.distinct, span=tree.span)
            if name == "PERCENTILE" and len(args) > 2:
                args = with_frequency(args)
        first = len(args) if user is not None else constants_from(name, len(args))
        columns = args[:first]
        parameters: tuple[object, ...] = ()
        if first < len(args):
            parameters = call_parameters(name, args[first:], type_, tree.span, self.settings)
        where = None if tree.where is None else inner.condition(tree.where, "FILTER")
        over = None if tree.over is None else self._over(tree.over, inner)
        asked = Asked(name, tuple(columns), type_, parameters, tree.distinct, where, user, over, tree.span)
        if asked not in self.asked:
            self.asked.append(asked)
        return Pending(number=self.asked.index(asked), type=type_, span=tree.span)

    def _inside(self, tree: ast.FunctionCall) -> ExpressionBinder:
        """Return the binder of a call's arguments: OVER may go over aggregates, which may hold no other ones."""
        inner = ExpressionBinder(
            self.scope, aggregates=tree.over is not None and self._aggregates, place="inside another aggregate"
        )
        if tree.over is not None:
            inner.asked, inner.settings = self.asked, self.settings
            inner.window_calls, inner._in_over = self.window_calls, True
        inner.sub_query = self.sub_query
        return inner

    def _over(self, clause: ast.OverClause, inner: ExpressionBinder) -> Window:
        clause = self._whole_window(clause, set())
        partition = tuple(inner.bind(each) for each in clause.partition)
        return Window(partition, tuple((inner.bind(item.expr), item) for item in clause.order), clause)

    def _whole_window(self, clause: ast.OverClause, seen: set[str]) -> ast.OverClause:
        """Return a clause with what the window that it names says."""
        name = clause.window
        if name is None:
            return clause
        if name not in self.windows or name in seen:
            raise ScriptError("FX-SQL-0208", f"there is no window '{name}'", span=clause.span)
        base = self._whole_window(self.windows[name], seen | {name})
        if clause.partition or (clause.order and base.order) or (base.rows is not None and clause.rows is not None):
            message = f"the window '{name}' already has a PARTITION BY, an ORDER BY or a frame"
            raise ScriptError("FX-SQL-0208", message, span=clause.span)
        return replace(
            clause,
            partition=base.partition,
            order=clause.order or base.order,
            rows=base.rows if clause.rows is None else clause.rows,
            start=base.start if clause.rows is None else clause.start,
            end=base.end if clause.rows is None else clause.end,
            window=None,
        )

    def _grouping(self, tree: ast.FunctionCall, name: str) -> Expr:
        if not self._aggregates:
            raise ScriptError("FX-SQL-0207", f"{name} can't stand {self._place}", span=tree.span)
        if bool(tree.args) == (name == "GROUP_ID") or tree.distinct or tree.star:
            raise ScriptError("FX-SQL-0206", f"{name} takes {'no' if tree.args else 'grouped'} columns", span=tree.span)
        args = tuple(self.bind(arg) for arg in tree.args)
        return Call(function=GROUPING, args=args, type=BIGINT.with_nullable(False), span=tree.span)


def fill(expr: Expr, values: dict[int, Expr]) -> Expr:
    """Return the expression with pending results replaced."""
    if isinstance(expr, Pending):
        return replace_span(values[expr.number], expr)
    children = expr.children
    if not children:
        return expr
    return expr.with_children(tuple(fill(child, values) for child in children))


def replace_span(expr: Expr, like: Expr) -> Expr:
    """Return ``expr`` at the place of ``like``."""
    return replace(expr, span=like.span)
