"""Reads, computes and carries only the columns that somebody downstream looks at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema
from fluxcore.core.types import ArrayType, BytesType, MapType, RowType, StringType, VariantType
from fluxcore.expr.nodes import AggCall, columns_of, moved
from fluxcore.plan.changes import FromChangelog, ToChangelog
from fluxcore.plan.columns import select
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import in_order
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    AssignWindow,
    Attached,
    Filter,
    Insert,
    Join,
    Over,
    Project,
    Rank,
    Scan,
    SideOutput,
    Sort,
    StampTime,
    TemporalJoin,
    TimeSort,
    Union,
    Values,
    WindowAggregate,
)
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node, SortKey, WindowSpec

Places = dict[int, int]
"""Old positions of kept columns to their new positions."""


def prune_columns(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans without unused columns. What one consumer of a shared node needs is kept for all of them."""
    needed = _needed(roots)
    done: dict[Node, tuple[Node, Places]] = {}
    for node in in_order(roots):
        done[node] = _prune(node, needed[node], [done[each] for each in node.inputs])
    return [done[root][0] for root in roots]


def _needed(roots: Sequence[Node]) -> dict[Node, set[int]]:
    needed: dict[Node, set[int]] = {node: set() for node in in_order(roots)}
    with_sides = {node.input for node in needed if isinstance(node, SideOutput)}
    for root in roots:
        needed[root] = set(range(len(root.schema)))
    for node in reversed(in_order(roots)):
        if not needed[node] and not isinstance(node, Insert):
            needed[node].add(_cheapest(node.schema))
        for each, wanted in zip(node.inputs, _wanted(node, needed[node]), strict=True):
            needed[each] |= set(range(len(each.schema))) if node in with_sides else wanted
    return needed


def _cheapest(schema: Schema) -> int:
    """Return the position of a column that stands for the row when none is wanted."""
    wide = (StringType, BytesType, VariantType, ArrayType, MapType, RowType)
    return next((i for i, column in enumerate(schema) if not isinstance(column.type, wide)), 0)


def _wanted(node: Node, out: set[int]) -> list[set[int]]:
    """Return for each input the columns that the node needs to give its columns ``out``."""
    if isinstance(node, Join | TemporalJoin):
        return _wanted_by_join(node, out)
    if isinstance(node, Union):
        return [set(out) for _ in node.branches]
    if len(node.inputs) != 1:
        return [set(range(len(each.schema))) for each in node.inputs]
    width = len(node.inputs[0].schema)
    below = {index for index in out if index < width}
    if isinstance(node, Project):
        return [{column for index in out for column in columns_of(node.exprs[index])}]
    if isinstance(node, Filter):
        return [below | columns_of(node.condition)]
    if isinstance(node, AssignWatermark):
        return [set(range(width)) if node.generator else below | {node.column} | columns_of(node.expr)]
    if isinstance(node, StampTime):
        return [below | {node.column}]
    if isinstance(node, AssignWindow):
        return [below | {node.window.time, *node.window.partition}]
    if isinstance(node, WindowAggregate):
        spec = node.window
        time = {spec.start, spec.end} if isinstance(spec, Attached) else {spec.time, *spec.partition}
        return [set(node.keys) | time | _of_calls(_kept_calls(node, out))]
    if isinstance(node, TriggeredAggregate):
        return [_wanted_by_triggered(node, out)]
    if isinstance(node, Aggregate):
        return [set(node.keys) | _of_calls(_kept_calls(node, out))]
    if isinstance(node, Rank):
        window = {node.window.start, node.window.end} if node.window else set()
        return [below | set(node.partition) | _of_keys(node.order) | window]
    if isinstance(node, Over):
        kept = [node.calls[index].call for index in _kept_over(node, out)]
        time = set() if node.time is None else {node.time}
        return [below | set(node.partition) | time | _of_keys(node.order) | _of_calls(kept)]
    if isinstance(node, Sort | TimeSort):
        return [below | _of_keys(node.keys)]
    if isinstance(node, LookupJoin):
        condition = set() if node.condition is None else columns_of(node.condition)
        return [below | set(node.keys) | {index for index in condition if index < width}]
    if isinstance(node, FromChangelog):
        return [below | {node.op}]
    if isinstance(node, Correlate):
        exprs = (*node.call.args, *(() if node.condition is None else (node.condition,)))
        return [below | {index for expr in exprs for index in columns_of(expr) if index < width}]
    return [set(range(width))]


