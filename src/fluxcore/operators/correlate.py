"""Repeats each row for what a call over its columns gives, as UNNEST and table functions do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Condition = Callable[[pa.RecordBatch], pa.BooleanArray]
    Compute = Callable[[pa.RecordBatch], tuple[NDArray[np.int64], list[pa.Array]]]


def correlate(
    compute: Compute, schema: pa.Schema, *, outer: bool, condition: Condition | None = None
) -> Callable[[Batch], Batch]:
    """Return the function that joins each row with the rows of a call.

    In: ``compute`` gives for each row of the call its row in the batch, not falling, and the columns; ``schema`` the output's.
    ``condition`` says of the joined rows which count. With ``outer`` a row for which there is none comes out with NULLs. Weights and watermark steps go along with their rows.
    """

    def run(batch: Batch) -> Batch:
        rows, columns = compute(batch.data)
        if condition is not None:
            rows, columns = _chosen(rows, columns, batch.data, schema, condition)
        if outer:
            rows, columns = _padded(rows, columns, batch.rows)
        kept = len(rows) == batch.rows and bool((rows == np.arange(batch.rows)).all())
        data = batch.data if kept else batch.data.take(pa.array(rows))
        result = pa.RecordBatch.from_arrays([*data.columns, *columns], schema=schema)
        if kept:
            return batch.with_data(result)
        weights = None if batch.weights is None else batch.weights[rows]
        return Batch(result, weights, batch.steps_for(rows))

    return run


def _chosen(
    rows: NDArray[np.int64], columns: list[pa.Array], data: pa.RecordBatch, schema: pa.Schema, condition: Condition
) -> tuple[NDArray[np.int64], list[pa.Array]]:
    """Return the rows of the call for which the condition holds."""
    joined = pa.RecordBatch.from_arrays([*data.take(pa.array(rows)).columns, *columns], schema=schema)
    mask = pc.fill_null(condition(joined), False)
    return rows[mask.to_numpy(zero_copy_only=False)], [each.filter(mask) for each in columns]


def _padded(rows: NDArray[np.int64], columns: list[pa.Array], count: int) -> tuple[NDArray[np.int64], list[pa.Array]]:
    """Return the rows with one of NULLs for each of ``count`` rows that has none."""
    missing = np.flatnonzero(np.bincount(rows, minlength=count) == 0)
    if not len(missing):
        return rows, columns
    both = np.concatenate((rows, missing))
    order = np.argsort(both, kind="stable")
    places = np.concatenate((np.arange(len(rows)), np.full(len(missing), -1)))[order]
    chosen = pa.array(places, mask=places < 0)
    return both[order], [each.take(chosen) for each in columns]
