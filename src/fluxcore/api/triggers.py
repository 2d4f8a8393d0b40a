"""Triggers and evictors in Python: ``fx.on_count(100)``, ``fx.keep_last(10)``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.core.evictors import Evictor, EvictorKind, EvictorSpec
from fluxcore.core.triggers import Trigger, TriggerKind, TriggerSpec
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    import datetime as dt

    Duration = str | int | dt.timedelta
    AnyTrigger = TriggerSpec | Trigger
    AnyEvictor = EvictorSpec | Evictor


def on_event_time(*, early: Duration | None = None, late: Duration | None = None) -> TriggerSpec:
    """Return the default trigger: a window fires when the watermark reaches its end, and again with each late row.

    ``early``: it also fires before, so long by the clock after its first row and then again and again; 0 with every row.
    ``late``: late rows wait so long by the clock for others, at most until the window is forgotten.
    """
    spans = (None if each is None else length(each, zero=True) for each in (early, late))
    return TriggerSpec(TriggerKind.EVENT_TIME, early=next(spans), late=next(spans))


def on_processing_time() -> TriggerSpec:
    """Return the trigger that fires when the clock reaches the window's end."""
    return TriggerSpec(TriggerKind.PROCESSING_TIME)


def on_count(rows: int) -> TriggerSpec:
    """Return the trigger that fires with every ``rows``-th row of a window, and never because time passes."""
    return TriggerSpec(TriggerKind.COUNT, count=_positive(rows))


def on_delta(column: str, threshold: float) -> TriggerSpec:
    """Return the trigger that fires when a column is more than ``threshold`` away from its value when it fired last.

    The first row of a window sets the value to begin with; NULLs are passed over.
    """
    return TriggerSpec(TriggerKind.DELTA, column=column, threshold=_distance(threshold))


def continuous(interval: Duration, *, time: str = "event") -> TriggerSpec:
    """Return the trigger that fires at every multiple of ``interval``: of event time, or of the clock (``processing``).

    By event time it fires at the window's end too; by the clock it does not.
    """
    kinds = {"event": TriggerKind.CONTINUOUS, "processing": TriggerKind.CONTINUOUS_CLOCK}
    if time not in kinds:
        raise ScriptError("FX-API-0003", f"there is no time '{time}'", hint="event or processing")
    return TriggerSpec(kinds[time], interval=length(interval))


def purging(trigger: AnyTrigger) -> TriggerSpec:
    """Return the trigger that forgets what a window holds whenever ``trigger`` fires: every result is a row of its own."""
    return replace(trigger_spec(trigger), purges=True)


def keep_last(rows: int, *, after: bool = False) -> EvictorSpec:
    """Return the evictor that keeps a window's last ``rows`` rows, by arrival; ``after`` the result was computed."""
    return EvictorSpec(EvictorKind.LAST, count=_positive(rows), after=after)


def keep_within(duration: Duration, *, after: bool = False) -> EvictorSpec:
    """Return the evictor that keeps rows whose event time is less than ``duration`` before the latest of the window."""
    return EvictorSpec(EvictorKind.WITHIN, interval=length(duration), after=after)


def keep_delta(column: str, threshold: float, *, after: bool = False) -> EvictorSpec:
    """Return the evictor that keeps rows whose ``column`` is less than ``threshold`` away from that of the last row."""
    apart = _distance(threshold)
    if apart == 0:
        raise ScriptError("FX-API-0003", "the distance must be more than 0")
    return EvictorSpec(EvictorKind.DELTA, column=column, threshold=apart, after=after)


def trigger_spec(trigger: AnyTrigger) -> TriggerSpec:
    """Return the trigger with its parameters. Raises ``ScriptError`` FX-API-0030 for what is none."""
    if isinstance(trigger, TriggerSpec):
        return trigger
    if not isinstance(trigger, Trigger):
        hint = "take one of fx.on_count, fx.on_event_time, …, or an instance of your subclass of fx.Trigger"
        raise ScriptError("FX-API-0030", f"{trigger!r} is no trigger", hint=hint)
    return TriggerSpec(TriggerKind.CUSTOM, custom=trigger)


def evictor_spec(evictor: AnyEvictor | None) -> EvictorSpec | None:
    """Return the evictor with its parameters. Raises ``ScriptError`` FX-API-0030 for what is none."""
    if evictor is None or isinstance(evictor, EvictorSpec):
        return evictor
    if not isinstance(evictor, Evictor):
        hint = "take fx.keep_last, fx.keep_within, fx.keep_delta, or an instance of your subclass of fx.Evictor"
        raise ScriptError("FX-API-0030", f"{evictor!r} is no evictor", hint=hint)
    return EvictorSpec(EvictorKind.CUSTOM, custom=evictor)


def length(value: Duration, *, zero: bool = False) -> int:
    """Return a duration in ms. Raises ``ScriptError`` FX-API-0003 for what is none, and for 0 unless ``zero``."""
    try:
        found = duration_ms(value)
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error
    if found == 0 and not zero:
        raise ScriptError("FX-API-0003", "the duration must be more than 0")
    return found


def _positive(rows: int) -> int:
    if rows < 1:
        raise ScriptError("FX-API-0003", "the number of rows must be at least 1")
    return rows


def _distance(threshold: float) -> float:
    if not threshold >= 0:
        raise ScriptError("FX-API-0003", "a distance can't be negative")
    return float(threshold)
