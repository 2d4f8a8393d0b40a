"""Turns changes into rows that tell of them, and such rows into changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch
from fluxcore.errors import DataError
from fluxcore.operators.change_kinds import operations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHORT = {"+I": "INSERT", "-U": "UPDATE_BEFORE", "+U": "UPDATE_AFTER", "-D": "DELETE"}


def to_changelog(
    codes: Sequence[tuple[str, str]], key: Sequence[int] | None, schema: pa.Schema
) -> Callable[[Batch], Batch]:
    """Return the function that gives changes as rows, the last column their code; those without a code are left out.

    In: ``key`` columns by which rows differ, where they are known: a retraction before an insertion of one key is an update.
    """
    known = dict(codes)
    kinds = pa.array(list(SHORT))
    texts = pa.array([known.get(kind) for kind in SHORT.values()], pa.string())

    def run(batch: Batch) -> Batch:
        found = texts.take(pc.index_in(operations(batch, key), kinds))
        data = pa.RecordBatch.from_arrays([*batch.data.columns, found], schema=schema)
        rows = Batch(data, None, batch.steps)
        return rows if not found.null_count else rows.filter(np.asarray(found.is_valid()))

    return run


def from_changelog(codes: Sequence[tuple[str, str]], op: int) -> Callable[[Batch], Batch]:
    """Return the function that gives rows the weights that their column ``op`` says.

    Raises, when it runs: ``DataError`` FX-RUN-0107 for a code that is not known, and for NULL.
    """
    known = pa.array([code for _, code in codes])
    weights = np.array([-1 if kind in ("UPDATE_BEFORE", "DELETE") else 1 for kind, _ in codes], np.int8)

    def run(batch: Batch) -> Batch:
        column = batch.column(op)
        places = pc.index_in(column, known)
        if places.null_count:
            wrong = column.filter(places.is_null())[0].as_py()
            message = "a row has no operation: its code is NULL" if wrong is None else f"'{wrong}' is no operation"
            raise DataError("FX-RUN-0107", message, hint=f"known are {', '.join(code for _, code in codes)}")
        return Batch(batch.data, weights[np.asarray(places)], batch.steps)

    return run
