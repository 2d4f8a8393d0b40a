"""Functions over each partition in any order, at the end of bounded input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.ports import Operator
from fluxcore.core.types import DateType, FloatType, IntegerType, IntervalType, TimestampType, TimeType
from fluxcore.errors import not_supported
from fluxcore.operators.materialize import Multiset, sliced
from fluxcore.operators.order.frames import RangeKeys, Sorted
from fluxcore.operators.order.over import OverFunctions
from fluxcore.operators.sort_words import dense_codes, order_words, raw_values, stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import OperatorContext
    from fluxcore.operators.order.frames import OverFunction
    from fluxcore.operators.order.over import OverOptions
    from fluxcore.operators.sort_words import OrderKey

_MS_PER_DAY = 86_400_000


class SortedOverOperator(Operator):
    """Collects the rows of a changelog, and gives those that remain with the functions' results, in ``order``.

    Raises ``ScriptError`` FX-SQL-0900 when made.
    """

    def __init__(self, options: OverOptions, order: Sequence[OrderKey]) -> None:
        self._options = options
        self._order = order
        self._table = Multiset(options.schema)
        self._functions = OverFunctions(options, {})
        if any(_counts_in_range(each) for each in options.functions):
            _check_range(options, order)

    def open(self, context: OperatorContext) -> None:
        """Make the table of partitions."""
        super().open(context)
        self._functions.open(context.state)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep rows; nothing comes out before the end."""
        self._table.add(batch)
        return ()

    def finish(self) -> Sequence[Batch]:
        """Return all rows."""
        rows = self._table.take()
        if not rows.num_rows:
            return ()
        words = [word for key in self._order for word in order_words(rows.column(key.column), key)]
        moments = dense_codes(words, rows.num_rows)[0] if words else np.zeros(rows.num_rows, np.int64)
        slots = self._functions.slots(rows)
        order = stable_order([slots, moments], rows.num_rows)
        found = Sorted(rows.take(pa.array(order)), slots[order], moments[order], np.ones(len(order), np.bool_))
        if any(_counts_in_range(each) for each in self._options.functions):
            found.range_keys = _range_keys(
                found.data.column(self._order[0].column), descending=self._order[0].descending
            )
        results = self._functions.results(found)
        by_order = pa.array(stable_order([found.moments, order], len(order)))
        columns = [column.take(by_order) for column in (*found.data.columns, *results)]
        return sliced(pa.RecordBatch.from_arrays(columns, schema=self._options.output))

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


def _counts_in_range(function: OverFunction) -> bool:
    """Return whether a frame reaches so far by the order's key, rather than to peers or to an edge."""
    return not function.rows and bool(function.preceding or function.following)


def _check_range(options: OverOptions, order: Sequence[OrderKey]) -> None:
    call = next(each.call for each in options.functions if _counts_in_range(each))
    if len(order) != 1:
        raise not_supported("a RANGE frame with a bound over several columns of ORDER BY", span=call.span)
    type_ = options.types[order[0].column]
    if not isinstance(type_, IntegerType | FloatType | DateType | TimeType | TimestampType | IntervalType):
        raise not_supported(f"a RANGE frame with a bound over {type_.name()}", span=call.span)


def _range_keys(column: pa.Array, *, descending: bool) -> RangeKeys:
    """Return the key as numbers that rise; times count in ms."""
    type_, units = column.type, 1
    if pa.types.is_floating(type_):
        values = raw_values(column, f"f{type_.bit_width // 8}").astype(np.float64)
    else:
        values = raw_values(column, f"i{type_.bit_width // 8}").astype(np.int64)
    if pa.types.is_date32(type_):
        values = values * _MS_PER_DAY
    if pa.types.is_timestamp(type_):
        units = {"s": 0, "ms": 1, "us": 1_000, "ns": 1_000_000}[type_.unit]
    nulls = np.asarray(column.is_null())
    return RangeKeys(-values if descending else values, nulls, units)
