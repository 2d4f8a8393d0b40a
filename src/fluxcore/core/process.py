"""What a keyed function in Python is: rows of one key after the other, its state, timers, and rows of its own."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pyarrow as pa

from fluxcore.core.keyed_state import Kept
from fluxcore.core.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Rows = Iterable[dict[str, Any]] | None

_EPOCH = dt.datetime(1970, 1, 1)
_Declared = TypeVar("_Declared")


class Task(Protocol):
    """What runs a function: the values by state and key slot, the key that is current, and its timers.

    ``touched`` says of the states that have a lifetime when (ms) each value was touched last; ``event_time`` is the watermark
    before the current row, or the time of the current timer; ``first_watermark`` is the first there was. ``spread`` are the
    broadcast states by name, which may be changed while ``spreading``.
    """

    values: dict[str, list[Any]]
    touched: dict[str, list[int]]
    spread: dict[str, dict[Any, Any]]
    spreading: bool
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

    def set_timer(self, time: int, *, clock: bool = False) -> None:
        """Ask for a call at an event time, or a time of the clock (ms), for the current key."""
        ...

    def delete_timer(self, time: int, *, clock: bool = False) -> None:
        """Take that back."""
        ...

    def give(self, output: str, row: dict[str, Any]) -> None:
        """Give a row to a side output."""
        ...

    def clear(self) -> None:
        """Forget the current key."""
        ...


class Output:
    """A side output that a function declares in its class: ``self.name.give(row)``."""

    def __init__(self, schema: pa.Schema, time: str | None) -> None:
        columns = Schema.from_arrow(schema)
        self.schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in columns])
        self.time = time
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, function: KeyedFunction | None, owner: type | None = None) -> Any:
        return self if function is None else Giver(function.task, self.name)


class Giver:
    """What a function sees of one of its side outputs."""

    __slots__ = ("_name", "_task")

    def __init__(self, task: Task, name: str) -> None:
        self._task = task
        self._name = name

    def give(self, row: dict[str, Any]) -> None:
        """Give a row, a dict by column name."""
        self._task.give(self._name, row)


def output(schema: pa.Schema | Mapping[str, pa.DataType], *, time: str | None = None) -> Any:
    """Return a side output, for the body of a function's class: ``late = fx.output({"id": pa.int64()})``.

    ``self.late.give(row)`` gives it rows; ``stream.process(…).side("late")`` is the stream of them. ``time`` is the column
    that is an event time, if any: its rows must not be older than the watermark.
    """
    return Output(schema if isinstance(schema, pa.Schema) else pa.schema(list(schema.items())), time)


class Spread:
    """A dict that all tasks have alike: changed by the broadcast side's rows, only read by the other side's."""

    def __init__(self, key: pa.DataType, type_: pa.DataType) -> None:
        self.type = pa.map_(key, type_)
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, function: KeyedFunction | None, owner: type | None = None) -> Any:
        if function is None:
            return self
        found = function.task.spread[self.name]
        return found if function.task.spreading else MappingProxyType(found)


def broadcast_state(key: pa.DataType, type: pa.DataType) -> Any:
    """Return the state of a :class:`BroadcastFunction` that its broadcast side fills: a dict, the same for all keys.

    Its keys can't be None, as those of Arrow's maps.
    """
    return Spread(key, type)


class KeyedFunction:
    """What keyed functions have in common: state, timers, side outputs. Each task works on a copy of the function."""

    task: Task

    def open(self) -> None:
        """Take resources; called once in each task."""

    def on_timer(self, time: dt.datetime) -> Rows:  # noqa: ARG002
        """Learn that the watermark has reached the time of a timer that the current key set."""
        return None

    def on_processing_timer(self, time: dt.datetime) -> Rows:  # noqa: ARG002
        """Learn that the clock has reached the time of a timer that the current key set, or that the input has ended.

        At the end of the input the timers that are set are called once; those that they set then are not.
        """
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

    @property
    def processing_time(self) -> dt.datetime:
        """Return the time of the clock, in UTC; the rows of a batch have one time."""
        return moment(self.task.now_ms())

    def set_timer(self, at: dt.datetime) -> None:
        """Ask for :meth:`on_timer` with the current key when the watermark reaches an event time (whole ms).

        A key's timers of one time are one timer. One that is due already is called before the next row.
        """
        self.task.set_timer(_milliseconds(at))

    def delete_timer(self, at: dt.datetime) -> None:
        """Take a timer back; nothing happens where there is none."""
        self.task.delete_timer(_milliseconds(at))

    def set_processing_timer(self, at: dt.datetime) -> None:
        """Ask for :meth:`on_processing_timer` with the current key when the clock reaches a time (UTC, whole ms).

        It is called between two batches, also while no rows come.
        """
        self.task.set_timer(_milliseconds(at), clock=True)

    def delete_processing_timer(self, at: dt.datetime) -> None:
        """Take such a timer back; nothing happens where there is none."""
        self.task.delete_timer(_milliseconds(at), clock=True)

    def clear(self) -> None:
        """Forget all that is kept for the current key; its timers stay."""
        self.task.clear()


class ProcessFunction(KeyedFunction):
    """The base of keyed functions: override :meth:`process`, and :meth:`on_timer` where timers are set.

    State is declared in the class body, such as ``seen = fx.value(pa.int64(), default=0)``, and is the current key's:
    ``self.seen += 1``. The methods give rows as dicts by column name, with ``yield`` or in a list, or None for no rows.
    """

    def process(self, row: dict[str, Any]) -> Rows:
        """Take a row of the current key, in the order of arrival."""
        raise NotImplementedError


class TwoInputFunction(KeyedFunction):
    """The base of functions over two connected streams, whose rows of one key share its state and its timers."""

    def process_left(self, row: dict[str, Any]) -> Rows:
        """Take a row of the stream that was connected."""
        raise NotImplementedError

    def process_right(self, row: dict[str, Any]) -> Rows:
        """Take a row of the stream that it was connected with."""
        raise NotImplementedError


class BroadcastFunction(KeyedFunction):
    """The base of functions over a stream and a broadcast one, all of whose rows come to every task.

    A ``fx.broadcast_state(…)`` is the same dict for all keys: :meth:`process_broadcast` changes it, :meth:`process` reads it.
    """

    def process(self, row: dict[str, Any]) -> Rows:
        """Take a row of the current key."""
        raise NotImplementedError

    def process_broadcast(self, row: dict[str, Any]) -> None:
        """Take a row of the broadcast stream; there is no key, and no rows are given. Every task must do the same with it."""
        raise NotImplementedError


def states_of(function: KeyedFunction) -> dict[str, Kept]:
    """Return the states that a function's class and its bases declare, by name."""
    return _declared(function, Kept)


def outputs_of(function: KeyedFunction) -> dict[str, Output]:
    """Return the side outputs that a function's class and its bases declare, by name."""
    return _declared(function, Output)


def spread_states_of(function: KeyedFunction) -> dict[str, Spread]:
    """Return the broadcast states that a function's class and its bases declare, by name."""
    return _declared(function, Spread)


def _declared(function: KeyedFunction, kind: type[_Declared]) -> dict[str, _Declared]:
    found: dict[str, _Declared] = {}
    for owner in reversed(type(function).__mro__):
        found |= {name: each for name, each in vars(owner).items() if isinstance(each, kind)}
    return found


def moment(milliseconds: int) -> dt.datetime:
    """Return a time in ms as Python has it."""
    return _EPOCH + dt.timedelta(milliseconds=milliseconds)


def _milliseconds(at: dt.datetime) -> int:
    if at.tzinfo is not None:
        at = at.astimezone(dt.UTC).replace(tzinfo=None)
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)