def _wanted_by_join(node: Join | TemporalJoin, out: set[int]) -> list[set[int]]:
    width = len(node.left.schema)
    condition = set() if node.condition is None else columns_of(node.condition)
    both = out | condition
    left = {index for index in both if index < width} | set(node.left_keys)
    right = {index - width for index in both if index >= width} | set(node.right_keys)
    if isinstance(node, TemporalJoin):
        for side, time in zip((left, right), node.times or (), strict=False):
            side.add(time)
        return [left, right | set(node.right_key)]
    if node.interval is not None:
        left.add(node.interval.left)
        right.add(node.interval.right)
    for side, window in ((left, node.left_window), (right, node.right_window)):
        if window is not None:
            side |= {window.start, window.end}
    return [left, right]


def _wanted_by_triggered(node: TriggeredAggregate, out: set[int]) -> set[int]:
    if node.trigger.custom is not None or (node.evictor is not None and node.evictor.custom is not None):
        return set(range(len(node.input.schema)))  # the user's code may look at any column
    places = {node.window.time, node.trigger.place, node.evictor.place if node.evictor else -1} - {-1}
    return set(node.keys) | places | _of_calls(_kept_calls(node, out))


def _of_calls(calls: Iterable[AggCall]) -> set[int]:
    return {index for call in calls for index in (*call.args, *(() if call.where is None else (call.where,)))}


def _of_keys(keys: Iterable[SortKey]) -> set[int]:
    return {key.column for key in keys}


def _kept_calls(node: WindowAggregate | TriggeredAggregate | Aggregate, out: set[int]) -> list[AggCall]:
    return [call for index, call in enumerate(node.calls) if len(node.keys) + index in out]


def _kept_over(node: Over, out: set[int]) -> list[int]:
    """Return the functions that are kept: one stays even where none is wanted, since rows come out as they do with it."""
    width = len(node.input.schema)
    return [index for index in range(len(node.calls)) if width + index in out] or [0]


