"""Binds OVER: partitions, orders and frames."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from fluxcore.core.schema import TimeKind
from fluxcore.core.types import IntervalType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr.aggregates import is_over_function, looks_ahead
from fluxcore.expr.nodes import ColumnRef, Expr
from fluxcore.plan.columns import attached_window, with_columns
from fluxcore.plan.nodes import Over, OverCall, SortKey, WindowKind
from fluxcore.sql import ast
from fluxcore.sql.calls import agg_call, inputs_of, sort_key
from fluxcore.sql.row_number import RowNumber
from fluxcore.sql.window_arguments import stamped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.plan.nodes import Node
    from fluxcore.sql.bind_expressions import Asked

    Member = tuple[int, Asked]


def bind_over(node: Node, asked: Sequence[Member]) -> tuple[Node, dict[int, Expr]]:
    """Return the node with the results of numbered OVER calls appended, one node per distinct window; and the results."""
    values: dict[int, Expr] = {}
    for clause in dict.fromkeys(_window_of(each) for _, each in asked):
        node = _bind_clause(node, [member for member in asked if _window_of(member[1]) == clause], values)
    return node, values


def _window_of(asked: Asked) -> tuple[object, ...]:
    assert asked.over is not None
    return asked.over.partition, asked.over.order


def _bind_clause(node: Node, members: list[Member], values: dict[int, Expr]) -> Node:
    over = members[0][1].over
    assert over is not None
    partition, order = over.partition, over.order
    inputs = [arg for _, asked in members for arg in inputs_of(asked)]
    wide, places = with_columns(node, [*partition, *(expr for expr, _ in order), *inputs])
    first = len(partition) + len(order)
    part = tuple(places[: len(partition)])
    ordered = zip(order, places[len(partition) : first], strict=True)
    keys = tuple(sort_key(item, place, wide.schema[place].type) for (_, item), place in ordered)
    by_clock = bool(keys) and wide.schema[keys[0].column].time is TimeKind.PROCESSING
    if keys:
        wide = stamped(wide, keys[0].column)
    rest = iter(places[first:])
    numbers = [member for member in members if member[1].function == "ROW_NUMBER"]
    others = [member for member in members if member not in numbers]
    if others:
        calls = tuple(_over_call(asked, rest) for _, asked in others)
        if by_clock:  # rows of one batch have one time, and are no peers all the same
            calls = tuple(
                replace(each, rows=each.rows or (each.preceding, each.following) == (None, 0)) for each in calls
            )
        wide = _functions(wide, (part, keys), calls)
        for place, (number, asked) in enumerate(others, len(wide.schema) - len(others)):
            values[number] = ColumnRef(index=place, type=asked.type, name=wide.schema[place].name)
    for member in numbers:
        wide = _row_number(wide, member, (part, keys), values)
    return wide


def _functions(node: Node, clause: tuple[tuple[int, ...], tuple[SortKey, ...]], calls: tuple[OverCall, ...]) -> Over:
    partition, keys = clause
    time = over_time(node, keys)
    if any(looks_ahead(each.call.function, each.preceding, each.following) for each in calls):
        time = None
    names = tuple(f"$over{len(node.schema) + index}" for index in range(len(calls)))
    return Over(node, partition, time, calls, names, () if time is not None else keys)


def over_time(node: Node, keys: Sequence[SortKey]) -> int | None:
    """Return the time attribute that an order is by, alone and ascending; None: the order is made at the end."""
    plain = len(keys) == 1 and not keys[0].descending
    return keys[0].column if plain and node.schema[keys[0].column].time is not None else None


def _row_number(
    node: Node, member: Member, clause: tuple[tuple[int, ...], tuple[SortKey, ...]], values: dict[int, Expr]
) -> Node:
    number, asked = member
    partition, keys = clause
    assert asked.over is not None
    _check_frame(asked)
    if not keys:
        raise ScriptError("FX-SQL-0406", "ROW_NUMBER needs ORDER BY", span=asked.over.clause.span)
    window = attached_window(node)
    part = partition
    if window is not None and window.start in part and window.end in part:
        told = (window.end,) if window.spec.kind is WindowKind.SESSION else (window.start, window.end)
        part = tuple(index for index in part if index not in told)
    else:
        window = None
    found = RowNumber(node, part, keys, window, partition, asked.span)
    last = len(found.schema) - 1
    values[number] = ColumnRef(index=last, type=found.schema[last].type, name="$number")
    return found


def _over_call(asked: Asked, places: Iterator[int]) -> OverCall:
    assert asked.over is not None
    over = asked.over.clause
    takes_none = is_over_function(asked.function) and asked.function != "NTH_VALUE"
    if takes_none:
        _check_frame(asked)
        if asked.distinct or asked.where is not None:
            what = "DISTINCT" if asked.distinct else "FILTER"
            raise ScriptError("FX-SQL-0206", f"{asked.function} takes no {what}", span=asked.span)
        if not over.order:
            raise ScriptError("FX-SQL-0405", f"{asked.function} needs ORDER BY in OVER", span=over.span)
    call = agg_call(asked, places)
    if takes_none:
        return OverCall(call, rows=False)
    if over.rows is None:
        return OverCall(call, rows=False, following=0 if over.order else None)
    assert over.start is not None
    assert over.end is not None
    start, end = _reach(over.start, rows=over.rows), _reach(over.end, rows=over.rows)
    preceding = start if start is None or not over.start.following else -start
    following = end if end is None or over.end.following or over.end.current else -end
    if not over.rows and not over.order and (preceding or following):
        raise ScriptError("FX-SQL-0407", "a RANGE frame with a bound needs ORDER BY", span=over.span)
    if preceding is not None and following is not None and -preceding > following:
        raise ScriptError("FX-SQL-0407", "the frame ends before it starts", span=over.start.span.to(over.end.span))
    return OverCall(call, over.rows, preceding, following)


def _check_frame(asked: Asked) -> None:
    if asked.over is not None and asked.over.clause.rows is not None:
        raise ScriptError("FX-SQL-0407", f"{asked.function} takes no frame", span=asked.span)


def _reach(bound: ast.FrameBound, *, rows: bool) -> float | None:
    """Return how far a bound reaches: rows, ms, or a number; None is unbounded."""
    if bound.current:
        return 0
    tree = bound.reach
    if tree is None:
        return None
    value = tree.value if isinstance(tree, ast.Constant) else None
    if isinstance(tree, ast.Constant) and isinstance(tree.type, IntervalType):
        if tree.type.months:
            raise not_supported("a RANGE frame of months or years", span=tree.span)
        value = None if rows else value
    elif not rows and isinstance(value, Decimal | float):
        value = float(value)
    elif not isinstance(value, int):
        value = None
    if value is None or isinstance(value, bool) or value < 0:
        wanted = "a whole number of rows" if rows else "an interval or a number"
        raise ScriptError("FX-SQL-0407", f"the frame needs {wanted}", span=tree.span)
    found: float = value
    return found
