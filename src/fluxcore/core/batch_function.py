"""What a keyed function over whole batches is: Arrow columns in, state as NumPy arrays with a slot for each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from fluxcore.core.arrays import whole
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.batch import Int64s

_DTYPES = {
    pa.int64(): "i8",
    pa.int32(): "i4",
    pa.float64(): "f8",
    pa.float32(): "f4",
    pa.bool_(): "?",
}

Given: TypeAlias = "pa.RecordBatch | Mapping[str, Any] | tuple[Any, NDArray[Any]] | None"
"""Rows that a function gives: a batch, or a dict of columns; with the numbers of the input rows that they came with; none."""


class BatchTask(Protocol):
    """What runs a function: its state columns, and the table of keys that they belong to."""

    columns: Mapping[str, NDArray[Any]]

    def slots(self) -> Int64s:
        """Return the slots in use."""
        ...

    def keys(self, slots: Int64s) -> list[pa.Array]:
        """Return the key columns of slots."""
        ...

    def forget(self, slots: Int64s) -> None:
        """Forget the keys at slots."""
        ...


class StateColumn:
    """A value for each key, as a NumPy array by slot: read and written in place, never replaced."""

    def __init__(self, type_: pa.DataType, default: float) -> None:
        if type_ not in _DTYPES:
            message = f"a state column can't be {type_}"
            raise ScriptError("FX-API-0022", message, hint=", ".join(map(str, _DTYPES)))
        self.dtype = _DTYPES[type_]
        self.default = default
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, function: BatchFunction | None, owner: type | None = None) -> Any:
        return self if function is None else function.task.columns[self.name]

    def __set__(self, function: BatchFunction, value: Any) -> None:
        raise TypeError(f"'{self.name}' has a value for each key: set some of them, self.{self.name}[slots] = …")


def column(type: pa.DataType, default: float = 0) -> Any:
    """Return a state column of a :class:`BatchFunction`: int64, int32, float64, float32 or bool; ``default`` for a new key."""
    return StateColumn(type, default)


class BatchFunction:
    """The base of keyed functions over whole batches: override :meth:`process`.

    State is declared in the class body, such as ``seen = fx.column(pa.int64())``, and is a NumPy array with a place, the slot,
    for each key: ``self.seen[slots]`` are the values of the rows' keys. Each task works on a copy of the function. How rows are
    cut into batches is not fixed: a function should give the same rows however they are.
    """

    task: BatchTask

    def open(self) -> None:
        """Take resources; called once in each task."""

    def process(self, batch: pa.RecordBatch, slots: Int64s) -> Given:
        """Take rows in the order of arrival, with the slot (int64) of each row's key.

        Return the rows that come out: a record batch, a dict of columns by name (NumPy or Arrow), or None. As many as came in
        are one for each; otherwise return a pair with the numbers (int64, not falling) of the input rows that they came with
        where the event time of what comes out matters.
        """
        raise NotImplementedError

    def finish(self) -> pa.RecordBatch | Mapping[str, Any] | None:
        """Return the last rows, at the end of the input."""
        return None

    def close(self) -> None:
        """Give resources back."""

    @property
    def slots(self) -> Int64s:
        """Return the slots of all keys."""
        return self.task.slots()

    def keys(self, slots: Int64s) -> list[pa.Array]:
        """Return the key columns, as Arrow arrays, of slots."""
        return self.task.keys(slots)

    def forget(self, slots: Int64s) -> None:
        """Forget the keys at some slots, once the current call is done."""
        self.task.forget(slots)

    @staticmethod
    def rounds(slots: Int64s) -> Iterator[Int64s]:
        """Yield positions of rows so that no key comes twice in one: the first row of each key, then the second, ….

        For updates in which a row depends on its key's row before it. Cost: a pass for as many rows as the most frequent key has.
        """
        order = np.argsort(slots, kind="stable")
        ordered = slots[order]
        firsts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(slots) else np.zeros(0, np.int64)
        sizes = np.diff(np.r_[firsts, len(slots)])
        places = np.empty(len(slots), np.int64)
        places[order] = np.arange(len(slots)) - np.repeat(firsts, sizes)
        by_place = np.argsort(places, kind="stable")
        yield from np.split(by_place, np.cumsum(np.bincount(places))[:-1]) if len(slots) else ()


def state_columns_of(function: BatchFunction) -> dict[str, StateColumn]:
    """Return the state columns that a function's class and its bases declare, by name."""
    found: dict[str, StateColumn] = {}
    for owner in reversed(type(function).__mro__):
        found |= {name: each for name, each in vars(owner).items() if isinstance(each, StateColumn)}
    return found


def arrays_of(given: pa.RecordBatch | Mapping[str, Any], schema: pa.Schema) -> list[pa.Array]:
    """Return the columns of a schema out of what a function gave. Raises ``ValueError`` for columns that don't fit."""
    names: Sequence[str] = given.schema.names if isinstance(given, pa.RecordBatch) else list(given)
    missing, strange = set(schema.names) - set(names), set(names) - set(schema.names)
    if missing or strange:
        what = f"column '{min(missing)}' is missing" if missing else f"there is no column '{min(strange)}'"
        raise ValueError(what)
    arrays = []
    for field in schema:
        values = given[field.name]
        if isinstance(values, pa.ChunkedArray):
            values = whole(values)
        array = values if isinstance(values, pa.Array) else pa.array(values)
        arrays.append(array if array.type == field.type else array.cast(field.type))
    if len({len(array) for array in arrays}) > 1:
        raise ValueError("the columns differ in length")
    return arrays
