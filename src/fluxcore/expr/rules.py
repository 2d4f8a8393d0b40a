"""Type rules that functions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import (
    BOOLEAN,
    BooleanType,
    DataType,
    DateType,
    NullType,
    StringType,
    TimestampType,
    TimeType,
    is_numeric,
    same,
)
from fluxcore.expr.coercion import can_cast, common_type
from fluxcore.expr.nodes import Cast, Expr, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.registry import Rule

Resolved = tuple["Sequence[Expr]", DataType]


def to(expr: Expr, type_: DataType) -> Expr:
    """Return ``expr`` brought to a type by an implicit cast, where one is needed."""
    if same(expr.type, type_):
        return expr
    target = type_.with_nullable(expr.type.nullable)
    if isinstance(expr, Literal) and expr.value is None:
        return Literal(type=target.with_nullable(True), value=None, span=expr.span)
    return Cast(arg=expr, type=target, span=expr.span)


def any_null(args: Sequence[Expr]) -> bool:
    """Return whether any argument may be NULL."""
    return any(arg.type.nullable for arg in args)


def fits(expr: Expr, kind: DataType) -> bool:
    """Return whether an argument can stand where ``kind`` is wanted without an explicit cast."""
    type_ = expr.type
    if isinstance(type_, NullType) or type(type_) is type(kind):
        return True
    if is_numeric(kind) and is_numeric(type_):
        return True
    if isinstance(kind, StringType):
        return False
    return isinstance(kind, TimestampType) and isinstance(type_, DateType)


def takes(*kinds: DataType, result: DataType, optional: int = 0) -> Rule:
    """Return the rule for fixed argument types; the last ``optional`` ones may be left out."""
    wanted = ", ".join(kind.name() for kind in kinds)

    def rule(args: Sequence[Expr]) -> Resolved | str:
        if not len(kinds) - optional <= len(args) <= len(kinds):
            return f"({wanted})"
        if not all(fits(arg, kind) for arg, kind in zip(args, kinds, strict=False)):
            return f"({wanted})"
        cast = [
            arg if isinstance(arg.type, StringType) else to(arg, kind) for arg, kind in zip(args, kinds, strict=False)
        ]
        return cast, result.with_nullable(any_null(args))

    return rule


def same_types(count: int, result: Callable[[DataType], DataType] | None = None) -> Rule:
    """Return the rule for at least ``count`` arguments of one common type; the result is that type by default."""

    def rule(args: Sequence[Expr]) -> Resolved | str:
        found = comparable_type(args)
        if len(args) < count or found is None:
            return f"at least {count} values of types that go together"
        type_ = found.with_nullable(any_null(args))
        return [to(arg, found) for arg in args], result(type_) if result else type_

    return rule


def comparable_type(args: Sequence[Expr]) -> DataType | None:
    """Return the type in which values are compared: text meets a time as that time."""
    found = common_type([arg.type for arg in args])
    if found is not None:
        return found
    times = [arg.type for arg in args if isinstance(arg.type, TimestampType | DateType | TimeType)]
    others = [arg for arg in args if not isinstance(arg.type, TimestampType | DateType | TimeType)]
    numbers = [arg.type for arg in args if is_numeric(arg.type)]
    texts = [arg for arg in args if isinstance(arg.type, StringType)]
    if times and all(isinstance(arg.type, StringType | NullType) for arg in others):
        return common_type(times)
    if numbers and len(numbers) + len(texts) == len(args):
        return common_type(numbers)
    truths = [arg.type for arg in args if isinstance(arg.type, BooleanType)]
    if truths and len(truths) + len(texts) == len(args):
        return BOOLEAN
    return None


def compared(args: Sequence[Expr], type_: DataType) -> list[Expr]:
    """Return values brought to the type in which they are compared; text that is no time is NULL there."""
    lenient = isinstance(type_, TimestampType | DateType | TimeType)
    return [
        Cast(arg=arg, type=type_.with_nullable(True), lenient=True, span=arg.span)
        if lenient and isinstance(arg.type, StringType) and not isinstance(arg, Literal)
        else to(arg, type_)
        for arg in args
    ]


def boolean_of(args: Sequence[Expr]) -> DataType:
    """Return BOOLEAN, nullable where any argument is."""
    return BOOLEAN.with_nullable(any_null(args))


def castable(expr: Expr, type_: DataType) -> bool:
    """Return whether an explicit cast exists."""
    return can_cast(expr.type, type_)
