"""What a keyed function in Python is: state of the current key as plain attributes, rows one by one, timers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_EPOCH = dt.datetime(1970, 1, 1)


class Kept:
    """A value that a function keeps for each key, as an attribute of its class; ``type`` is its Arrow type.

    Reading the attribute gives the current key's value, and ``fresh()`` where there is none yet or it is None.
    """

    def __init__(self, type_: pa.DataType, fresh: Callable[[], Any]) -> None:
        self.type = type_
        self.fresh = fresh
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, function: ProcessFunction | None, owner: type | None = None) -> Any:
        if function is None:
            return self
        values, slot = function.task.values[self.name], function.task.slot
        found = values[slot]
        if found is None:
            found = values[slot] = self.fresh()
        return found

    def __set__(self, function: ProcessFunction, value: Any) -> None:
        function.task.values[self.name][function.task.slot] = value


def value(type: pa.DataType, default: Any = None) -> Any:
    """Return a state of one value for each key; ``default`` before the first is set, and where it is set to None."""
    return Kept(type, lambda: default)


def list_state(type: pa.DataType) -> Any:
    """Return a state of a list for each key, empty at first; change it in place or set it."""
    return Kept(pa.list_(type), list)


def map_state(key: pa.DataType, type: pa.DataType) -> Any:
    """Return a state of a dict for each key, empty at first; change it in place or set it."""
    return Kept(pa.map_(key, type), dict)


class Task(Protocol):
    """What runs a function: the values by state and key slot, the key that is current, and its timers."""

    values: dict[str, list[Any]]
    slot: int
    watermark: int

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
