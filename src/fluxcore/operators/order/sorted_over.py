"""Functions over each partition in any order, at the end of bounded input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.operators.materialize import Multiset, sliced
from fluxcore.operators.order.over import OverOperator
from fluxcore.operators.sort_words import dense_codes, order_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from fluxcore.core.batch import Batch
    from fluxcore.operators.order.over import OverOptions
    from fluxcore.operators.sort_words import OrderKey


class SortedOverOperator(OverOperator):
    """Collects the rows of a changelog, and gives those that remain with the functions' results, in ``order``."""

    def __init__(self, options: OverOptions, order: Sequence[OrderKey]) -> None:
        super().__init__(options)
        self._order = order
        self._table = Multiset(options.schema)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep rows; nothing comes out before the end."""
        self._table.add(batch)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:  # noqa: ARG002
        """Do nothing: time means nothing to this order."""
        return ()

    def finish(self) -> Sequence[Batch]:
        """Return all rows."""
        rows = self._table.take()
        words = [word for key in self._order for word in order_words(rows.column(key.column), key)]
        return sliced(self._compute(rows, dense_codes(words, rows.num_rows)[0]))

    @property
    def state_rows(self) -> int:
        """Return the rows and retractions kept."""
        return self._table.rows

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._table.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the rows collected so far."""
        return {"rows": self._table.freeze(self._options.partition)}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._table.restore(frozen["rows"])
