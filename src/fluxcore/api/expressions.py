"""Column expressions in Python: ``fx.col("price") * 0.9 > 100``.

A term knows no types; it is bound to the columns of a stream where it is used, by the same rules as SQL, so that both ways
give the same plan and the same errors.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.core.types import IntervalType
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr


class Term:
    """An expression over columns that are known by name only. Comparison and arithmetic give new terms."""

    def bind(self, schema: Schema) -> Expr:
        """Return the typed expression over a schema's columns. Raises ``ScriptError`` for unknown names and wrong types."""
        raise NotImplementedError

    def output_name(self) -> str | None:
        """Return the name of the column that the term makes, or None when it has none."""
        return None

    def alias(self, name: str) -> Term:
        """Return the term under another column name."""
        return _Alias(self, name)

    def cast(self, type_: DataType, *, lenient: bool = False) -> Term:
        """Return the term converted to a type; ``lenient`` gives NULL where a value can't be converted."""
        return _CastTo(self, type_, lenient)

    def is_null(self) -> Term:
        """Return whether the value is NULL."""
        return call("IS NULL", self)

    def is_not_null(self) -> Term:
        """Return whether the value is not NULL."""
        return call("IS NOT NULL", self)

    def isin(self, values: Sequence[Any]) -> Term:
        """Return whether the value is one of ``values``."""
        return call("IN", self, *values)

    def between(self, low: Any, high: Any) -> Term:
        """Return whether the value is at least ``low`` and at most ``high``."""
        return (self >= low) & (self <= high)

    def like(self, pattern: str) -> Term:
        """Return whether text matches a SQL LIKE pattern."""
        return call("LIKE", self, pattern)

    def __add__(self, other: Any) -> Term:
        return call("+", self, other)

    def __radd__(self, other: Any) -> Term:
        return call("+", other, self)

    def __sub__(self, other: Any) -> Term:
        return call("-", self, other)

    def __rsub__(self, other: Any) -> Term:
        return call("-", other, self)

    def __mul__(self, other: Any) -> Term:
        return call("*", self, other)

    def __rmul__(self, other: Any) -> Term:
        return call("*", other, self)

    def __truediv__(self, other: Any) -> Term:
        return call("/", self, other)

    def __rtruediv__(self, other: Any) -> Term:
        return call("/", other, self)

    def __mod__(self, other: Any) -> Term:
        return call("%", self, other)

    def __neg__(self) -> Term:
        return call("NEG", self)

    def __eq__(self, other: object) -> Term:  # type: ignore[override]
        return call("=", self, other)

    def __ne__(self, other: object) -> Term:  # type: ignore[override]
        return call("<>", self, other)

    def __lt__(self, other: Any) -> Term:
        return call("<", self, other)

    def __le__(self, other: Any) -> Term:
        return call("<=", self, other)

    def __gt__(self, other: Any) -> Term:
        return call(">", self, other)

    def __ge__(self, other: Any) -> Term:
        return call(">=", self, other)

    def __and__(self, other: Any) -> Term:
        return call("AND", self, other)

    def __or__(self, other: Any) -> Term:
        return call("OR", self, other)

    def __invert__(self) -> Term:
        return call("NOT", self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("a column has no truth value here; write & for and, | for or, ~ for not")


@dataclass(frozen=True, eq=False)
class _Column(Term):
    name: str

    def bind(self, schema: Schema) -> Expr:
        index = schema.find(self.name)
        if index is None:
            hint = nearest(self.name, schema.names) or f"the columns are {', '.join(schema.names)}"
            raise ScriptError("FX-API-0001", f"there is no column '{self.name}'", hint=hint)
        return ColumnRef(index=index, name=self.name, type=schema[index].type)

    def output_name(self) -> str | None:
        return self.name


@dataclass(frozen=True, eq=False)
class _Constant(Term):
    value: Any

    def bind(self, schema: Schema) -> Expr:  # noqa: ARG002
        if isinstance(self.value, dt.timedelta):
            milliseconds = round(self.value / dt.timedelta(milliseconds=1))
            return Literal(type=IntervalType(months=False, nullable=False), value=milliseconds)
        return build.literal(self.value)


@dataclass(frozen=True, eq=False)
class _Function(Term):
    function: str
    args: tuple[Term, ...]

    def bind(self, schema: Schema) -> Expr:
        return build.call(self.function, [arg.bind(schema) for arg in self.args])


@dataclass(frozen=True, eq=False)
class _Alias(Term):
    term: Term
    name: str

    def bind(self, schema: Schema) -> Expr:
        return self.term.bind(schema)

    def output_name(self) -> str | None:
        return self.name


@dataclass(frozen=True, eq=False)
class _CastTo(Term):
    term: Term
    type: DataType
    lenient: bool

    def bind(self, schema: Schema) -> Expr:
        return build.cast(self.term.bind(schema), self.type, lenient=self.lenient)

    def output_name(self) -> str | None:
        return self.term.output_name()


def col(name: str) -> Term:
    """Return the column of that name."""
    return _Column(name)


def lit(value: Any) -> Term:
    """Return a constant: None, bool, int, float, str, bytes, Decimal, date, time, datetime or timedelta."""
    return _Constant(value)


def call(function: str, *args: Any) -> Term:
    """Return a call of any SQL function or operator by name: ``fx.call("UPPER", fx.col("name"))``."""
    return _Function(function, tuple(term(arg) for arg in args))


def term(value: Any) -> Term:
    """Return ``value`` if it is a term, else the constant."""
    return value if isinstance(value, Term) else _Constant(value)


def named(value: str | Term) -> Term:
    """Return the column of a name, or the term itself: how verbs take columns."""
    return col(value) if isinstance(value, str) else value
