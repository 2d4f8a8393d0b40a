"""The plan node of windows with a trigger, allowed lateness or an evictor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.plan.nodes import OneInput, WindowKind, WindowSpec, show_call, window_columns

if TYPE_CHECKING:
    from fluxcore.core.evictors import EvictorSpec
    from fluxcore.core.triggers import TriggerSpec
    from fluxcore.expr.nodes import AggCall


@dataclass(frozen=True)
class TriggeredAggregate(OneInput):
    """Aggregates per key and window, and gives a window's result whenever the trigger fires.

    Rows count in windows that are over by up to ``lateness`` (ms). A window that fires again gives its result in the place of
    the one before, unless the trigger purges or ``appends`` says that every result is a row of its own. The rows of a global
    window have no window_start, window_end and window_time.
    """

    window: WindowSpec
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    names: tuple[str, ...]
    trigger: TriggerSpec
    evictor: EvictorSpec | None = None
    lateness: int = 0
    appends: bool = False

    @property
    def updates(self) -> bool:
        """Return whether a result may be taken back."""
        return not (self.appends or self.trigger.purges or self.trigger.fires_once(self.lateness))

    @property
    def is_global(self) -> bool:
        """Return whether there is one window for all times."""
        return self.window.kind is WindowKind.GLOBAL

    @cached_property
    def schema(self) -> Schema:
        source = self.input.schema
        keys = tuple(replace(source[index], time=None) for index in self.keys)
        results = tuple(Column(name, call.type) for name, call in zip(self.names, self.calls, strict=True))
        window = () if self.is_global else window_columns(self.window.time_type)
        if self.updates:
            window = tuple(replace(column, time=None) for column in window)
        return Schema.of(keys + results + window)

    def describe(self) -> str:
        source = self.input.schema
        keys = ", ".join(source[index].name for index in self.keys)
        calls = ", ".join(show_call(call, source) for call in self.calls)
        evictor = f", evictor=[{self.evictor.describe()}]" if self.evictor else ""
        lateness = f", lateness={self.lateness} ms" if self.lateness else ""
        trigger = f"trigger=[{self.trigger.describe()}]{evictor}{lateness}"
        return f"TriggeredAggregate({self.window.describe()}, by=[{keys}], calls=[{calls}], {trigger})"
