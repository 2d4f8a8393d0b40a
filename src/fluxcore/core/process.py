"""What a keyed function in Python is: state of the current key as plain attributes, rows one by one, timers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from fluxcore.core.duration import duration_ms
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_EPOCH = dt.datetime(1970, 1, 1)


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

    def __get__(self, function: ProcessFunction | None, owner: type | None = None) -> Any:
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

    def __set__(self, function: ProcessFunction, value: Any) -> None:
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


class Task(Protocol):
    """What runs a function: the values by state and key slot, the key that is current, and its timers.

    ``touched`` says of the states that have a lifetime when (ms) each value was touched last; ``event_time`` is the watermark
    before the current row, or the time of the current timer; ``first_watermark`` is the first there was.
    """

    values: dict[str, list[Any]]
    touched: dict[str, list[int]]
    slot: int
    watermark: int
    event_time: int
    first_watermark: int

    def now_ms(self) -> int:
        """Return the time of the clock (ms) at the current batch."""
        ...

    def key(self) -> tuple[Any, ...]:
        """Return the current key."""
        ...

    def set_timer(self, time: int) -> None:
        """Ask for a call at an event time (ms) for the current key."""
        ...

    def delete_timer(self, time: int) -> None:
        """Take that back."""
        ...

    def clear(self) -> None:
        """Forget the current key."""
        ...


class ProcessFunction:
    """The base of keyed functions: override :meth:`process`, and :meth:`on_timer` where timers are set.

    State is declared in the class body, such as ``seen = fx.value(pa.int64(), default=0)``, and is the current key's:
    ``self.seen += 1``. Each task works on a copy of the function. Both methods give rows as dicts by column name, with
    ``yield`` or in a list, or None for no rows.
    """

    task: Task

    def open(self) -> None:
        """Take resources; called once in each task."""

    def process(self, row: dict[str, Any]) -> Iterable[dict[str, Any]] | None:
        """Take a row of the current key, in the order of arrival."""
        raise NotImplementedError

    def on_timer(self, time: dt.datetime) -> Iterable[dict[str, Any]] | None:  # noqa: ARG002
        """Learn that the watermark has reached the time of a timer that the current key set."""
        return None

    def close(self) -> None:
        """Give resources back."""

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the current key, a tuple."""
        return self.task.key()

    @property
    def watermark(self) -> dt.datetime | None:
        """Return the watermark before the current row; None before there is one and after the end of the input."""
        try:
            return _EPOCH + dt.timedelta(milliseconds=self.task.watermark)
        except OverflowError:
            return None

    def set_timer(self, at: dt.datetime) -> None:
        """Ask for :meth:`on_timer` with the current key when the watermark reaches an event time (whole ms).

        A key's timers of one time are one timer. One that is due already is called before the next row.
        """
        self.task.set_timer(_milliseconds(at))

    def delete_timer(self, at: dt.datetime) -> None:
        """Take a timer back; nothing happens where there is none."""
        self.task.delete_timer(_milliseconds(at))

    def clear(self) -> None:
        """Forget all that is kept for the current key; its timers stay."""
        self.task.clear()


def states_of(function: ProcessFunction) -> dict[str, Kept]:
    """Return the states that a function's class and its bases declare, by name."""
    found: dict[str, Kept] = {}
    for owner in reversed(type(function).__mro__):
        found |= {name: each for name, each in vars(owner).items() if isinstance(each, Kept)}
    return found


def moment(milliseconds: int) -> dt.datetime:
    """Return an event time as Python has it."""
    return _EPOCH + dt.timedelta(milliseconds=milliseconds)


def _milliseconds(at: dt.datetime) -> int:
    if at.tzinfo is not None:
        at = at.astimezone(dt.UTC).replace(tzinfo=None)
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)
