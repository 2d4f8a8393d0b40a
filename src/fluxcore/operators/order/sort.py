"""Orders bounded input at its end, and keeps a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.materialize import Multiset, sliced
from fluxcore.operators.rows import RowBuffer
from fluxcore.operators.sort_words import OrderKey, order_words, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch, Int64s


@dataclass(frozen=True, slots=True)
class SortOptions:
    """The order (none: as rows arrive), how many rows to skip and to keep (None: all), and whether input is updated."""

    schema: pa.Schema
    keys: tuple[OrderKey, ...]
    limit: int | None = None
    offset: int = 0
    updating: bool = False


class SortOperator(Operator):
    """Collects rows, and at the end of the input gives them in order: append-only, equal rows in order of arrival.

    With a limit, rows that can't be part of the result are given up from time to time. ``updating`` input is a changelog,
    of which the final table is ordered.
    """

    def __init__(self, options: SortOptions) -> None:
        self._options = options
        self._rows = RowBuffer(options.schema)
        self._table = Multiset(options.schema)
        self._prune_at = 2 * BATCH_ROWS

    @property
    def satisfied(self) -> bool:
        """Return whether all rows of the result are there."""
        limit = self._options.limit
        if limit is None:
            return False
        if self._options.updating or self._options.keys:
            return limit == 0
        return self._rows.rows >= limit + self._options.offset

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep the rows; nothing comes out before the end."""
        if self.satisfied:
            return ()
        if self._options.updating:
            self._table.add(batch)
            return ()
        assert batch.weights is None or bool((batch.weights > 0).all()), "the plan says that rows are never updated"
        self._rows.append(batch.data, np.zeros(batch.rows, np.int64))
        if self._options.limit is not None and self._options.keys and self._rows.rows > self._prune_at:
            self._prune(self._options.limit + self._options.offset)
        return ()

    def output_watermark(self, watermark: int) -> int:  # noqa: ARG002
        """Return none: all rows are still to come, so that none of them is late for who goes by their times."""
        return MIN_TIME_MS

    def finish(self) -> Sequence[Batch]:
        """Return the rows in order, in batches of bounded size."""
        options = self._options
        data = self._table.take() if options.updating else self._rows.take_all()[0]
        end = data.num_rows if options.limit is None else min(options.offset + options.limit, data.num_rows)
        if options.keys:
            data = data.take(pa.array(self._order(data)[options.offset : end]))
        else:
            data = data.slice(options.offset, max(end - options.offset, 0))
        return sliced(data)

    @property
    def state_rows(self) -> int:
        return self._rows.rows + self._table.rows

    @property
    def state_bytes(self) -> int:
        return self._rows.nbytes + self._table.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows collected so far."""
        return {"rows": self._table.freeze() if self._options.updating else self._rows.freeze()}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        (self._table if self._options.updating else self._rows).restore(frozen["rows"])

    def _order(self, data: pa.RecordBatch) -> Int64s:
        words = [word for key in self._options.keys for word in order_words(data.column(key.column), key)]
        return stable_order(words, data.num_rows)

    def _prune(self, wanted: int) -> None:
        data, tags = self._rows.take_all()
        # In arrival order again, so that later ties are broken as before.
        kept = np.sort(self._order(data)[:wanted])
        self._rows.append(data.take(pa.array(kept)), tags[kept])
        self._prune_at = max(2 * BATCH_ROWS, 2 * wanted)
