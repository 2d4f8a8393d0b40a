"""Says what each plan node keeps, and for how long: what EXPLAIN shows as its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.async_call import AsyncCall
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWindow,
    Attached,
    Connect,
    Join,
    JoinKind,
    Over,
    Process,
    Rank,
    Sort,
    TemporalJoin,
    TimeSort,
    WindowAggregate,
    WindowKind,
)
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from fluxcore.plan.nodes import Node


def state_of(node: Node) -> str | None:
    """Return what the node keeps, in words; None for a node that keeps nothing."""
    match node:
        case WindowAggregate():
            session = node.spec.kind is WindowKind.SESSION and not isinstance(node.window, Attached)
            return "a row per key and open session" if session else "a row per key and open slice"
        case TriggeredAggregate():
            return _of_triggered(node)
        case AssignWindow():
            return "rows of open sessions" if node.window.kind is WindowKind.SESSION else None
        case Aggregate():
            return f"a row per group, {_how_long(node.ttl_ms)}"
        case Join():
            return _of_join(node)
        case TemporalJoin():
            right = "versions by key" if node.times else "the right side, for ever"
            return f"left rows that wait, {right}" if node.times else right
        case LookupJoin():
            return "rows that were looked up, as its cache says"
        case Rank():
            first = "the first row" if node.last == 1 else f"the first {node.last} rows"
            if node.window is not None:
                return f"{first} of each partition of open windows"
            kept = first if is_append_only(node.input) else "all rows"
            return f"{kept} of each partition, {_how_long(node.ttl_ms)}"
        case Over():
            return "all rows until the end" if node.at_end else "rows that wait, totals per partition"
        case Sort():
            return "all rows until the end" if node.limit is None else f"the first {node.limit + node.offset} rows"
        case TimeSort():
            return "rows that wait"
        case Process() if isinstance(node.function, AsyncCall):
            return "rows that are not answered"
        case Process() | Connect():
            return "what the function keeps per key"
    return None


def _of_triggered(node: TriggeredAggregate) -> str:
    kept = ["all of its rows" if node.evictor else "a row"]
    if node.updates:
        kept.append("its last result")
    windows = "key, for ever" if node.is_global else "key and open window"
    return f"{' and '.join(kept)} per {windows}"


def _of_join(node: Join) -> str:
    if node.left_window is not None:
        return "rows of open windows"
    if node.interval is not None:
        left, right = max(node.interval.high, 0), max(-node.interval.low, 0)
        return f"left rows for {left} ms, right rows for {right} ms of event time"
    if node.kind in (JoinKind.SEMI, JoinKind.ANTI) and node.condition is None and not any(node.ttl_ms):
        kept = "left rows without a partner" if is_append_only(node.right) else "all left rows"
        return f"{kept}, the right side's keys, for ever"
    first, second = (_how_long(each) for each in node.ttl_ms)
    return f"all rows of both sides, {first}" if first == second else f"left rows {first}, right rows {second}"


def _how_long(ttl_ms: int | None) -> str:
    return f"for {ttl_ms} ms after they were touched" if ttl_ms else "for ever"