def _prune(node: Node, out: set[int], inputs: list[tuple[Node, Places]]) -> tuple[Node, Places]:
    """Return the node without the columns that nobody wants, and where the others are now."""
    if isinstance(node, Scan):
        return _prune_scan(node, out)
    if isinstance(node, Values):
        kept = sorted(out)
        rows = tuple(tuple(row[index] for index in kept) for row in node.rows)
        return Values(node.columns.select(kept), rows), _places(kept)
    if isinstance(node, Project):
        kept = sorted(out)
        exprs = tuple(moved(node.exprs[index], inputs[0][1]) for index in kept)
        return Project(inputs[0][0], exprs, tuple(node.names[index] for index in kept)), _places(kept)
    if isinstance(node, Join | TemporalJoin):
        return _prune_join(node, inputs)
    if isinstance(node, Union):
        return _prune_union(node, out, inputs)
    if not inputs:
        return node, _places(range(len(node.schema)))
    below, places = inputs[0]
    if isinstance(node, Filter):
        return Filter(below, moved(node.condition, places)), places
    if isinstance(node, AssignWatermark):
        return replace(node, input=below, column=places[node.column], expr=moved(node.expr, places)), places
    if isinstance(node, StampTime):
        return replace(node, input=below, column=places[node.column]), places
    if isinstance(node, AssignWindow):
        window = _moved_spec(node.window, places)
        return replace(node, input=below, window=window), _appended(places, node.input, below, range(3))
    if isinstance(node, WindowAggregate | TriggeredAggregate | Aggregate):
        return _prune_aggregate(node, out, below, places)
    if isinstance(node, Rank):
        ranked = replace(
            node,
            input=below,
            partition=tuple(places[index] for index in node.partition),
            order=_moved_keys(node.order, places),
            window=_moved_window(node.window, places),
        )
        numbered = node.number is not None and len(node.schema) - 1 in out
        ranked = ranked if numbered else replace(ranked, number=None)
        return ranked, _appended(places, node.input, below, range(1 if numbered else 0))
    if isinstance(node, Over):
        return _prune_over(node, out, below, places)
    if isinstance(node, LookupJoin):
        return _prune_lookup(node, out, below, places)
    if isinstance(node, FromChangelog):
        key = tuple(places[each] for each in node.key) if all(each in places for each in node.key) else ()
        return replace(node, input=below, op=places[node.op], key=key), places
    if isinstance(node, ToChangelog):  # each change is told, whichever column changed
        return replace(node, input=below), _places(range(len(node.schema)))
    if isinstance(node, Correlate):
        call = replace(node.call, args=tuple(moved(arg, places) for arg in node.call.args))
        both = _appended(places, node.input, below, range(len(node.names)))
        return replace(node, input=below, call=call, condition=node.condition and moved(node.condition, both)), both
    if isinstance(node, Sort | TimeSort):
        return replace(node, input=below, keys=_moved_keys(node.keys, places)), places
    if isinstance(node, SideOutput):
        return replace(node, input=below), _places(range(len(node.schema)))
    if isinstance(node, Insert):
        return replace(node, input=below), places
    # a function, or a node that this rule doesn't know, may look at any column: all are kept where they are
    return node.with_inputs(tuple(each for each, _ in inputs)), _places(range(len(node.schema)))


def _places(kept: Iterable[int]) -> Places:
    return {old: new for new, old in enumerate(kept)}


def _appended(places: Places, old: Node, new: Node, kept: Iterable[int]) -> Places:
    """Return ``places`` with the kept ones of the columns that the node appends to its input's."""
    before, after = len(old.schema), len(new.schema)
    return places | {before + index: after + position for position, index in enumerate(kept)}


def _moved_keys(keys: Iterable[SortKey], places: Places) -> tuple[SortKey, ...]:
    return tuple(replace(key, column=places[key.column]) for key in keys)


def _moved_spec(spec: WindowSpec, places: Places) -> WindowSpec:
    return replace(spec, time=places[spec.time], partition=tuple(places[index] for index in spec.partition))


def _moved_window(window: Attached | None, places: Places) -> Attached | None:
    return window and replace(window, start=places[window.start], end=places[window.end])


def _moved_call(call: AggCall, places: Places) -> AggCall:
    where = None if call.where is None else places[call.where]
    return replace(call, args=tuple(places[index] for index in call.args), where=where)


def _prune_scan(node: Scan, out: set[int]) -> tuple[Node, Places]:
    wanted = out | (columns_of(node.predicate) if node.predicate is not None else set())
    kept = sorted(wanted)
    places = _places(kept)
    predicate = None if node.predicate is None else moved(node.predicate, places)
    return replace(node, columns=tuple(node.columns[index] for index in kept), predicate=predicate), places


def _prune_aggregate(
    node: WindowAggregate | TriggeredAggregate | Aggregate, out: set[int], below: Node, places: Places
) -> tuple[Node, Places]:
    first = len(node.keys)
    kept = [index for index in range(len(node.calls)) if first + index in out]
    changes: dict[str, object] = {}
    tail = 0
    if isinstance(node, TriggeredAggregate):
        tail = 0 if node.is_global else 3
        changes = _moved_trigger(node, places)
    if isinstance(node, WindowAggregate):
        window = node.window
        tail = 3
        changes["window"] = (
            _moved_window(window, places) if isinstance(window, Attached) else _moved_spec(window, places)
        )
    pruned = replace(
        node,
        input=below,
        keys=tuple(places[index] for index in node.keys),
        calls=tuple(_moved_call(node.calls[index], places) for index in kept),
        names=tuple(node.names[index] for index in kept),
        **changes,  # type: ignore[arg-type]
    )
    where = {index: index for index in range(first)}
    where |= {first + old: first + new for new, old in enumerate(kept)}
    where |= {first + len(node.calls) + index: first + len(kept) + index for index in range(tail)}
    return pruned, where


