"""State of the current key as plain attributes of a function: values, lists, dicts, and what is added up."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.duration import duration_ms
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.process import KeyedFunction, Task


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long (ms) a value lasts after it was last touched: by the clock, or in event time; ``by_reads`` touch it too."""

    ms: int
    event: bool = False
    by_reads: bool = False


class Kept:
    """A value that a function keeps for each key, as an attribute of its class; ``type`` is its Arrow type.

    Reading the attribute gives the current key's value, and ``fresh()`` where there is none yet or it is None. With a
    ``lifetime`` a value that was not touched for so long is gone: it is never read again.
    """

    def __init__(self, type_: pa.DataType, fresh: Callable[[], Any], lifetime: Lifetime | None = None) -> None:
        self.type = type_
        self.fresh = fresh
        self.lifetime = lifetime
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, function: KeyedFunction | None, owner: type | None = None) -> Any:
        if function is None:
            return self
        task = function.task
        values, slot = task.values[self.name], task.slot
        if self.lifetime is not None:
            self.expire(task, slot)
            if self.lifetime.by_reads or values[slot] is None:
                task.touched[self.name][slot] = self._now(task)
        found = values[slot]
        if found is None:
            found = values[slot] = self.fresh()
        return found

    def __set__(self, function: KeyedFunction, value: Any) -> None:
        task = function.task
        task.values[self.name][task.slot] = value
        if self.lifetime is not None:
            task.touched[self.name][task.slot] = self._now(task)

    def expire(self, task: Task, slot: int) -> bool:
        """Forget the value of a slot if its lifetime is over; return whether it was."""
        values, touched = task.values[self.name], task.touched[self.name]
        if self.lifetime is None or values[slot] is None:
            return False
        if touched[slot] == MIN_TIME_MS:  # touched before there was a watermark: its life begins with the first
            touched[slot] = task.first_watermark
        if self._now(task) < touched[slot] + self.lifetime.ms:
            return False
        values[slot] = None
        return True

    def _now(self, task: Task) -> int:
        return task.event_time if self.lifetime is not None and self.lifetime.event else task.now_ms()


def value(
    type: pa.DataType,
    default: Any = None,
    *,
    ttl: str | int | dt.timedelta | None = None,
    ttl_time: str = "processing",
    ttl_reads: bool = False,
) -> Any:
    """Return a state of one value for each key; ``default`` before the first is set, and where it is set to None.

    With ``ttl``, such as ``"1 day"``, a value is gone when it was not set for so long by the clock or, with
    ``ttl_time="event"``, by the watermark; with ``ttl_reads`` reading it counts too. Raises ``ScriptError`` FX-API-0003.
    """
    return Kept(type, lambda: default, _lifetime(ttl, ttl_time, by_reads=ttl_reads))


def list_state(type: pa.DataType, *, ttl: str | int | dt.timedelta | None = None, ttl_time: str = "processing") -> Any:
    """Return a state of a list for each key, empty at first; change it in place or set it.

    ``ttl`` and ``ttl_time`` as in :func:`value`, of the whole list; reading it counts, because it may be changed in place.
    """
    return Kept(pa.list_(type), list, _lifetime(ttl, ttl_time, by_reads=True))


def map_state(
    key: pa.DataType,
    type: pa.DataType,
    *,
    ttl: str | int | dt.timedelta | None = None,
    ttl_time: str = "processing",
) -> Any:
    """Return a state of a dict for each key, empty at first; change it in place or set it.

    ``ttl`` and ``ttl_time`` as in :func:`value`, of the whole dict; reading it counts, because it may be changed in place.
    """
    return Kept(pa.map_(key, type), dict, _lifetime(ttl, ttl_time, by_reads=True))


def reducing_state(
    type: pa.DataType,
    function: Callable[[Any, Any], Any],
    *,
    ttl: str | int | dt.timedelta | None = None,
    ttl_time: str = "processing",
) -> Any:
    """Return a state that reduces what each key adds to one value: ``largest = fx.reducing_state(pa.float64(), max)``.

    ``self.largest.add(value)`` puts ``function(kept, value)`` in the place of what is kept, and the first value as it is;
    ``self.largest.get()`` returns it, None before the first. ``ttl`` and ``ttl_time`` as in :func:`value`.
    """
    return Folding(type, None, function, None, _lifetime(ttl, ttl_time, by_reads=False))


def aggregating_state(
    type: pa.DataType,
    start: Callable[[], Any],
    add: Callable[[Any, Any], Any],
    result: Callable[[Any], Any] | None = None,
    *,
    ttl: str | int | dt.timedelta | None = None,
) -> Any:
    """Return a state that gathers what each key adds in an accumulator, of Arrow type ``type``.

    It begins with ``start()``; ``self.name.add(value)`` puts ``add(accumulator, value)`` in its place, and
    ``self.name.get()`` returns ``result(accumulator)``, or the accumulator. ``ttl`` as in :func:`value`.
    """
    return Folding(type, start, add, result, _lifetime(ttl, "processing", by_reads=False))


class Folding(Kept):
    """A value that is not set but added to; without ``start`` the first value that is added is the first kept."""

    def __init__(
        self,
        type_: pa.DataType,
        start: Callable[[], Any] | None,
        add: Callable[[Any, Any], Any],
        result: Callable[[Any], Any] | None,
        lifetime: Lifetime | None,
    ) -> None:
        super().__init__(type_, start or _nothing, lifetime)
        self.starts = start is not None
        self.add = add
        self.result = result

    def __get__(self, function: KeyedFunction | None, owner: type | None = None) -> Any:
        return self if function is None else Folded(self, function)

    def __set__(self, function: KeyedFunction, value: Any) -> None:
        raise TypeError(f"'{self.name}' is added to, not set: self.{self.name}.add(…)")

    def kept(self, function: KeyedFunction) -> Any:
        """Return what is kept for the current key."""
        return super().__get__(function)

    def keep(self, function: KeyedFunction, value: Any) -> None:
        """Put a value in its place."""
        super().__set__(function, value)


class Folded:
    """What a function sees of a :class:`Folding` state: the current key's."""

    __slots__ = ("_function", "_state")

    def __init__(self, state: Folding, function: KeyedFunction) -> None:
        self._state = state
        self._function = function

    def add(self, value: Any) -> None:
        """Add a value."""
        state, function = self._state, self._function
        kept = state.kept(function)
        state.keep(function, value if kept is None and not state.starts else state.add(kept, value))

    def get(self) -> Any:
        """Return the result of what was added; None where nothing was and the state has no start."""
        state = self._state
        kept = state.kept(self._function)
        return kept if state.result is None else state.result(kept)


def _nothing() -> None:
    return None


def _lifetime(ttl: str | int | dt.timedelta | None, time: str, *, by_reads: bool) -> Lifetime | None:
    if time not in ("processing", "event"):
        raise ScriptError("FX-API-0003", f"there is no ttl_time '{time}'", hint="processing or event")
    if ttl is None:
        return None
    try:
        milliseconds = duration_ms(ttl)
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error
    return Lifetime(milliseconds, time == "event", by_reads) if milliseconds else None
