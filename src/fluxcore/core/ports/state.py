"""The tables in which operators keep their state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from fluxcore.core.types import DataType


class KeyedTable(Protocol):
    """A columnar table with one slot per key (see ``fluxcore.state``).

    Keys are given as columns: Arrow arrays of the declared key types, or int64 NumPy arrays for BIGINT NOT NULL keys. NULL
    equals NULL, NaN equals NaN and -0.0 equals 0.0. ``columns`` are NumPy views by slot over reserved memory: they stay
    valid when the table grows, and a new slot holds zeros.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by name."""
        ...

    def upsert(self, keys: Sequence[pa.Array | NDArray[Any]]) -> NDArray[Any]:
        """Return the slot (int64) of each key row, making slots for new keys."""
        ...

    def upsert_new(self, keys: Sequence[pa.Array | NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the slots, and the rows (rising) whose keys are new: the first row of each."""
        ...

    def lookup(self, keys: Sequence[pa.Array | NDArray[Any]]) -> NDArray[Any]:
        """Return the slot of each key row, -1 where there is none."""
        ...

    def delete(self, slots: NDArray[Any]) -> None:
        """Remove the keys at these distinct slots and give the slots back."""
        ...

    def key_columns(self, slots: NDArray[Any], columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the keys at these slots as Arrow columns: all of them, or those at some positions."""
        ...

    def live_slots(self) -> NDArray[Any]:
        """Return the slots in use, in the order of the slots."""
        ...

    def clear(self) -> None:
        """Remove all keys, keeping the memory."""
        ...

    def freeze(self) -> pa.RecordBatch:
        """Return all keys and values, a column each: keys first, named ``key0``…, then the value columns."""
        ...

    def restore(self, frozen: pa.RecordBatch) -> NDArray[Any]:
        """Add what :meth:`freeze` gave; return the slots (int64) of its rows, which are others than before."""
        ...

    @property
    def count(self) -> int:
        """Return the number of live keys."""
        ...

    @property
    def high(self) -> int:
        """Return how many slots, from 0 on, hold all live ones."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...


class RowTable(Protocol):
    """A columnar table of whole rows (see ``fluxcore.state``); a row is known by its slot, and equal rows may repeat.

    ``columns`` are NumPy views by slot as in :class:`KeyedTable`.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by name."""
        ...

    def add(self, data: pa.RecordBatch) -> NDArray[Any]:
        """Add rows; return their slots (int64)."""
        ...

    def take(self, slots: NDArray[Any], columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        ...

    def remove(self, slots: NDArray[Any]) -> None:
        """Remove the rows at these distinct slots."""
        ...

    def live_slots(self) -> NDArray[Any]:
        """Return the slots in use, in the order of the slots."""
        ...

    def freeze(self) -> pa.RecordBatch:
        """Return all rows, with the value columns behind them."""
        ...

    def restore(self, frozen: pa.RecordBatch) -> NDArray[Any]:
        """Add what :meth:`freeze` gave; return the slots of its rows."""
        ...

    @property
    def count(self) -> int:
        """Return the number of rows."""
        ...

    @property
    def high(self) -> int:
        """Return how many slots, from 0 on, hold all live ones."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...


class RowLog(Protocol):
    """Rows that only ever come, each with a 64-bit key by which it is found (see ``fluxcore.state``).

    Slots count from 0 in the order of arrival. ``columns`` are NumPy views by slot as in :class:`KeyedTable`.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by name."""
        ...

    def add(self, data: pa.RecordBatch, keys: NDArray[Any], rows: NDArray[Any] | None = None) -> NDArray[Any]:
        """Keep the rows of a batch, or those at ``rows`` (rising), with their keys (int64); return their slots (int64)."""
        ...

    def take(self, slots: NDArray[Any], columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        ...

    def pairs(self, keys: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield (places within ``keys``, slots) of all pairs of an asked key and a row that has it, in portions."""
        ...

    def clear(self) -> None:
        """Forget all rows and give their memory back."""
        ...

    def freeze(self) -> pa.RecordBatch:
        """Return all rows, with the value columns behind them."""
        ...

    @property
    def count(self) -> int:
        """Return the number of rows."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...


class StateBackend(Protocol):
    """Makes the tables in which operators keep all of their keyed state."""

    def table(self, name: str, keys: Sequence[DataType], columns: Mapping[str, str]) -> KeyedTable:
        """Return the keyed table ``name`` with these key types and value columns (name -> NumPy dtype)."""
        ...

    def rows(self, name: str, schema: pa.Schema, columns: Mapping[str, str]) -> RowTable:
        """Return the table ``name`` of whole rows, with value columns (name -> NumPy dtype)."""
        ...

    def log(self, name: str, schema: pa.Schema, columns: Mapping[str, str]) -> RowLog:
        """Return the log ``name`` of rows that only ever come, with value columns (name -> NumPy dtype)."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use of all tables."""
        ...

    def close(self) -> None:
        """Give the memory of all tables back."""
        ...
