"""Says of each row of a changelog which kind of change it is, as Flink names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.operators.sort_words import equality_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.batch import Batch


def operations(batch: Batch, key: Sequence[int] | None) -> pa.Array:
    """Return +I, -U, +U or -D per row: a retraction and the insertion of the same key right behind it are an update.

    Where no key is known, any retraction and insertion that follow each other are.
    """
    if batch.weights is None:
        return pa.array(["+I"] * batch.rows)
    weights = batch.weights
    pairs = np.zeros(batch.rows, np.bool_)
    pairs[:-1] = (weights[:-1] < 0) & (weights[1:] > 0)
    for index in key or ():
        for word in equality_words(batch.column(index)):
            pairs[:-1] &= word[:-1] == word[1:]
    names = np.where(weights > 0, "+I", "-D").astype(object)
    names[pairs] = "-U"
    names[1:][pairs[:-1]] = "+U"
    return pa.array(names.tolist(), pa.string())


def with_operations(batch: Batch, key: Sequence[int] | None) -> pa.RecordBatch:
    """Return the rows with what :func:`operations` says as a first column ``op``."""
    data = batch.data
    return pa.RecordBatch.from_arrays([operations(batch, key), *data.columns], ["op", *data.schema.names])
