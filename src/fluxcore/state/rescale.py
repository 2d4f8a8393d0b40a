"""Divides the frozen state of an operator's tasks anew, among another number of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.frozen import division_of
from fluxcore.state.keygroups import tasks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.frozen import Division

    Int64s = NDArray[np.int64]
    Frozen = Mapping[str, pa.RecordBatch]


def split(states: Sequence[Frozen], parallelism: int) -> list[dict[str, pa.RecordBatch]]:
    """Return what each of ``parallelism`` tasks restores, from what each former task froze at the same point.

    In: ``states`` one or more, all of one operator, each batch marked (see ``fluxcore.core.frozen``).
    Rows of a key keep their order; rows of former tasks stand behind each other.

    1. The batches of one name are put behind each other; row numbers in them move along.
    2. Each row's task is found: by its key, or where the row is that it belongs to.
    3. Each task takes its rows; row numbers are those among the rows taken.

    Raises: ``ValueError`` when a batch does not say how it is divided.
    """
    divisions = {name: _division(name, batch) for name, batch in states[0].items()}
    whole = {name: _joined(name, division, states) for name, division in divisions.items()}
    owners = _Owners(divisions, whole, parallelism)
    result: list[dict[str, pa.RecordBatch]] = []
    for task in range(parallelism):
        part: dict[str, pa.RecordBatch] = {}
        for name, division in divisions.items():
            batch = whole[name]
            if not division.combine:
                batch = batch.take(pa.array(owners.rows(name, task)))
            if division.owner is not None:
                numbers = np.searchsorted(owners.rows(division.owner, task), _numbers(batch, division))
                batch = _with_numbers(batch, division, numbers)
            part[name] = batch
        result.append(part)
    return result


class _Owners:
    """Which task each row of each batch belongs to."""

    def __init__(self, divisions: Mapping[str, Division], whole: Frozen, parallelism: int) -> None:
        self._divisions = divisions
        self._whole = whole
        self._parallelism = parallelism
        self._tasks: dict[str, Int64s] = {}

    def rows(self, name: str, task: int) -> Int64s:
        """Return the rows (rising) of a batch that belong to a task."""
        return np.flatnonzero(self._of(name) == task)

    def _of(self, name: str) -> Int64s:
        if name not in self._tasks:
            batch, division = self._whole[name], self._divisions[name]
            if division.owner is not None:
                self._tasks[name] = self._of(division.owner)[_numbers(batch, division)]
            else:
                keys = [batch.column(index) for index in division.keys or ()]
                self._tasks[name] = tasks_of(keys, batch.num_rows, self._parallelism)
        return self._tasks[name]


def _division(name: str, batch: pa.RecordBatch) -> Division:
    found = division_of(batch)
    if found is None:
        raise ValueError(f"the frozen batch '{name}' does not say how it is divided")
    return found


def _joined(name: str, division: Division, states: Sequence[Frozen]) -> pa.RecordBatch:
    batches = [state[name] for state in states]
    if division.combine == "same":
        return batches[0]
    if division.owner is not None:
        before = np.cumsum([0, *(state[division.owner].num_rows for state in states[:-1])])
        batches = [
            _with_numbers(batch, division, _numbers(batch, division) + first)
            for batch, first in zip(batches, before.tolist(), strict=True)
        ]
    joined = pa.concat_batches(batches)
    if division.combine is None:
        return joined
    of = pc.min if division.combine == "min" else pc.max
    arrays = [pa.array([of(column).as_py()], column.type) for column in joined.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=joined.schema)


def _numbers(batch: pa.RecordBatch, division: Division) -> Int64s:
    return np.asarray(batch.column(division.place)).astype(np.int64, copy=False)


def _with_numbers(batch: pa.RecordBatch, division: Division, numbers: Int64s) -> pa.RecordBatch:
    columns = list(batch.columns)
    columns[division.place] = pa.array(numbers, pa.int64())
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
