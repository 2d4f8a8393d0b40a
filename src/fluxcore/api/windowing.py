"""Windows with a trigger, allowed lateness or an evictor, bound to the columns of a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.api.triggers import evictor_spec, keep_last, length, on_count, on_event_time, purging, trigger_spec
from fluxcore.api.windows import Window, event_time
from fluxcore.core.evictors import EvictorKind
from fluxcore.core.keyed_state import Kept
from fluxcore.core.schema import Schema
from fluxcore.core.triggers import TriggerKind
from fluxcore.core.types import DecimalType, FloatType, IntegerType
from fluxcore.errors import ScriptError, nearest
from fluxcore.plan.columns import select
from fluxcore.plan.nodes import (
    Filter,
    Node,
    Project,
    SideOutput,
    WindowAggregate,
    WindowKind,
    WindowSpec,
)
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from fluxcore.api.triggers import AnyEvictor, AnyTrigger, Duration
    from fluxcore.core.evictors import EvictorSpec
    from fluxcore.core.triggers import TriggerSpec
    from fluxcore.expr.nodes import AggCall

COMPUTED = "$arg"
"""How the names of columns begin that were computed for aggregates."""


@dataclass(frozen=True)
class GlobalWindow:
    """One window for all rows of a key; a row's ``time``, if a trigger or evictor looks at it; ``count`` and ``slide`` rows."""

    time: str = ""
    count: int = 0
    slide: int = 0


def global_window(time: str | None = None) -> GlobalWindow:
    """Return the window that holds all rows of a key, for ever: it gives what its trigger says, else one row at the end.

    ``time``: the event-time column, where the trigger or the evictor looks at it.
    """
    return GlobalWindow(time or "")


def count_window(rows: int, slide: int | None = None) -> GlobalWindow:
    """Return windows of ``rows`` rows of a key: one after the other, or with every ``slide``-th row the last ``rows``.

    Each gives a row of its own; rows that never fill a window give nothing.
    """
    if rows < 1 or (slide is not None and slide < 1):
        raise ScriptError("FX-API-0003", "the number of rows must be at least 1")
    return GlobalWindow(count=rows, slide=slide or 0)


@dataclass(frozen=True)
class Windowing:
    """A window and what goes with it."""

    window: Window | GlobalWindow
    trigger: TriggerSpec
    evictor: EvictorSpec | None
    lateness: int
    appends: bool = False

    @property
    def is_plain(self) -> bool:
        """Return whether each window gives one result, when the watermark reaches its end."""
        once = self.trigger.fires_once(self.lateness)
        return isinstance(self.window, Window) and once and self.evictor is None

    def aggregate(self, node: Node, keys: tuple[int, ...], calls: tuple[AggCall, ...], names: tuple[str, ...]) -> Node:
        """Return the aggregates over a node's rows. Raises ``ScriptError`` where the parts don't fit each other."""
        schema = node.schema
        if isinstance(self.window, GlobalWindow):
            time = event_time(schema, self.window.time) if self.window.time else -1
            spec = WindowSpec(WindowKind.GLOBAL, time, 0, 0)
        else:
            spec = self.window.bind(schema)
            if spec.partition and set(spec.partition) != set(keys):
                raise ScriptError("FX-API-0031", "sessions with a trigger or lateness are those of the group's keys")
            spec = replace(spec, partition=())
        self._check(spec)
        trigger = replace(self.trigger, place=_number(schema, self.trigger.column))
        evictor = self.evictor and replace(self.evictor, place=_number(schema, self.evictor.column))
        return TriggeredAggregate(node, spec, keys, calls, names, trigger, evictor, self.lateness, self.appends)

    def _check(self, spec: WindowSpec) -> None:
        kind = self.trigger.kind
        if spec.kind is WindowKind.SESSION and kind in (TriggerKind.DELTA, TriggerKind.CUSTOM):
            message = f"sessions join, and the trigger '{self.trigger.describe()}' can't tell what it would know then"
            raise ScriptError("FX-API-0031", message, hint="take another window, or a trigger such as fx.on_count")
        if spec.kind is not WindowKind.GLOBAL:
            return
        if self.lateness:
            raise ScriptError("FX-API-0031", "no row is late for a global window", hint="leave allowed_lateness out")
        if kind is TriggerKind.PROCESSING_TIME:
            raise ScriptError("FX-API-0031", "a global window has no end for fx.on_processing_time")
        within = self.evictor is not None and self.evictor.kind is EvictorKind.WITHIN
        if spec.time < 0 and (kind is TriggerKind.CONTINUOUS or within):
            what = "fx.keep_within" if within else "fx.continuous"
            hint = "name the column: fx.global_window(time='ts')"
            raise ScriptError("FX-API-0031", f"{what} needs the event time of the rows", hint=hint)


def windowing(
    window: Window | GlobalWindow,
    allowed_lateness: Duration | None,
    trigger: AnyTrigger | None,
    evictor: AnyEvictor | None,
) -> Windowing:
    """Return a window with what goes with it. Raises ``ScriptError`` FX-API-0003, 0011, 0012."""
    lateness = 0 if allowed_lateness is None else length(allowed_lateness, zero=True)
    if isinstance(window, GlobalWindow) and window.count:
        if trigger is not None or evictor is not None or allowed_lateness is not None:
            hint = "take fx.global_window(), and give it a trigger and an evictor"
            raise ScriptError("FX-API-0031", "a count window has its own trigger and evictor", hint=hint)
        if window.slide:
            return Windowing(window, on_count(window.slide), keep_last(window.count), 0, appends=True)
        return Windowing(window, purging(on_count(window.count)), None, 0)
    chosen = on_event_time() if trigger is None else trigger_spec(trigger)
    if chosen.custom is not None:
        for owner in type(chosen.custom).__mro__:
            if any(isinstance(each, Kept) and each.lifetime is not None for each in vars(owner).values()):
                raise ScriptError("FX-API-0031", "state of a trigger lives as long as its window", hint="leave ttl out")
    return Windowing(window, chosen, evictor_spec(evictor), lateness)


def late_rows(node: Node) -> Node:
    """Return the rows that came too late for the windows that a node's rows come from, whole as they were before.

    Raises: ``ScriptError`` FX-API-0032 where there are no windows, or rows were put into them before they were changed.
    """
    while isinstance(node, Project | Filter):
        node = node.input
    sliced = isinstance(node, WindowAggregate) and isinstance(node.window, WindowSpec)
    if not sliced and not isinstance(node, TriggeredAggregate):
        hint = "call it on what stream.window(…).group_by(…).agg(…) gives"
        raise ScriptError("FX-API-0032", "late rows are those of an aggregate of windows", hint=hint)
    assert isinstance(node, WindowAggregate | TriggeredAggregate)
    columns = node.input.schema.columns
    side = SideOutput(node, "late", Schema.of(replace(column, time=None) for column in columns))
    kept = [index for index, column in enumerate(columns) if not column.name.startswith(COMPUTED)]
    return side if len(kept) == len(columns) else select(side, kept)


def _number(schema: Schema, name: str) -> int:
    """Return the position of a column of numbers, -1 for no name."""
    if not name:
        return -1
    index = schema.find(name)
    if index is None:
        raise ScriptError("FX-API-0001", f"there is no column '{name}'", hint=nearest(name, schema.names))
    type_ = schema[index].type
    if not isinstance(type_, IntegerType | FloatType | DecimalType):
        raise ScriptError("FX-API-0031", f"column '{name}' is {type_.name()}, and a distance needs a number")
    return index
