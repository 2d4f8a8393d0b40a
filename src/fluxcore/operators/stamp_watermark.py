"""Gives each row the watermark that stands before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.operators.rows import watermark_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch

_US_PER_MS = 1000


class StampWatermarkOperator(Operator):
    """Appends the watermark before each row as the last column of ``output``, NULL before the first one."""

    def __init__(self, output: pa.Schema) -> None:
        self._output = output
        self._watermark = MIN_TIME_MS

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Return the rows with the column."""
        if batch.steps is None:
            before = np.full(batch.rows, self._watermark, np.int64)
        else:
            before = np.maximum(batch.steps.before_each(batch.rows, self._watermark), self._watermark)
        none = before == MIN_TIME_MS
        stamps = pa.array(np.where(none, 0, before) * _US_PER_MS, pa.int64(), mask=none)
        column = stamps.cast(self._output.types[-1])
        return (batch.with_data(pa.RecordBatch.from_arrays([*batch.data.columns, column], schema=self._output)),)

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Remember the watermark."""
        self._watermark = max(self._watermark, watermark)
        return ()

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the watermark."""
        return {"watermark": watermark_state(self._watermark)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._watermark = frozen["watermark"].column(0)[0].as_py()
