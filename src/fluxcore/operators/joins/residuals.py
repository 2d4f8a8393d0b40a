"""The condition of a join that is no equality of keys, judged on candidate pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.batch import Bools


@dataclass(frozen=True, slots=True)
class Residual:
    """``predicate`` judges a batch of the columns ``columns`` of left and right together, left's first; NULL is false.

    ``width`` is the number of left columns.
    """

    predicate: Callable[[pa.RecordBatch], pa.BooleanArray]
    columns: tuple[int, ...]
    width: int

    def holds(
        self,
        left: Callable[[tuple[int, ...]], Sequence[pa.Array]],
        right: Callable[[tuple[int, ...]], Sequence[pa.Array]],
        rows: int,
    ) -> Bools:
        """Return for which of ``rows`` pairs the condition holds; ``left`` and ``right`` fetch columns of the pairs."""
        mine = tuple(index for index in self.columns if index < self.width)
        theirs = tuple(index - self.width for index in self.columns if index >= self.width)
        fetched = dict(zip(mine, left(mine), strict=True)) if mine else {}
        if theirs:
            fetched |= {index + self.width: column for index, column in zip(theirs, right(theirs), strict=True)}
        columns = [fetched[index] for index in self.columns] or [pa.nulls(rows)]
        mask = self.predicate(pa.RecordBatch.from_arrays(columns, [f"c{index}" for index in range(len(columns))]))
        kept: Bools = (mask.fill_null(False) if mask.null_count else mask).to_numpy(zero_copy_only=False)
        return kept


def padded(schema: pa.Schema, rows: int) -> list[pa.Array]:
    """Return NULLs for the columns of a side that has no row."""
    return [pa.nulls(rows, field.type) for field in schema]
