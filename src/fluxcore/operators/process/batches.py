"""Runs a keyed function over whole batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.batch_function import state_columns_of
from fluxcore.core.frozen import keyed
from fluxcore.core.ports import Operator
from fluxcore.core.types import BIGINT
from fluxcore.errors import FluxError
from fluxcore.operators.process.given import batch_of, copied, told, unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.batch import Int64s
    from fluxcore.core.batch_function import BatchFunction
    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType


@dataclass(frozen=True)
class BatchOptions:
    """``types`` of the input's columns, the positions of the keys, and the schema of the rows that the function gives."""

    function: BatchFunction
    types: tuple[DataType, ...]
    keys: tuple[int, ...]
    output: pa.Schema


class BatchOperator(Operator):
    """Hands append-only batches to a :class:`BatchFunction`, whose task it is.

    Cost: what finding the keys' slots costs, and what the function does.
    """

    def __init__(self, options: BatchOptions) -> None:
        self._options = options
        self._function = copied(options.function)
        self._function.task = self
        self._states = state_columns_of(self._function)
        self.columns: Mapping[str, NDArray[Any]] = {}
        self._gone: list[Int64s] = []

    def open(self, context: OperatorContext) -> None:
        """Make the table of keys and its state columns, and open the function."""
        super().open(context)
        keys = [self._options.types[index] for index in self._options.keys] or [BIGINT.with_nullable(False)]
        dtypes = {name: each.dtype for name, each in self._states.items()}
        self._table = context.state.table("keys", keys, dtypes or {"seen": "u1"})
        self.columns = self._table.columns
        self._call(self._function.open, "nothing")

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Hand the rows to the function."""
        assert batch.weights is None, "a function over batches takes rows that are never updated"
        if not batch.rows:
            return ()
        keys = [batch.column(index) for index in self._options.keys]
        slots, fresh = self._table.upsert_new(keys or [np.zeros(batch.rows, np.int64)])
        for name, each in self._states.items():
            if each.default and len(fresh):
                self.columns[name][slots[fresh]] = each.default
        found = self._call(
            self._function.process, f"{batch.rows} rows, of {batch.data.schema.names}", batch.data, slots
        )
        rows, sources = found if isinstance(found, tuple) else (found, None)
        given = self._rows(rows, "process")
        if given is None:
            return ()
        if sources is None:  # rows that came with no row in particular are as early as the first, so never too late
            sources = np.arange(batch.rows) if given.num_rows == batch.rows else np.zeros(given.num_rows, np.int64)
        elif len(sources) != given.num_rows:
            what = f"{given.num_rows} rows with {len(sources)} numbers of input rows"
            raise unfit(f"{type(self._function).__name__}.process", what, self._options.output)
        return [Batch(given, None, batch.steps_for(np.asarray(sources, np.int64)))]

    def finish(self) -> Sequence[Batch]:
        """Return the function's last rows."""
        given = self._rows(self._call(self._function.finish, "nothing"), "finish")
        return () if given is None else [Batch(given)]

    def close(self) -> None:
        """Close the function."""
        self._function.close()

    def slots(self) -> Int64s:
        """Return the slots in use."""
        found: Int64s = self._table.live_slots()
        return found

    def keys(self, slots: Int64s) -> list[pa.Array]:
        """Return the key columns of slots."""
        return self._table.key_columns(np.asarray(slots, np.int64)) if self._options.keys else []

    def forget(self, slots: Int64s) -> None:
        """Forget the keys at slots when the current call is done."""
        self._gone.append(np.asarray(slots, np.int64))

    @property
    def state_rows(self) -> int:
        """Return the number of keys."""
        return self._table.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the keys and their columns."""
        return self._table.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the keys with their columns."""
        return {"keys": keyed(self._table.freeze(), range(len(self._options.keys)))}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._table.restore(frozen["keys"])

    def _call(self, method: Callable[..., Any], given: str, *arguments: Any) -> Any:
        """Call the user's method; what it raises names its line. Forget the keys that it asked to."""
        try:
            found = method(*arguments)
        except FluxError:
            raise
        except Exception as error:
            raise told(error, f"{type(self._function).__name__}.{method.__name__}", given) from error
        if self._gone:
            self._table.delete(np.unique(np.concatenate(self._gone)))
            self._gone = []
        return found

    def _rows(self, given: Any, method: str) -> pa.RecordBatch | None:
        if given is None:
            return None
        batch = batch_of(given, self._options.output, f"{type(self._function).__name__}.{method}")
        return batch if batch.num_rows else None
