"""Rows that were aggregated before they are sent to the operator that keeps the state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fluxcore.core.batch import Batch, data_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from fluxcore.core.batch import Int64s, Steps


@dataclass(frozen=True)
class Partial:
    """A batch, and its rows aggregated by window slice and key.

    ``states`` one row per slice and key: slice, keys, accumulator columns. ``apart`` (rising) the rows of ``whole`` that are
    not in them, since they may be late. The operator takes ``states`` and the rows apart, or, where the states come too
    late, the rows themselves: which is the same but for speed.
    """

    whole: Batch
    states: pa.RecordBatch
    apart: Int64s
    share: Share | None = None

    @property
    def rows(self) -> int:
        """Return how many rows there are to send."""
        return self.states.num_rows + len(self.apart)

    @cached_property
    def nbytes(self) -> int:
        """Return the bytes that are kept alive, a task's part of them."""
        return data_bytes(self.states) + self.whole.nbytes // (self.share.tasks.count if self.share else 1)

    @property
    def steps(self) -> Steps | None:
        """Return the watermark steps among the rows."""
        return self.whole.steps

    def with_steps(self, steps: Steps | None) -> Partial:
        """Return the same rows with other watermark steps."""
        return replace(self, whole=self.whole.with_steps(steps))

    def rows_apart(self) -> Batch:
        """Return the rows that are not in the states."""
        if not len(self.apart):
            return self.whole.slice(0, 0)
        own = self.apart if self.share is None else self.apart[self.share.mask()[self.apart]]
        return self.whole.take(own)

    def all_rows(self) -> Batch:
        """Return all rows."""
        return self.whole if self.share is None else self.whole.filter(self.share.mask())


class Tasks:
    """The task of each row of a batch, found out when it is asked for."""

    def __init__(self, batch: Batch, route: Callable[[Batch], NDArray[np.int64]], count: int) -> None:
        self.count = count
        self._batch = batch
        self._route = route

    @cached_property
    def of_rows(self) -> NDArray[np.int64]:
        """Return the task of each row."""
        return self._route(self._batch)


@dataclass(frozen=True)
class Share:
    """Which rows of a batch belong to one task."""

    tasks: Tasks
    number: int

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask of the task's rows."""
        return np.asarray(self.tasks.of_rows == self.number)
