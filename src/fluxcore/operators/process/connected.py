"""Runs a keyed function over two connected streams: both by key, or one of them broadcast to all tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.frozen import shared
from fluxcore.core.process import BroadcastFunction, TwoInputFunction, spread_states_of
from fluxcore.operators.process.given import told
from fluxcore.operators.process.keyed import KeyedOperator, as_arrow, as_python
from fluxcore.operators.rows import watermarks_before

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.core.types import DataType

_NO_KEY = -1


@dataclass(frozen=True)
class ConnectedOptions:
    """The function, the types of the keys, their positions in the left and the right input, and the schema of what comes out."""

    function: TwoInputFunction | BroadcastFunction
    key_types: tuple[DataType, ...]
    keys: tuple[tuple[int, ...], tuple[int, ...]]
    output: pa.Schema


class TwoInputOperator(KeyedOperator):
    """Hands rows of two inputs to a :class:`TwoInputFunction`, in the order in which they come."""

    _function: TwoInputFunction

    def __init__(self, options: ConnectedOptions) -> None:
        super().__init__(options.function, options.key_types, options.output)
        self._positions = options.keys

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Hand the rows to the function, one by one."""
        method = self._function.process_right if port else self._function.process_left
        return self._hand_over(method, batch, self._positions[port])


class BroadcastOperator(KeyedOperator):
    """Hands rows of the left input to a :class:`BroadcastFunction` by key; those of the right one come to all tasks."""

    _function: BroadcastFunction

    def __init__(self, options: ConnectedOptions) -> None:
        super().__init__(options.function, options.key_types, options.output)
        self._positions = options.keys[0]
        self._spread_types = {name: each.type for name, each in spread_states_of(options.function).items()}
        self.spread = {name: {} for name in self._spread_types}

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:
        """Hand the rows to the function, one by one."""
        if port == 0:
            return self._hand_over(self._function.process, batch, self._positions)
        before = watermarks_before(batch, self.watermark).tolist()
        for number, row in enumerate(batch.data.to_pylist()):
            self._source = number - 1
            self._fire(before[number])
            self._spread_row(row)
        return self._results(batch)

    def _spread_row(self, row: dict[str, Any]) -> None:
        values, self.values = self.values, _NoKey()
        self.slot, self.spreading = _NO_KEY, True
        try:
            found = self._call(self._function.process_broadcast, row)
        finally:
            self.values, self.spreading = values, False
        if found is not None:
            name = self._name_of(self._function.process_broadcast)
            raise told(TypeError("process_broadcast gives no rows"), name, repr(row))

    def key(self) -> tuple[Any, ...]:
        """Return the current key."""
        self._need_key()
        return super().key()

    def set_timer(self, time: int, *, clock: bool = False) -> None:
        """Ask for a call for the current key."""
        self._need_key()
        super().set_timer(time, clock=clock)

    def give(self, output: str, row: dict[str, Any]) -> None:
        """Give a row to a side output."""
        self._need_key()
        super().give(output, row)

    def clear(self) -> None:
        """Forget what is kept for the current key."""
        self._need_key()
        super().clear()

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the state of the keys, and the broadcast state, which all tasks have alike."""
        found = super().freeze()
        for name, kept in self.spread.items():
            array = as_arrow([kept], self._spread_types[name])
            found[f"broadcast.{name}"] = shared(pa.RecordBatch.from_arrays([array], ["state"]), "same")
        return found

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        super().restore(frozen)
        for name in self.spread:
            self.spread[name] = as_python(frozen[f"broadcast.{name}"].column(0))[0]

    def _need_key(self) -> None:
        if self.spreading:
            raise _no_key()


class _NoKey(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        raise _no_key()


def _no_key() -> TypeError:
    return TypeError("process_broadcast has no key: only broadcast states can be used in it")
