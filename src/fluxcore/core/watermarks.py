"""Watermark generators of a user's own: what each row says about how far event time has come."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.core.process import moment
from fluxcore.core.time import MIN_TIME_MS

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_EPOCH = dt.datetime(1970, 1, 1)
NO_WATERMARK = MIN_TIME_MS
"""The candidate (ms) of a row that says nothing."""


class WatermarkGenerator:
    """The base of generators: override :meth:`on_event`, or :meth:`on_batch` for whole batches at once.

    Each split of a source (a file, a partition) has a copy of its own, which gets the split's rows in order and may keep what
    it learnt in its attributes. The watermark is the largest candidate so far: it never falls, and holds from the row behind
    the one that gave it.
    """

    def on_event(self, time: dt.datetime, row: dict[str, Any]) -> dt.datetime | None:
        """Return the watermark candidate of a row with this event time, or None for none."""
        raise NotImplementedError

    def on_batch(self, times: NDArray[np.int64], batch: pa.RecordBatch) -> NDArray[np.int64] | pa.Array:
        """Return the watermark candidate of each row.

        In: ``times`` the rows' event times (ms), ``batch`` all of their columns. Out: int64 milliseconds, or an Arrow array
        of timestamps or such integers, NULL for none. How rows are cut into batches is not known: go by the rows alone.
        """
        rows = zip(times.tolist(), batch.to_pylist(), strict=True)
        given = (self.on_event(moment(time), row) for time, row in rows)
        return np.array([NO_WATERMARK if each is None else _milliseconds(each) for each in given], np.int64)


def _milliseconds(at: dt.datetime) -> int:
    if at.tzinfo is not None:
        at = at.astimezone(dt.UTC).replace(tzinfo=None)
    return (at - _EPOCH) // dt.timedelta(milliseconds=1)
