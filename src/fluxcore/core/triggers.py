"""When a window gives its result: the built-in triggers, and the base of those that a user writes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.zones import Zone

EPOCH = dt.datetime(1970, 1, 1)


class TriggerResult(Enum):
    """What a trigger decides: give the window's result, forget what the window holds, both, or neither.

    The value's first bit is to fire, the second to purge.
    """

    CONTINUE = 0
    FIRE = 1
    PURGE = 2
    FIRE_AND_PURGE = 3


@dataclass(frozen=True, slots=True)
class WindowInfo:
    """The window that a trigger or an evictor looks at; ``start`` and ``end`` are None for a global window.

    Over a TIMESTAMP_LTZ they are what the clocks of the session's zone show.
    ``key`` holds the values of the columns that the rows are grouped by.
    """

    key: tuple[Any, ...]
    start: dt.datetime | None
    end: dt.datetime | None


class TriggerKind(Enum):
    """The built-in triggers, and the one that a user wrote."""

    EVENT_TIME = "event time"
    PROCESSING_TIME = "processing time"
    COUNT = "count"
    DELTA = "delta"
    CONTINUOUS = "continuous"
    CONTINUOUS_CLOCK = "continuous by the clock"
    CUSTOM = "custom"


@dataclass(frozen=True)
class TriggerSpec:
    """A trigger with its parameters.

    ``count`` of COUNT; ``interval`` (ms) of the continuous ones; ``threshold`` and ``column`` of DELTA, with ``place`` the
    column's position; ``early`` and ``late`` (ms, 0 is every row, None none of the clock's) of EVENT_TIME; ``custom`` the
    user's. ``purges`` forgets what the window holds whenever it fires.
    """

    kind: TriggerKind
    count: int = 0
    interval: int = 0
    threshold: float = 0.0
    column: str = ""
    place: int = -1
    early: int | None = None
    late: int | None = None
    custom: Trigger | None = None
    purges: bool = False

    @property
    def by_clock(self) -> bool:
        """Return whether it looks at processing time."""
        clocked = (TriggerKind.PROCESSING_TIME, TriggerKind.CONTINUOUS_CLOCK, TriggerKind.CUSTOM)
        return self.kind in clocked or bool(self.early) or bool(self.late)

    def fires_once(self, lateness: int) -> bool:
        """Return whether a window gives one result and no other, when rows may be ``lateness`` (ms) late."""
        return self.kind is TriggerKind.EVENT_TIME and self.early is None and lateness == 0

    def describe(self) -> str:
        """Return the trigger in one piece for EXPLAIN."""
        text = self._text()
        return f"purging({text})" if self.purges else text

    def _text(self) -> str:
        match self.kind:
            case TriggerKind.COUNT:
                return f"every {self.count} rows"
            case TriggerKind.DELTA:
                return f"{self.column} moved by more than {self.threshold:g}"
            case TriggerKind.CONTINUOUS:
                return f"every {self.interval} ms of event time"
            case TriggerKind.CONTINUOUS_CLOCK:
                return f"every {self.interval} ms of the clock"
            case TriggerKind.CUSTOM:
                return type(self.custom).__name__
        parts = [self.kind.value]
        for name, delay in (("early", self.early), ("late", self.late)):
            if delay is not None:
                parts.append(f"{name} " + (f"after {delay} ms of the clock" if delay else "with every row"))
        return ", ".join(parts)


class TriggerTask(Protocol):
    """What runs a user's trigger: its values by state and window slot, the current window, and its timers."""

    values: dict[str, list[Any]]
    zone: Zone | None
    slot: int
    watermark: int
    now: int

    def set_timer(self, time: int, *, clock: bool) -> None:
        """Ask for a call at a time (ms) for the current window."""
        ...

    def delete_timer(self, time: int, *, clock: bool) -> None:
        """Take that back."""
        ...


class Trigger:
    """The base of triggers that a user writes: override :meth:`on_row`, and the others as they are needed.

    State is declared in the class body, such as ``seen = fx.value(pa.int64(), default=0)``, and is the current window's. Each
    method returns a :class:`TriggerResult`; None is to continue. Each task works on a copy of the trigger.

    Over a TIMESTAMP_LTZ in another session zone than UTC, event times without a zone are what its clocks show: the window's, the
    watermark, and those of timers. A timer may be set with a zone too.
    """

    task: TriggerTask

    def on_row(self, row: dict[str, Any], window: WindowInfo) -> TriggerResult | None:
        """Learn of a row that was put into the window."""
        raise NotImplementedError

    def on_event_time(self, time: dt.datetime, window: WindowInfo) -> TriggerResult | None:  # noqa: ARG002
        """Learn that the watermark has reached a timer of the window."""
        return None

    def on_processing_time(self, time: dt.datetime, window: WindowInfo) -> TriggerResult | None:  # noqa: ARG002
        """Learn that the clock has reached a timer of the window."""
        return None

    def clear(self, window: WindowInfo) -> None:
        """Learn that the window is forgotten, and its state and timers with it."""

    @property
    def watermark(self) -> dt.datetime | None:
        """Return the watermark; None before there is one and after the end of the input."""
        return moment_or_none(self.task.watermark)

    @property
    def now(self) -> dt.datetime:
        """Return the time of the clock (UTC), which stands still while a batch of rows is taken."""
        return EPOCH + dt.timedelta(milliseconds=self.task.now)

    def set_timer(self, at: dt.datetime) -> None:
        """Ask for :meth:`on_event_time` when the watermark next rises to an event time (whole ms) or above."""
        self.task.set_timer(_event_time(at, self.task.zone), clock=False)

    def delete_timer(self, at: dt.datetime) -> None:
        """Take a timer of event time back; nothing happens where there is none."""
        self.task.delete_timer(_event_time(at, self.task.zone), clock=False)

    def set_clock_timer(self, at: dt.datetime) -> None:
        """Ask for :meth:`on_processing_time` when the clock reaches a time (UTC, whole ms)."""
        self.task.set_timer(_milliseconds(at), clock=True)

    def delete_clock_timer(self, at: dt.datetime) -> None:
        """Take a timer of the clock back; nothing happens where there is none."""
        self.task.delete_timer(_milliseconds(at), clock=True)


def moment_or_none(milliseconds: int) -> dt.datetime | None:
    """Return a time (ms) as Python has it, None for what lies beyond its calendar."""
    try:
        return EPOCH + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def describe_all(parts: Sequence[str | None]) -> str:
    """Return the parts that are there, each behind a comma, for EXPLAIN."""
    return "".join(f", {part}" for part in parts if part)


def _event_time(at: dt.datetime, zone: Zone | None) -> int:
    found = _milliseconds(at)
    return found if zone is None or at.tzinfo is None else int(zone.local(np.array([found], np.int64))[0])


def _milliseconds(at: dt.datetime) -> int:
    if at.tzinfo is not None:
        at = at.astimezone(dt.UTC).replace(tzinfo=None)
    return (at - EPOCH) // dt.timedelta(milliseconds=1)
