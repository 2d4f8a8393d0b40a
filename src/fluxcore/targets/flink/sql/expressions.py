"""Bound expressions as Flink SQL, with no more brackets than needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.core.types import IntegerType, StringType, is_numeric
from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Literal, UserCall
from fluxcore.targets.flink.sql.blocks import Item
from fluxcore.targets.flink.sql.functions import (
    BARE,
    COMPARISON,
    CONJUNCTION,
    INFIX,
    NEGATION,
    POSTFIX,
    PRIMARY,
    SPECIAL,
    UNARY,
    UNIT_ARGUMENT,
    problem,
)
from fluxcore.targets.flink.sql.literals import is_finite, literal
from fluxcore.targets.flink.sql.type_names import type_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.targets.flink.portability import Report
    from fluxcore.targets.flink.python.plans import PlanFunctions

    Piece = tuple[str, int]

_LEAN = frozenset(
    {"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "IN", "CASE", "IF", "COALESCE", "NULLIF", "GREATEST", "LEAST",
     "IS DISTINCT FROM", "IS NOT DISTINCT FROM", "MOD"}
)  # fmt: skip
"""Functions whose arguments Flink brings to one type as our binder does."""
_ASSOCIATIVE = frozenset({"AND", "OR", "||"})


@dataclass(frozen=True)
class Expressions:
    """Prints expressions over columns: ``zone`` is the session's, ``where`` the place that is reported."""

    columns: Sequence[Item]
    report: Report
    zone: dt.tzinfo
    where: str = ""
    functions: PlanFunctions | None = None

    def text(self, expr: Expr) -> str:
        """Return an expression as SQL; what Flink lacks is reported."""
        return self._piece(expr)[0]

    def condition(self, expr: Expr) -> str:
        """Return a condition as one of several that all must hold."""
        return self._held(expr, CONJUNCTION)

    def item(self, expr: Expr) -> Item:
        """Return an expression as a column."""
        if isinstance(expr, ColumnRef):
            return self.columns[expr.index]
        shown, level = self._piece(expr)
        return Item(shown, level, plain=False)

    def primary(self, expr: Expr) -> str:
        """Return an expression as SQL that stands beside any operator."""
        return self._held(expr, PRIMARY)

    def _held(self, expr: Expr, level: int) -> str:
        """Return SQL that holds together at least as tightly as ``level`` says."""
        shown, own = self._piece(expr)
        return shown if own >= level else f"({shown})"

    def _piece(self, expr: Expr) -> Piece:
        found = problem(expr)
        if found is not None:
            self.report.add(*found, self._place(expr))
        if isinstance(expr, ColumnRef):
            item = self.columns[expr.index]
            return item.sql, item.level
        if isinstance(expr, Literal):
            if not is_finite(expr):
                self.report.add(f"the number {expr.value}", "Flink can't write it as a constant", self._place(expr))
            shown = literal(expr, self.zone)
            return shown, UNARY if shown.startswith("-") else PRIMARY
        if isinstance(expr, Cast):
            word = "TRY_CAST" if expr.lenient else "CAST"
            return f"{word}({self.text(expr.arg)} AS {type_name(expr.type)})", PRIMARY
        if isinstance(expr, UserCall):
            return f"{self._user_name(expr)}({', '.join(self.text(arg) for arg in expr.args)})", PRIMARY
        assert isinstance(expr, Call), expr
        return self._call(lean(expr))

    def _user_name(self, expr: UserCall) -> str:
        if self.functions is not None:
            return self.functions.name(expr.user, self._place(expr))
        why = "it is Python, which can't stand in the declaration of a table"
        self.report.add(f"the function {expr.user.name}", why, self._place(expr))
        return quoted(expr.user.name)

    def _call(self, call: Call) -> Piece:
        name = call.function
        if name == "AND" and (between := self._between(call)):
            return between
        if name in INFIX:
            return self._infix(call)
        if name in POSTFIX:
            return f"{self._held(call.args[0], COMPARISON + 1)} {name}", COMPARISON
        if name == "NOT":
            return self._not(call)
        if name == "NEG":
            return f"-{self._held(call.args[0], PRIMARY)}", UNARY
        if name == "IN":
            return self._in(call, "IN")
        if name in BARE and not call.args:
            return name, PRIMARY
        if name in ("ITEM", "FIELD"):
            args = [self.primary(call.args[0]), self.text(call.args[1])]
        else:
            args = [self._argument(call, place) for place in range(len(call.args))]
        shown = SPECIAL[name](args, call.args) if name in SPECIAL else f"{name}({', '.join(args)})"
        return shown, PRIMARY

    def _argument(self, call: Call, place: int) -> str:
        arg = call.args[place]
        if UNIT_ARGUMENT.get(call.function) == place and isinstance(arg, Literal):
            return str(arg.value).upper()
        return self._held(arg, COMPARISON + 1) if call.function == "POSITION" else self.text(arg)

    def _infix(self, call: Call) -> Piece:
        name, level = call.function, INFIX[call.function]
        if name in ("LIKE", "SIMILAR TO") and len(call.args) == 3:
            return f"{self._like(call, name)} ESCAPE {self._held(call.args[2], PRIMARY)}", level
        if name == "||":  # what stands beside it is bracketed, whatever Flink thinks of its precedence
            return " || ".join(self._beside(arg) for arg in call.args), level
        first = self._held(call.args[0], level + 1 if level == COMPARISON else level)
        rest = [self._held(arg, level if name in _ASSOCIATIVE else level + 1) for arg in call.args[1:]]
        return f" {name} ".join([first, *rest]), level

    def _beside(self, arg: Expr) -> str:
        chained = isinstance(arg, Call) and arg.function == "||"
        return self.text(arg) if chained else self._held(arg, PRIMARY)

    def _not(self, call: Call) -> Piece:
        inner = call.args[0]
        if isinstance(inner, Call) and inner.function == "IN":
            return self._in(lean(inner), "NOT IN")
        if isinstance(inner, Call) and inner.function == "LIKE" and len(inner.args) == 2:
            return self._like(inner, "NOT LIKE"), COMPARISON
        return f"NOT {self._held(inner, NEGATION + 1)}", NEGATION

    def _like(self, call: Call, word: str) -> str:
        sides = [self._held(arg, COMPARISON + 1) for arg in call.args[:2]]
        return f"{sides[0]} {word} {sides[1]}"

    def _in(self, call: Call, word: str) -> Piece:
        values = ", ".join(self.text(arg) for arg in call.args[1:])
        return f"{self._held(call.args[0], COMPARISON + 1)} {word} ({values})", COMPARISON

    def _between(self, call: Call) -> Piece | None:
        """Return ``x BETWEEN a AND b`` for what it is bound as; None for any other conjunction."""
        if len(call.args) != 2:
            return None
        low, high = call.args
        if not (isinstance(low, Call) and isinstance(high, Call) and (low.function, high.function) == (">=", "<=")):
            return None
        low, high = lean(low), lean(high)
        if low.args[0] != high.args[0] or not isinstance(low.args[0], ColumnRef):
            return None
        value, first, last = (self._held(arg, COMPARISON + 1) for arg in (low.args[0], low.args[1], high.args[1]))
        return f"{value} BETWEEN {first} AND {last}", COMPARISON

    def _place(self, expr: Expr) -> str:
        if expr.span is None:
            return self.where
        line = f"line {expr.span.line}, column {expr.span.column}"
        return f"{line} of the query, {self.where}" if self.where else line


def lean(call: Call) -> Call:
    """Return a call without the casts of its arguments that Flink makes by itself, as our binder did."""
    uncast = _uncast if call.function in _LEAN else _unwiden
    args = tuple(uncast(arg) for arg in call.args)
    if all(new is old for new, old in zip(args, call.args, strict=True)):
        return call
    try:
        again = build.call(call.function, args)
    except ScriptError:
        return call
    return Call(function=call.function, args=args, type=call.type, span=call.span) if again == call else call


def _uncast(expr: Expr) -> Expr:
    """Return a number or a constant text as it was before it was cast to another such type."""
    if not isinstance(expr, Cast) or expr.lenient:
        return expr
    numbers = is_numeric(expr.type) and is_numeric(expr.arg.type)
    texts = (
        isinstance(expr.arg, Literal) and isinstance(expr.type, StringType) and isinstance(expr.arg.type, StringType)
    )
    return expr.arg if numbers or texts else expr


def _unwiden(expr: Expr) -> Expr:
    """Return a constant number as it was before it was cast: some functions of Flink take no wider one."""
    return (
        _uncast(expr)
        if isinstance(expr, Cast) and isinstance(expr.arg.type, IntegerType) and isinstance(expr.arg, Literal)
        else expr
    )