def _moved_trigger(node: TriggeredAggregate, places: Places) -> dict[str, object]:
    moved = {-1: -1, **places}
    evictor = node.evictor and replace(node.evictor, place=moved[node.evictor.place])
    trigger = replace(node.trigger, place=moved[node.trigger.place])
    return {"window": replace(node.window, time=moved[node.window.time]), "trigger": trigger, "evictor": evictor}


def _prune_lookup(node: LookupJoin, out: set[int], below: Node, places: Places) -> tuple[Node, Places]:
    """Ask a table only for the columns that somebody looks at."""
    width = len(node.input.schema)
    wanted = out | (set() if node.condition is None else columns_of(node.condition))
    kept = [index for index in range(len(node.columns)) if width + index in wanted] or [_cheapest(node.columns)]
    both = places | {width + old: len(below.schema) + new for new, old in enumerate(kept)}
    pruned = replace(
        node,
        input=below,
        keys=tuple(places[index] for index in node.keys),
        asked=node.asked.narrowed(kept),
        columns=node.columns.select(kept),
        condition=None if node.condition is None else moved(node.condition, both),
    )
    return pruned, both


def _prune_over(node: Over, out: set[int], below: Node, places: Places) -> tuple[Node, Places]:
    kept = _kept_over(node, out)
    calls = tuple(replace(node.calls[index], call=_moved_call(node.calls[index].call, places)) for index in kept)
    pruned = replace(
        node,
        input=below,
        partition=tuple(places[index] for index in node.partition),
        time=None if node.time is None else places[node.time],
        order=_moved_keys(node.order, places),
        calls=calls,
        names=tuple(node.names[index] for index in kept),
    )
    return pruned, _appended(places, node.input, below, kept)


def _prune_join(node: Join | TemporalJoin, inputs: list[tuple[Node, Places]]) -> tuple[Node, Places]:
    (left, left_places), (right, right_places) = inputs
    before, after = len(node.left.schema), len(left.schema)
    both = left_places | {before + old: after + new for old, new in right_places.items()}
    found = replace(
        node,
        left=left,
        right=right,
        left_keys=tuple(left_places[index] for index in node.left_keys),
        right_keys=tuple(right_places[index] for index in node.right_keys),
        condition=None if node.condition is None else moved(node.condition, both),
    )
    if isinstance(found, TemporalJoin):
        times = found.times and (left_places[found.times[0]], right_places[found.times[1]])
        assert isinstance(node, TemporalJoin)
        key = tuple(right_places[index] for index in node.right_key)
        return replace(found, times=times, right_key=key), both
    assert isinstance(node, Join)
    joined = replace(
        found,
        left_window=_moved_window(node.left_window, left_places),
        right_window=_moved_window(node.right_window, right_places),
        interval=node.interval
        and replace(node.interval, left=left_places[node.interval.left], right=right_places[node.interval.right]),
    )
    return joined, both


def _prune_union(node: Union, out: set[int], inputs: list[tuple[Node, Places]]) -> tuple[Node, Places]:
    """Bring all branches to the wanted columns, since a shared branch may have kept more than this union wants."""
    kept = sorted(out)
    branches = []
    for below, places in inputs:
        wanted = [places[index] for index in kept]
        if wanted == list(range(len(below.schema))):
            branches.append(below)
            continue
        branches.append(select(below, wanted))
    return Union(tuple(branches), node.columns.select(kept)), _places(kept)
