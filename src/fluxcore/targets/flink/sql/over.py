"""OVER: functions over ordered partitions, one SELECT for each frame, as Flink wants it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.types import INT, TimestampType
from fluxcore.expr import build
from fluxcore.plan import nodes
from fluxcore.plan.columns import distinct_names
from fluxcore.targets.flink.sql.aggregates import call_of, call_text, columns_read
from fluxcore.targets.flink.sql.blocks import Block, Item
from fluxcore.targets.flink.sql.literals import literal, milliseconds
from fluxcore.targets.flink.sql.queries import Printer, place_of, print_node, sort_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import AggCall
    from fluxcore.plan.nodes import OverCall

_RANKS = frozenset({"RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LAG", "LEAD"})
"""Functions that take no frame."""
_BATCH_ONLY = frozenset({"LEAD", "NTILE", "PERCENT_RANK", "CUME_DIST"})
_ORDERED_BY_ANY = frozenset(
    {"COUNT", "SUM", "AVG", "MIN", "MAX", "ROW_NUMBER", "RANK", "DENSE_RANK", "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP",
     "LAST_VALUE", "LISTAGG"}
)  # fmt: skip
"""Functions that Flink has over a stream's rows in the order of a column that is no time, up to the current row."""
_KEEP_NULLS = frozenset({"ARRAY_AGG"})
"""Functions for which a row of NULL is not the same as no row."""


@print_node.register
def _over(node: nodes.Over, printer: Printer) -> Block:
    _check(node, printer)
    block = printer.block(node.input)
    order = node.order if node.time is None else (nodes.SortKey(node.time),)
    read = (*node.partition, *(key.column for key in order))
    names = distinct_names(node.schema.names)
    width = len(node.input.schema)
    places: dict[int, int] = {}
    for members in _frames(node.calls) if printer.streaming else [list(range(len(node.calls)))]:
        block = _opened(block, read, columns_read([node.calls[each].call for each in members]), printer)
        shown = [_text(node.calls[each], block, (node, order), printer) for each in members]
        places |= {each: len(block.items) + number for number, each in enumerate(members)}
        wide = tuple(names[width + each] for each in members)
        items = (*block.items, *(Item(each, plain=False) for each in shown))
        block = replace(block, items=items, names=(*block.names, *wide), whole=False, done=True, over=True)
    order_of = [*range(width), *(places[each] for each in range(len(node.calls)))]
    if order_of == list(range(len(block.items))):
        return replace(block, names=names)
    return replace(block, items=tuple(block.items[each] for each in order_of), names=names, whole=False)


def _opened(block: Block, ordering: Sequence[int], args: Sequence[int], printer: Printer) -> Block:
    """Return the block open for further OVER calls; in batch mode they may stand beside others, of any window."""
    if block.over and not printer.streaming and all(block.items[each].plain for each in (*ordering, *args)):
        return block
    return block.ready(ordering, open_=True).ready(args)


def _frames(calls: Sequence[OverCall]) -> list[list[int]]:
    """Return which calls can stand in one SELECT: Flink computes all of one over the same frame."""
    found: dict[tuple[object, ...], list[int]] = {}
    for place, over in enumerate(calls):
        if over.call.function == "ROW_NUMBER":
            frame: tuple[object, ...] = ("number",)
        else:
            frame = (over.rows, over.preceding, over.following)
        found.setdefault(frame, []).append(place)
    return list(found.values())


def _text(over: OverCall, block: Block, window: tuple[nodes.Over, Sequence[nodes.SortKey]], printer: Printer) -> str:
    node, order = window
    parts = []
    if node.partition:
        parts.append("PARTITION BY " + ", ".join(block.items[index].sql for index in node.partition))
    if order:
        parts.append("ORDER BY " + ", ".join(sort_key(block.items[key.column].sql, key) for key in order))
    frame = _frame(over, node, order)
    if frame:
        parts.append(frame)
    return f"{_call(over.call, block, printer, node)} OVER ({' '.join(parts)})"


def _call(call: AggCall, block: Block, printer: Printer, node: nodes.Over) -> str:
    """Return the call; its FILTER, which Flink has not before OVER, becomes a CASE around what it takes."""
    if call.where is None:
        return call_text(call, block, printer, node)
    if call.function in _KEEP_NULLS:
        why = "Flink has no FILTER before OVER"
        printer.report.add(f"{call.function} with a condition", why, place_of(node))
    condition = block.items[call.where].sql
    types = node.input.schema
    args = [(block.items[index].sql, types[index].type) for index in call.args] or [("1", INT)]
    first, *rest = args
    case = (f"CASE WHEN {condition} THEN {first[0]} END", first[1])
    return call_of(call, [case, *rest], printer, node)


def _frame(over: OverCall, node: nodes.Over, order: Sequence[nodes.SortKey]) -> str:
    if over.call.function in _RANKS or over.call.function == "ROW_NUMBER":
        return ""
    default = (over.preceding, over.following) == (None, 0 if order else None)
    if default and not over.rows:
        return ""
    type_ = node.input.schema[order[0].column].type if order else None
    timed = isinstance(type_, TimestampType) and not over.rows
    start = _bound(over.preceding, timed, "PRECEDING", "FOLLOWING")
    end = "CURRENT ROW" if over.following == 0 else _bound(over.following, timed, "FOLLOWING", "PRECEDING")
    return f"{'ROWS' if over.rows else 'RANGE'} BETWEEN {start} AND {end}"


def _bound(reach: float | None, timed: bool, ahead: str, back: str) -> str:
    """Return a bound of a frame; one of 0 is said as a number, since Flink takes no frame that begins at CURRENT ROW."""
    if reach is None:
        return f"UNBOUNDED {ahead}"
    size = abs(reach)
    number = int(size) if size == int(size) else size
    shown = milliseconds(int(size)) if timed else literal(build.literal(number))
    return f"{shown} {ahead if reach >= 0 else back}"


def _check(node: nodes.Over, printer: Printer) -> None:
    """Report what Flink computes in the other mode only."""
    place = place_of(node)
    if not printer.streaming:
        if any(over.call.distinct for over in node.calls):
            printer.report.add("distinct values before OVER", "Flink has them in streaming mode only", place)
        return
    batch = "Flink has it in batch mode only: execution.runtime-mode=batch"
    for over in node.calls:
        if over.call.function in _BATCH_ONLY:
            printer.report.add(f"{over.call.function} over a stream", batch, place)
    if node.time is not None:
        return
    up_to_here = all((over.preceding, over.following) == (None, 0) for over in node.calls)
    known = all(over.call.function in _ORDERED_BY_ANY and not over.call.distinct for over in node.calls)
    one = len(node.order) == 1 and not node.order[0].descending
    if one and up_to_here and known:
        return
    other = one and any(over.following != 0 for over in node.calls)
    what = "a frame that does not end at the current row" if other else "OVER in another order than of event time"
    printer.report.add(what, batch, place)
