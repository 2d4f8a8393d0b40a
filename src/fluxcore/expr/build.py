"""Makes bound expressions: looks functions up, inserts implicit casts, computes result types."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fluxcore.core import types as t
from fluxcore.core.types import DataType, NullType, StringType, VariantType, same
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import functions as _functions
from fluxcore.expr import utf16
from fluxcore.expr.coercion import can_cast, can_coerce, common_type
from fluxcore.expr.nodes import Call, Cast, Expr, Literal
from fluxcore.expr.registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.errors import Span

__all__ = ["call", "cast", "coerce", "common_type", "literal"]
assert _functions.__name__, "importing the package registers the functions"


def call(function: str, args: Sequence[Expr], *, span: Span | None = None) -> Expr:
    """Return a call of a scalar function.

    Raises: ``ScriptError`` FX-SQL-0210 for an unknown function, FX-SQL-0310 for arguments that it doesn't take.
    """
    found = REGISTRY.get(function.upper())
    if found is None:
        words = [name for name in REGISTRY if name[0].isalpha() and " " not in name]
        raise ScriptError("FX-SQL-0210", f"there is no function '{function}'", span=span, hint=nearest(function, words))
    resolved = found.rule(args)
    if isinstance(resolved, str):
        given = ", ".join(arg.type.name() for arg in args)
        message = f"{found.name} can't take ({given})"
        raise ScriptError("FX-SQL-0310", message, span=span, hint=f"it wants {resolved}")
    if isinstance(resolved, Expr):
        return replace(resolved, span=span)
    new_args, type_ = resolved
    return Call(function=found.name, args=tuple(new_args), type=type_, span=span)


def cast(expr: Expr, type_: DataType, *, lenient: bool = False, span: Span | None = None) -> Expr:
    """Return ``expr`` as another type. Raises ``ScriptError`` FX-SQL-0311 where no such cast exists."""
    may_be_null = expr.type.nullable or lenient or isinstance(expr.type, VariantType)  # which holds a null of its own
    target = type_.with_nullable(may_be_null)
    if same(expr.type, target):
        return expr
    if isinstance(expr, Literal) and expr.value is None:
        return Literal(type=target.with_nullable(True), value=None, span=expr.span)
    if not can_cast(expr.type, target):
        message = f"{expr.type.name()} can't be cast to {type_.name()}"
        raise ScriptError("FX-SQL-0311", message, span=span or expr.span)
    return Cast(arg=expr, type=target, lenient=lenient, span=span or expr.span)


def coerce(expr: Expr, type_: DataType, what: str, *, span: Span | None = None) -> Expr:
    """Return ``expr`` as another type where that needs no explicit cast. Raises ``ScriptError`` FX-SQL-0312."""
    if not can_coerce(expr.type, type_):
        message = f"{what} wants {type_.name()}, and this is {expr.type.name()}"
        hint = f"write CAST(… AS {type_.name()})" if can_cast(expr.type, type_) else None
        raise ScriptError("FX-SQL-0312", message, span=span or expr.span, hint=hint)
    return cast(expr, type_, span=span)


def literal(value: Any, type_: DataType | None = None, *, span: Span | None = None) -> Literal:
    """Return a constant for a Python value; its type follows from the value unless it is given."""
    if type_ is None:
        type_ = _type_of(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC)
    return Literal(type=type_ if value is None else type_.with_nullable(False), value=value, span=span)


def _type_of(value: Any) -> DataType:
    if value is None:
        return NullType()
    if isinstance(value, bool):
        return t.BOOLEAN
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return t.INT
        if -(2**63) <= value < 2**63:
            return t.BIGINT
        return t.DecimalType(precision=min(38, len(str(abs(value)))), scale=0)
    if isinstance(value, float):
        return t.DOUBLE
    if isinstance(value, str):
        return StringType(length=utf16.length(value), fixed=True)
    if isinstance(value, bytes):
        return t.BytesType(length=len(value), fixed=True)
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        scale = max(0, -int(exponent))
        return t.DecimalType(precision=min(38, max(len(digits) + max(0, int(exponent)), scale + 1)), scale=scale)
    if isinstance(value, dt.datetime):
        return t.TimestampType(precision=6, local=value.tzinfo is not None)
    if isinstance(value, dt.date):
        return t.DATE
    if isinstance(value, dt.time):
        return t.TimeType(precision=3)
    raise ScriptError("FX-SQL-0313", f"a constant can't be a Python {type(value).__name__}")


def nullable_if(type_: DataType, args: Sequence[Expr]) -> DataType:
    """Return ``type_``, nullable where any argument is."""
    return type_.with_nullable(any(arg.type.nullable for arg in args))


def without_span(expr: Expr) -> Expr:
    """Return the expression with no place of its own."""
    return replace(expr, span=None)
