"""The verbs that join two streams, as nodes of a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.core.schema import TimeKind
from fluxcore.core.types import IntervalType
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan import nodes
from fluxcore.plan.columns import attached_window, select
from fluxcore.plan.joins import join, temporal_join
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.api.windows import Duration
    from fluxcore.core.lookups import AskedFunction
    from fluxcore.core.schema import Schema

    Lifetimes = Duration | tuple[Duration, Duration]

JoinKeys = tuple[tuple[int, ...], tuple[int, ...]]
"""The places of the equal columns on the left and on the right."""


def equal_join(
    left: nodes.Node, right: nodes.Node, kind: nodes.JoinKind, keys: JoinKeys, ttl: Lifetimes | None
) -> nodes.Node:
    """Return a join on equal columns; of two windowed inputs one window by window."""
    sides = [attached_window(side) for side in (left, right)]
    windows = sides if all(sides) else [None, None]
    node = nodes.Join(left, right, kind, *keys, left_window=windows[0], right_window=windows[1])
    if ttl is not None:
        if node.left_window is not None:
            raise ScriptError("FX-API-0005", "a join within windows takes no ttl", hint="its rows go with their window")
        ages = ttl if isinstance(ttl, tuple) else (ttl, ttl)
        node = replace(node, ttl_ms=(length(ages[0]), length(ages[1])))
    return without_doubles(node, right, set(keys[1]))


def interval_join(
    left: nodes.Node, right: nodes.Node, kind: nodes.JoinKind, keys: JoinKeys, within: tuple[Duration, Duration]
) -> nodes.Node:
    """Return a join of rows whose event times are close: the right one so long before and after the left one's."""
    both, width = _columns(left, right), len(left.schema)
    mine, theirs = both[event_time(left.schema)], both[width + event_time(right.schema)]
    before, after = (build.literal(length(each), IntervalType()) for each in within)
    conditions = [build.call("=", [both[a], both[width + b]]) for a, b in zip(*keys, strict=True)]
    conditions.append(build.call(">=", [theirs, build.call("-", [mine, before])]))
    conditions.append(build.call("<=", [theirs, build.call("+", [mine, after])]))
    node = join(left, right, kind, conjunction(conditions))
    assert isinstance(node, nodes.Join), "plain columns need no projection"
    return without_doubles(node, right, set(keys[1]))


def as_of_join(
    left: nodes.Node, right: nodes.Node, kind: nodes.JoinKind, keys: JoinKeys, tolerance: Duration | None
) -> nodes.Node:
    """Return a join of each row with the right side's last one, by event time, that is not later."""
    both, width = _columns(left, right), len(left.schema)
    times = (event_time(left.schema), event_time(right.schema))
    conditions = [build.call("=", [both[a], both[width + b]]) for a, b in zip(*keys, strict=True)]
    if tolerance is not None:
        oldest = build.call("-", [both[times[0]], build.literal(length(tolerance), IntervalType())])
        conditions.append(build.call(">=", [both[width + times[1]], oldest]))
    node = temporal_join(left, right, kind, conjunction(conditions), times)
    if node is None:
        raise ScriptError("FX-API-0005", "a join as of a time needs equal columns", hint="on=['key']")
    return _without_keys(node, width, keys[1])


def table_join(left: nodes.Node, right: nodes.Node, kind: nodes.JoinKind, keys: JoinKeys) -> nodes.Node:
    """Return a join of each row with what the right side holds for its key when the row comes."""
    both, width = _columns(left, right), len(left.schema)
    conditions = [build.call("=", [both[a], both[width + b]]) for a, b in zip(*keys, strict=True)]
    node = temporal_join(left, right, kind, conjunction(conditions), None)
    if node is None:
        raise ScriptError("FX-API-0005", "a join with a table needs equal columns", hint="on=['key']")
    return _without_keys(node, width, keys[1])


def lookup_join(left: nodes.Node, kind: nodes.JoinKind, keys: tuple[int, ...], asked: AskedFunction) -> nodes.Node:
    """Return a join of each row with what a function finds for its key."""
    node = LookupJoin(left, kind, keys, asked, asked.columns)
    return distinctly_named(select(node, range(len(node.schema))))


def join_kind(how: str, kinds: Sequence[nodes.JoinKind], what: str) -> nodes.JoinKind:
    """Return the kind of join that a word means. Raises ``ScriptError`` FX-API-0005 for one that is not among ``kinds``."""
    known = {kind.value.lower(): kind for kind in kinds}
    if how not in known:
        hint = nearest(how, known) if len(known) > 2 else " or ".join(known)
        raise ScriptError("FX-API-0005", f"there is no {what} '{how}'", hint=hint)
    return known[how]


def _without_keys(node: nodes.Node, width: int, keys: tuple[int, ...]) -> nodes.Node:
    """Drop the right side's keys."""
    kept = [index for index in range(len(node.schema)) if index < width or index - width not in keys]
    return distinctly_named(select(node, kept))


def _columns(left: nodes.Node, right: nodes.Node) -> list[ColumnRef]:
    """Return the columns of both sides, the left ones first."""
    return [
        ColumnRef(index=index, name=column.name, type=column.type)
        for index, column in enumerate((*left.schema, *right.schema))
    ]


def event_time(schema: Schema) -> int:
    """Return the place of the event time. Raises ``ScriptError`` FX-API-0002 where there is none."""
    found = next((index for index, column in enumerate(schema) if column.time is TimeKind.EVENT), None)
    if found is None:
        hint = "give the source a watermark: watermark=('ts', '5 seconds')"
        raise ScriptError("FX-API-0002", "a side of the join has no event time", hint=hint)
    return found


def length(value: Duration) -> int:
    """Return a duration in ms. Raises ``ScriptError`` FX-API-0003."""
    try:
        return duration_ms(value)
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error


def without_doubles(node: nodes.Join, right: nodes.Node, keys: set[int]) -> nodes.Node:
    """Drop the right side's keys and window; a name that both sides have gets a 0 behind the right one's."""
    width = len(node.left.schema)
    if len(node.schema) == width:
        return node
    found = window_of(right) if node.left_window else None
    dropped = keys | ({found.start, found.end, found.time} if found else set())
    kept = [*range(width), *(width + index for index in range(len(right.schema)) if index not in dropped)]
    return distinctly_named(select(node, kept))


def distinctly_named(projected: nodes.Project) -> nodes.Project:
    """Put a 0 behind a name that an earlier column has."""
    seen: set[str] = set()
    names = []
    for name in projected.names:
        names.append(f"{name}0" if name in seen else name)
        seen.add(name)
    return replace(projected, names=tuple(names))
