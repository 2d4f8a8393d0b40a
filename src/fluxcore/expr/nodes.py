"""Bound expressions: immutable trees that know their type and their place in the source.

A column is named by its position in the input's schema. Everything else is a call of a registered function (operators,
AND, CASE and IN too) or a cast. Two expressions are equal when they compute the same, wherever they were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fluxcore.core.aggregate import UserAggregate
    from fluxcore.core.types import DataType
    from fluxcore.core.user_functions import ScalarFunction
    from fluxcore.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """The root of all bound expressions. ``span`` never counts when two are compared."""

    type: DataType
    span: Span | None = field(default=None, compare=False)

    @property
    def children(self) -> tuple[Expr, ...]:
        """Return the expressions that this one is computed from."""
        return ()

    def with_children(self, children: tuple[Expr, ...]) -> Expr:  # noqa: ARG002
        """Return the same expression over other children."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRef(Expr):
    """The value of the input's column at position ``index``; ``name`` is for people and does not count."""

    index: int
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Expr):
    """A constant as a Python value that fits its type (None is NULL).

    int, float, bool, str, bytes, ``decimal.Decimal``, ``datetime.date``/``time``/``datetime`` (naive for TIMESTAMP, UTC
    for TIMESTAMP_LTZ); intervals are int milliseconds or int months.
    """

    value: Any

    def __hash__(self) -> int:
        return hash((self.type, type(self.value), repr(self.value)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Literal):
            return NotImplemented
        return (self.type, type(self.value), repr(self.value)) == (other.type, type(other.value), repr(other.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Expr):
    """A call of the registered scalar function ``function`` (its registry name, upper case, such as ``+`` or ``UPPER``)."""

    function: str
    args: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, args=children)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCall(Expr):
    """A call of a scalar function written in Python, with as many arguments as are given."""

    user: ScalarFunction
    args: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, args=children)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast(Expr):
    """A conversion to ``type``; ``lenient`` (TRY_CAST) gives NULL where a value can't be converted."""

    arg: Expr
    lenient: bool = False

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, arg=children[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class AggCall:
    """A call of an aggregate function over columns of its input.

    ``args`` positions of the argument columns; ``parameters`` constants (PERCENTILE's share, LISTAGG's delimiter);
    ``where`` the position of a BOOLEAN column from FILTER (WHERE …), or None; ``user`` a function written in Python.
    """

    function: str
    type: DataType
    args: tuple[int, ...] = ()
    parameters: tuple[Any, ...] = ()
    distinct: bool = False
    where: int | None = None
    user: UserAggregate | None = None
    span: Span | None = field(default=None, compare=False)


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield the expression and all that it is computed from, parents first."""
    yield expr
    for child in expr.children:
        yield from walk(child)


def transform(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return the expression with ``change`` applied to every node, children first."""
    children = expr.children
    if children:
        changed = tuple(transform(child, change) for child in children)
        if any(new is not old for new, old in zip(changed, children, strict=True)):
            expr = expr.with_children(changed)
    return change(expr)


def columns_of(expr: Expr) -> set[int]:
    """Return the positions of the columns that the expression reads."""
    return {node.index for node in walk(expr) if isinstance(node, ColumnRef)}


def moved(expr: Expr, positions: dict[int, int]) -> Expr:
    """Return the expression with its columns at other positions; every column read must be in ``positions``."""

    def change(node: Expr) -> Expr:
        if isinstance(node, ColumnRef):
            return replace(node, index=positions[node.index])
        return node

    return transform(expr, change)
