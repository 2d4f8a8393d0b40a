"""Gathers what windows give while rows are taken, and hands it on in the order in which it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.batch import Int64s
    from fluxcore.operators.windows.given_results import GivenResults


class Results:
    """Results with the input row that each came with; where ``given`` is kept they stand in the place of earlier ones."""

    def __init__(self, given: GivenResults | None) -> None:
        self.given = given
        self._batches: list[pa.RecordBatch] = []
        self._weights: list[Int64s] = []
        self._sources: list[Int64s] = []

    def add(self, slots: Int64s, rows: pa.RecordBatch, sources: Int64s, *, final: bool) -> None:
        """Add results of distinct windows; those that are ``final`` are no windows' last ones, and never replaced."""
        weights = np.ones(len(slots), np.int64)
        if self.given is not None and not final:
            rows, weights, places = self.given.replace(slots, rows)
            sources = sources[places]
        if rows.num_rows:
            self._batches.append(rows)
            self._weights.append(weights)
            self._sources.append(sources)

    def forget(self, slots: Int64s) -> None:
        """Let what these windows gave stand for good."""
        if self.given is not None:
            self.given.forget(slots)

    def join(self, into: Int64s, gone: Int64s) -> None:
        """Let windows that have become others be replaced with them."""
        if self.given is not None:
            self.given.join(into, gone)

    def give(self, batch: Batch | None) -> Sequence[Batch]:
        """Return what was gathered, with the watermark steps of the batch that was taken meanwhile, if there was one."""
        if not self._batches:
            return ()
        rows = pa.Table.from_batches(self._batches).combine_chunks().to_batches()[0]
        weights, sources = np.concatenate(self._weights), np.concatenate(self._sources)
        self._batches, self._weights, self._sources = [], [], []
        order = np.argsort(sources, kind="stable")
        if not (order == np.arange(len(order))).all():
            rows, weights, sources = rows.take(pa.array(order)), weights[order], sources[order]
        steps = None if batch is None else batch.steps_for(sources)
        return [Batch(rows, None if self.given is None else weights.astype(np.int8), steps)]

    @property
    def count(self) -> int:
        """Return the number of results kept to be replaced."""
        return 0 if self.given is None else self.given.count

    @property
    def nbytes(self) -> int:
        """Return their bytes."""
        return 0 if self.given is None else self.given.nbytes
