"""Puts rows that never end into the order of their event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.operators.materialize import sliced
from fluxcore.operators.rows import RowBuffer, drop_late, times_ms, watermark_state
from fluxcore.operators.sort_words import order_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.operators.sort_words import OrderKey


@dataclass(frozen=True, slots=True)
class TimeSortOptions:
    """``keys`` of the order, the first of which is the event time, ascending."""

    schema: pa.Schema
    keys: tuple[OrderKey, ...]


class TimeSortOperator(Operator):
    """Keeps append-only rows until the watermark has passed them; late ones are dropped and counted."""

    def __init__(self, options: TimeSortOptions) -> None:
        self._options = options
        self._waiting = RowBuffer(options.schema)
        self._watermark = MIN_TIME_MS

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep rows."""
        assert batch.weights is None, "a sort by time takes rows that are never updated"
        time = self._options.keys[0].column
        times = times_ms(batch.column(time), self._options.schema.field(time).name)
        batch, times = drop_late(batch, times, self._watermark, self.context)
        self._waiting.append(batch.data, times)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Give the rows that the watermark has passed, in order."""
        self._watermark = max(self._watermark, watermark)
        if not self._waiting.due(self._watermark):
            return ()
        data, _ = self._waiting.take_due(self._watermark)
        words = [word for key in self._options.keys for word in order_words(data.column(key.column), key)]
        return sliced(data.take(pa.array(stable_order(words, data.num_rows))))

    @property
    def state_rows(self) -> int:
        """Return the rows that wait."""
        return self._waiting.rows

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._waiting.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows that wait, and the watermark."""
        return {"waiting": self._waiting.freeze(), "watermark": watermark_state(self._watermark)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._waiting.restore(frozen["waiting"])
        self._watermark = frozen["watermark"].column(0)[0].as_py()
