"""Prints bound expressions as readable SQL, for EXPLAIN and messages."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fluxcore.core.quotes import text
from fluxcore.core.types import IntervalType
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Literal, UserCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr

_INFIX = {"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "AND", "OR", "||", "LIKE", "SIMILAR TO", "IS DISTINCT FROM",
          "IS NOT DISTINCT FROM"}  # fmt: skip
_POSTFIX = {"IS NULL", "IS NOT NULL", "IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS UNKNOWN",
            "IS NOT UNKNOWN"}  # fmt: skip


def show_expr(expr: Expr, names: Sequence[str]) -> str:
    """Return the expression as SQL; ``names`` are the input's column names by position."""
    if isinstance(expr, ColumnRef):
        return names[expr.index]
    if isinstance(expr, Literal):
        return _show_literal(expr)
    if isinstance(expr, Cast):
        word = "TRY_CAST" if expr.lenient else "CAST"
        return f"{word}({show_expr(expr.arg, names)} AS {expr.type.name()})"
    if isinstance(expr, UserCall):
        return f"{expr.user.name}({', '.join(show_expr(arg, names) for arg in expr.args)})"
    assert isinstance(expr, Call)
    args = [show_expr(arg, names) for arg in expr.args]
    if expr.function in _INFIX and len(args) >= 2:
        return "(" + f" {expr.function} ".join(args) + ")"
    if expr.function in _POSTFIX:
        return f"({args[0]} {expr.function})"
    if expr.function == "CASE":
        return _show_case(args)
    return f"{expr.function}({', '.join(args)})"


def _show_case(args: list[str]) -> str:
    pairs = zip(args[0:-1:2], args[1:-1:2], strict=True)
    whens = " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs)
    return f"CASE {whens} ELSE {args[-1]} END"


def _show_literal(literal: Literal) -> str:
    value = literal.value
    if value is None:
        return "NULL"
    if isinstance(literal.type, IntervalType):
        return f"INTERVAL {value} {'MONTHS' if literal.type.months else 'MS'}"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, bytes):
        return f"X'{value.hex().upper()}'"
    if isinstance(value, dt.date | dt.time):
        kind = "TIMESTAMP" if isinstance(value, dt.datetime) else "DATE" if isinstance(value, dt.date) else "TIME"
        return f"{kind} '{value}'"
    return str(value)
