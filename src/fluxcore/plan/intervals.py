"""Finds how far apart in event time the rows of two inputs may be, by what a join's condition says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.schema import TimeKind
from fluxcore.core.types import IntervalType
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Literal
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.nodes import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def interval_of(left: Node, right: Node, pairs: Sequence[tuple[Expr, Expr]], rest: Iterable[Expr]) -> Interval | None:
    """Return the interval between the event times of append-only inputs; None where it is not bounded on both sides.

    In: ``pairs`` of equal expressions, each over its own input; ``rest`` the other conditions, over both inputs' columns.
    """
    if not is_append_only(left) or not is_append_only(right):
        return None
    width = len(left.schema)
    bounds: dict[tuple[int, int], list[int | None]] = {}
    found = [_difference(part, width) for part in rest]
    for a, b in pairs:
        if isinstance(a, ColumnRef) and isinstance(b, ColumnRef):
            found.append((a.index, b.index, "=", 0))
    for each in found:
        if each is None:
            continue
        first, second, op, apart = each
        if left.schema[first].time is not TimeKind.EVENT or right.schema[second].time is not TimeKind.EVENT:
            continue
        bound = bounds.setdefault((first, second), [None, None])
        if op in (">", ">=", "="):
            bound[0] = apart if bound[0] is None else max(bound[0], apart)
        if op in ("<", "<=", "="):
            bound[1] = apart if bound[1] is None else min(bound[1], apart)
    for (first, second), (low, high) in bounds.items():
        if low is not None and high is not None:
            return Interval(first, second, low, high)
    return None


def _difference(part: Expr, width: int) -> tuple[int, int, str, int] | None:
    """Return (left column, right column, operator, ms) of a condition ``right - left OP ms``, or None."""
    if not isinstance(part, Call) or part.function not in _MIRROR:
        return None
    first, second, op = _moment(part.args[0]), _moment(part.args[1]), part.function
    if first is None or second is None:
        return None
    if first[0] >= width > second[0]:
        first, second, op = second, first, _MIRROR[op]
    if not first[0] < width <= second[0]:
        return None
    # left + a OP right + b is right - left MIRRORED(OP) a - b
    return first[0], second[0] - width, _MIRROR[op], first[1] - second[1]


def _moment(expr: Expr) -> tuple[int, int] | None:
    """Return (column, ms) of ``column + ms``, or None."""
    while isinstance(expr, Cast):
        expr = expr.arg
    if isinstance(expr, ColumnRef):
        return expr.index, 0
    if not isinstance(expr, Call) or expr.function not in ("+", "-") or len(expr.args) != 2:
        return None
    first, second = expr.args
    if expr.function == "+" and isinstance(first, Literal):
        first, second = second, first
    below = _moment(first)
    length = isinstance(second, Literal) and isinstance(second.type, IntervalType) and not second.type.months
    if below is None or not length or not isinstance(second, Literal):
        return None
    return below[0], below[1] + (second.value if expr.function == "+" else -second.value)
