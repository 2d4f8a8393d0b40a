"""Prints aggregates over TUMBLE, HOP and CUMULATE windows: once per slice, then per window made of slices."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from fluxcore.core.types import TimestampType
from fluxcore.plan.nodes import Attached, WindowKind, WindowSpec
from fluxcore.targets.batch.sql.calls import print_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import WindowAggregate
    from fluxcore.targets.batch.sql.calls import Parts

_US_PER_MS = 1000


def print_window_aggregate(node: WindowAggregate, source: str) -> str:
    """Return a window aggregate over the relation ``source`` as a query."""
    calls = [print_call(call) for call in node.calls]
    if isinstance(node.window, Attached):
        return _attached(node, node.window, calls, source)
    time = _microseconds(node, node.window.time)
    if node.window.kind is WindowKind.TUMBLE:
        start = _floor(time, node.window.size * _US_PER_MS, node.window.offset * _US_PER_MS)
        inner = f"SELECT *, {start} AS w FROM {source}"
        return _grouped(node, calls, f"({inner})", "w", f"w + {node.window.size * _US_PER_MS}")
    if all(call.merge for call in calls):
        return _sliced(node, node.window, calls, source)
    inner = f"SELECT *, {time} AS t FROM {source}"
    return _grouped(node, calls, _in_windows(node.window, f"({inner})", "t", 1), "w", "e")


def _attached(node: WindowAggregate, window: Attached, calls: Sequence[Parts], source: str) -> str:
    start, end = f"c{window.start}", f"c{window.end}"
    return _grouped(node, calls, source, start, end)


def _grouped(node: WindowAggregate, calls: Sequence[Parts], source: str, start: str, end: str) -> str:
    """Return the query that aggregates rows which carry their window."""
    columns = [f"c{key}" for key in node.keys] + [call.final(call.partial) for call in calls]
    columns += [start, end, f"{end} - {_US_PER_MS}"]
    groups = ", ".join([*(f"c{key}" for key in node.keys), start, end])
    return f"SELECT {_named(columns)} FROM {source} GROUP BY {groups}"


def _sliced(node: WindowAggregate, window: WindowSpec, calls: Sequence[Parts], source: str) -> str:
    """Return the query that aggregates each slice once, and joins the slices of each window."""
    pane = gcd(window.size, window.slide) * _US_PER_MS
    keys = [f"c{key} AS k{place}" for place, key in enumerate(node.keys)]
    partials, merged, count = [], [], 0
    for call in calls:
        names = [f"p{count + place}" for place in range(len(call.partial))]
        count += len(names)
        partials += [f"{sql} AS {name}" for sql, name in zip(call.partial, names, strict=True)]
        merged.append(call.final([f"{merge}({name})" for merge, name in zip(call.merge, names, strict=True)]))
    groups = ", ".join([*(f"c{key}" for key in node.keys), "t"])
    slice_ = _floor(_microseconds(node, window.time), pane, window.offset * _US_PER_MS)
    cut = f"(SELECT *, {slice_} AS t FROM {source})"
    slices = f"(SELECT {', '.join([*keys, 't', *partials])} FROM {cut} GROUP BY {groups})"
    columns = [f"k{place}" for place in range(len(keys))] + merged + ["w", "e", f"e - {_US_PER_MS}"]
    by = ", ".join([*(f"k{place}" for place in range(len(keys))), "w", "e"])
    return f"SELECT {_named(columns)} FROM {_in_windows(window, slices, 't', pane)} GROUP BY {by}"


def _in_windows(window: WindowSpec, source: str, time: str, length: int) -> str:
    """Return rows or slices of a length, each once for every window [w, e) that it falls in."""
    size, slide, offset = (each * _US_PER_MS for each in (window.size, window.slide, window.offset))
    times = f"range({-(-size // slide)}) AS g(i)"
    if window.kind is WindowKind.HOP:
        start = f"{_floor(time, slide, offset)} - i * {slide}"
        return (
            f"(SELECT * FROM (SELECT s.*, {start} AS w, {start} + {size} AS e FROM {source} AS s CROSS JOIN {times}) "
            f"WHERE e >= {time} + {length})"
        )
    start = _floor(time, size, offset)
    return (
        f"(SELECT * FROM (SELECT s.*, {start} AS w, {start} + (i + 1) * {slide} AS e FROM {source} AS s CROSS JOIN {times}) "
        f"WHERE e >= {time} + {length})"
    )


def _microseconds(node: WindowAggregate, time: int) -> str:
    """Return the event time in microseconds; NULL is an error, as everywhere where windows are assigned."""
    column = node.input.schema[time]
    assert isinstance(column.type, TimestampType)
    value = f"c{time}"
    if column.type.units_per_ms != _US_PER_MS:
        per_us = column.type.units_per_ms // _US_PER_MS
        value = f"({_floor(value, per_us, 0)} // {per_us})"
    name = column.name.replace("'", "''")
    return f"(CASE WHEN c{time} IS NULL THEN error('fluxcore:FX-RUN-0201:{name}')::BIGINT ELSE {value} END)"


def _floor(time: str, length: int, offset: int) -> str:
    """Return the last multiple of a length, counted from an offset, that is not after a time."""
    moved = f"({time} - {offset})" if offset else time
    return f"({time} - ((({moved} % {length}) + {length}) % {length}))"


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} AS c{place}" for place, column in enumerate(columns))
