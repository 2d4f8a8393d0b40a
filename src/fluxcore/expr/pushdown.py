"""Takes conditions apart: conjuncts, the simple comparisons that a reader's statistics can judge, and what may move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.ports import Bound
from fluxcore.core.types import BOOLEAN
from fluxcore.expr.nodes import Call, ColumnRef, Expr, Literal, UserCall, walk
from fluxcore.expr.registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIRROR = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def conjuncts(expr: Expr) -> list[Expr]:
    """Return the conditions that AND joins, left to right."""
    if isinstance(expr, Call) and expr.function == "AND":
        return [part for arg in expr.args for part in conjuncts(arg)]
    return [expr]


def conjunction(parts: Sequence[Expr]) -> Expr | None:
    """Return the conditions joined by AND, or None for none."""
    joined: Expr | None = None
    for part in parts:
        if joined is None:
            joined = part
        else:
            nullable = joined.type.nullable or part.type.nullable
            joined = Call(function="AND", args=(joined, part), type=BOOLEAN.with_nullable(nullable))
    return joined


def bounds(expr: Expr) -> tuple[Bound, ...]:
    """Return the conjuncts of the form ``column OP constant`` (either way round); others are left out."""
    found = []
    for part in conjuncts(expr):
        if not isinstance(part, Call) or part.function not in _MIRROR:
            continue
        left, right = part.args
        op = part.function
        if isinstance(left, Literal):
            left, right, op = right, left, _MIRROR[op]
        if isinstance(left, ColumnRef) and isinstance(right, Literal) and right.value is not None:
            found.append(Bound(left.index, op, right.value))
    return tuple(found)


def deterministic(expr: Expr) -> bool:
    """Return whether the expression gives the same value wherever and however often it is computed."""
    return all(is_pure(node) for node in walk(expr))


def is_pure(node: Expr) -> bool:
    """Return whether an expression gives the same value each time that it is computed from the same values."""
    if isinstance(node, UserCall):
        return node.user.deterministic
    return not isinstance(node, Call) or REGISTRY[node.function].pure
