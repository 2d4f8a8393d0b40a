"""Says of expressions what becomes of them where columns are NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.expr.nodes import Call, Cast, ColumnRef, Expr, Literal

if TYPE_CHECKING:
    from collections.abc import Container

_STRICT = frozenset(
    ["=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "NOT", "LIKE", "UPPER", "LOWER", "CHAR_LENGTH", "ABS"]
)
"""Functions that are NULL wherever one of their arguments is."""


def is_null_with(expr: Expr, columns: Container[int]) -> bool:
    """Return whether an expression is surely NULL where all of these columns are NULL."""
    match expr:
        case ColumnRef():
            return expr.index in columns
        case Literal():
            return expr.value is None
        case Cast():
            return is_null_with(expr.arg, columns)
        case Call(function="IN"):
            return is_null_with(expr.args[0], columns)
        case Call() if expr.function in _STRICT:
            return any(is_null_with(arg, columns) for arg in expr.args)
    return False


def refuses_nulls(condition: Expr, columns: Container[int]) -> bool:
    """Return whether a condition is surely not TRUE where all of these columns are NULL."""
    if is_null_with(condition, columns):
        return True
    match condition:
        case Literal():
            return condition.value is not True
        case Call(function="AND"):
            return any(refuses_nulls(arg, columns) for arg in condition.args)
        case Call(function="OR"):
            return all(refuses_nulls(arg, columns) for arg in condition.args)
        case Call(function="IS NOT NULL" | "IS TRUE" | "IS FALSE"):
            return is_null_with(condition.args[0], columns)
        case Call(function="IS NOT FALSE" | "IS NOT TRUE"):
            return False
    return False
