"""Windows, and nodes that put rows into them and aggregate them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema, TimeKind
from fluxcore.core.types import TimestampType
from fluxcore.plan.nodes.node import OneInput, show_call

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall


class WindowKind(Enum):
    """The window table functions, and the one window for all times."""

    TUMBLE = "TUMBLE"
    HOP = "HOP"
    CUMULATE = "CUMULATE"
    SESSION = "SESSION"
    GLOBAL = "GLOBAL"


@dataclass(frozen=True)
class WindowSpec:
    """How rows fall into windows: all lengths in ms.

    ``time`` the position of the time attribute (-1: none, of a global window); ``size`` the window's length (the gap of a
    session, the longest window of CUMULATE); ``slide`` the distance of two windows (equal to size for TUMBLE; the step of CUMULATE);
    ``local`` whether they lie in the session's local time, as those of a TIMESTAMP_LTZ do.
    """

    kind: WindowKind
    time: int
    size: int
    slide: int
    offset: int = 0
    partition: tuple[int, ...] = ()
    local: bool = False

    @property
    def time_type(self) -> TimestampType:
        """Return the type of an aggregated window's time."""
        return TimestampType(precision=3, local=self.local)

    def describe(self) -> str:
        """Return the window in one piece for EXPLAIN."""
        parts = [f"size={self.size} ms"]
        if self.kind in (WindowKind.HOP, WindowKind.CUMULATE):
            parts.append(f"{'slide' if self.kind is WindowKind.HOP else 'step'}={self.slide} ms")
        if self.kind is WindowKind.SESSION:
            parts = [f"gap={self.size} ms"]
        if self.kind is WindowKind.GLOBAL:
            parts = []
        if self.offset:
            parts.append(f"offset={self.offset} ms")
        return f"{self.kind.value}({', '.join(parts)})" if parts else self.kind.value


WINDOW_TYPE = TimestampType(precision=3, nullable=False)


def window_columns(time_type: DataType) -> tuple[Column, ...]:
    """Return window_start, window_end and window_time, of which the last has a type."""
    time_type = time_type.with_nullable(False)
    return (
        Column("window_start", WINDOW_TYPE),
        Column("window_end", WINDOW_TYPE),
        Column("window_time", time_type, TimeKind.EVENT),
    )


@dataclass(frozen=True)
class AssignWindow(OneInput):
    """Gives each row once for every window that it falls in, with window_start, window_end and window_time appended."""

    window: WindowSpec

    @cached_property
    def schema(self) -> Schema:
        columns = self.input.schema.columns
        time_type = columns[self.window.time].type
        columns = tuple(replace(c, time=None) if c.time is TimeKind.EVENT else c for c in columns)
        return Schema.of(columns + window_columns(time_type))

    def describe(self) -> str:
        source, window = self.input.schema, self.window
        by = f", by=[{', '.join(source[index].name for index in window.partition)}]" if window.partition else ""
        return f"AssignWindow({source[window.time].name}, {window.describe()}{by})"


@dataclass(frozen=True)
class Attached:
    """The window that rows already carry: positions of its start and end in the input, and where it came from."""

    start: int
    end: int
    spec: WindowSpec


@dataclass(frozen=True)
class WindowAggregate(OneInput):
    """Aggregates per key and window; gives keys, aggregates, window_start, window_end, window_time.

    With a ``WindowSpec`` it assigns windows itself and shares slices; with ``Attached`` the rows carry their window.
    """

    window: WindowSpec | Attached
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    names: tuple[str, ...]

    @property
    def spec(self) -> WindowSpec:
        """Return the window's shape, wherever the windows were assigned."""
        return self.window.spec if isinstance(self.window, Attached) else self.window

    @cached_property
    def schema(self) -> Schema:
        source = self.input.schema
        keys = tuple(replace(source[index], time=None) for index in self.keys)
        results = tuple(Column(name, call.type) for name, call in zip(self.names, self.calls, strict=True))
        return Schema.of(keys + results + window_columns(self.spec.time_type))

    def describe(self) -> str:
        attached = ", attached" if isinstance(self.window, Attached) else ""
        source = self.input.schema
        keys = ", ".join(source[index].name for index in self.keys)
        calls = ", ".join(show_call(call, source) for call in self.calls)
        return f"WindowAggregate({self.spec.describe()}{attached}, by=[{keys}], calls=[{calls}])"
