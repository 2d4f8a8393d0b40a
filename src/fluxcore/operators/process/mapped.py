"""Hands rows, or whole batches, to a function that keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.row_function import Takes
from fluxcore.core.user_values import python_values
from fluxcore.errors import DataError, FluxError
from fluxcore.operators.process.given import Given, batch_of, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.batch import Int64s
    from fluxcore.core.row_function import RowFunction


def mapped(function: RowFunction, source: pa.Schema, schema: pa.Schema) -> Callable[[Batch], Batch]:
    """Return the function of a batch that gives the rows which ``function`` makes of its rows, with columns as ``schema`` says;
    ``source`` is that of the rows that come in.

    Weights and watermark steps go along with the rows that they came with. Cost: a Python call a row, or one a batch.
    Raises, when it runs: ``DataError`` FX-RUN-0210 for what the user's code raises, FX-RUN-0211 for rows that don't fit.
    """
    by = _by_batch if function.takes is Takes.BATCH else _by_row
    return by(function, source, schema)


def _by_row(function: RowFunction, source: pa.Schema, schema: pa.Schema) -> Callable[[Batch], Batch]:
    one = function.takes is Takes.ROW

    def run(batch: Batch) -> Batch:
        given = Given(function.name, schema)
        values = zip(*(python_values(column) for column in batch.data.columns), strict=True)
        row: dict[str, Any] = {}
        try:
            for number, each in enumerate(values):
                row = dict(zip(source.names, each, strict=True))
                found = function.function(row)
                if found is None:
                    continue
                for made in (found,) if one else found:
                    given.add(made, number)
        except FluxError:
            raise
        except Exception as error:
            raise told(error, function.name, str(row)) from error
        taken = given.take()
        if taken is None:
            return _none(batch, schema)
        rows, sources = taken
        return _placed(batch, rows.data, sources)

    return run


def _by_batch(function: RowFunction, source: pa.Schema, schema: pa.Schema) -> Callable[[Batch], Batch]:
    def run(batch: Batch) -> Batch:
        if not batch.rows:
            return _none(batch, schema)
        try:
            found = function.function(pa.RecordBatch.from_arrays(batch.data.columns, schema=source))
        except FluxError:
            raise
        except Exception as error:
            raise told(error, function.name, f"{batch.rows} rows, of {source.names}") from error
        rows, sources = found if isinstance(found, tuple) else (found, None)
        if rows is None:
            return _none(batch, schema)
        data = batch_of(rows, schema, function.name)
        if sources is None and data.num_rows == batch.rows:
            return batch.with_data(data)
        if sources is None and batch.weights is not None:
            message = f"{function.name} gave {data.num_rows} rows for {batch.rows}, some of which are taken back"
            raise DataError(
                "FX-RUN-0211", message, hint="give the numbers of the rows that they came with: (rows, numbers)"
            )
        if sources is None:  # rows that came with no row in particular are as early as the first, so never too late
            sources = np.zeros(data.num_rows, np.int64)
        if len(sources) != data.num_rows:
            message = f"{function.name} gave {data.num_rows} rows with {len(sources)} numbers of input rows"
            raise DataError("FX-RUN-0211", message, hint="give a number for each row")
        return _placed(batch, data, np.asarray(sources, np.int64))

    return run


def _placed(batch: Batch, data: pa.RecordBatch, sources: Int64s) -> Batch:
    weights = None if batch.weights is None else batch.weights[sources]
    return Batch(data, weights, batch.steps_for(sources))


def _none(batch: Batch, schema: pa.Schema) -> Batch:
    """Return a batch of no rows with what the watermark is after them."""
    return _placed(batch, pa.RecordBatch.from_pylist([], schema), np.zeros(0, np.int64))
