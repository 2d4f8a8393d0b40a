"""COUNT, SUM, AVG, variances, MIN and MAX of frames, without a pass over each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside
from fluxcore.core.types import BIGINT, DecimalType, FloatType
from fluxcore.operators.aggregates import wide_kernels
from fluxcore.operators.aggregates.base import numbers, wide_words
from fluxcore.operators.aggregates.numeric import decimal_results, number_results, spread_results
from fluxcore.operators.order import over_kernels as kernels
from fluxcore.operators.order.over_call import Carried, OverCall
from fluxcore.operators.sort_words import OrderKey, dense_codes, equality_words, order_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import KeyedTable, StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.operators.aggregates.base import Columns
    from fluxcore.operators.order.frames import OverFunction, Sorted
    from fluxcore.operators.order.over_call import Bools, Int64s


class Totals(OverCall):
    """COUNT, SUM and AVG of integers and floats."""

    _seen: KeyedTable

    def columns(self) -> dict[str, str]:
        """Return the sum and the count so far."""
        if not self.function.unbounded:
            return {}
        return {"sum": "f8" if self._floats else "i8", "n": "i8"}

    @property
    def _floats(self) -> bool:
        return isinstance(self.arg_type, FloatType) and self.call.function != "COUNT"

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of values seen, where only distinct ones count."""
        if self.call.distinct and self.function.unbounded:
            assert self.arg_type is not None
            keys = [BIGINT.with_nullable(False), self.arg_type.with_nullable(False)]
            self._seen = state.table(name, keys, {})

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the results."""
        valid = self.valid(rows)
        starts, ends = rows.frame(self.function)
        if self.function.unbounded:
            valid &= rows.fresh
            if self.call.distinct:
                valid = self._first_seen(rows, valid)
        elif self.call.distinct:
            return self._distinct(rows, valid, starts, ends)
        counts = _between(valid.astype(np.int64), starts, ends)
        if self.function.unbounded:
            counts += self.at(columns, "n")[rows.slots]
            self.at(columns, "n")[rows.slots[rows.lasts]] = counts[rows.lasts]
        if self.call.function == "COUNT":
            return pa.array(counts)
        return number_results(self.call, self._sums(rows, columns, valid), counts)

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:  # noqa: ARG002
        """Return the values seen."""
        if not (self.call.distinct and self.function.unbounded):
            return {}
        live = self._seen.live_slots()
        owners, values = self._seen.key_columns(live)
        order = np.argsort(slots)
        places = order[np.searchsorted(slots, np.asarray(owners), sorter=order)] if len(live) else live
        seen = pa.RecordBatch.from_arrays([pa.array(places, pa.int64()), values], ["place", "value"])
        return {"seen": beside(seen, 0, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:  # noqa: ARG002
        """Take values back."""
        if "seen" in frozen and frozen["seen"].num_rows:
            places, values = frozen["seen"].columns
            self._seen.upsert([slots[np.asarray(places)], values])

    def _sums(self, rows: Sorted, columns: Columns, valid: Bools) -> Any:
        starts, ends = rows.frame(self.function)
        values = numbers(self.argument(rows))
        if not self._floats:
            sums = _between(np.where(valid, values, 0), starts, ends)
            if self.function.unbounded:
                sums += self.at(columns, "sum")[rows.slots]
                self.at(columns, "sum")[rows.slots[rows.lasts]] = sums[rows.lasts]
            return sums
        found = np.empty(rows.count, np.float64)
        values = np.ascontiguousarray(values)
        if not self.function.unbounded:
            kernels.sum_frames(starts, ends, rows.numbers, values, valid, found)
            return found
        kernels.running_sum(self.at(columns, "sum"), rows.slots, values, valid, found)
        return found[np.maximum(ends - 1, 0)]

    def _first_seen(self, rows: Sorted, valid: Bools) -> Bools:
        """Return which of the rows that count hold a value that its partition had not before."""
        chosen = np.flatnonzero(valid)
        values = self.argument(rows).take(pa.array(chosen))
        _, fresh = self._seen.upsert_new([rows.slots[chosen], values])
        found = np.zeros(rows.count, np.bool_)
        found[chosen[fresh]] = True
        return found

    def _distinct(self, rows: Sorted, valid: Bools, starts: Int64s, ends: Int64s) -> pa.Array:
        column = self.argument(rows)
        codes, _ = dense_codes([rows.partitions, *equality_words(column)], rows.count)
        values = np.zeros(rows.count, np.int64) if self.call.function == "COUNT" else numbers(column)
        sums, counts = np.empty(rows.count, np.int64), np.empty(rows.count, np.int64)
        kernels.distinct_frames(starts, ends, codes, np.ascontiguousarray(values), valid, sums, counts)
        return pa.array(counts) if self.call.function == "COUNT" else number_results(self.call, sums, counts)


class WideTotals(OverCall):
    """SUM and AVG of decimals."""

    def columns(self) -> dict[str, str]:
        """Return the three words of the sum, and the count so far."""
        return {"low": "u8", "high": "u8", "top": "u8", "n": "i8"} if self.function.unbounded else {}

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the results."""
        valid = self.valid(rows)
        starts, ends = rows.frame(self.function)
        if self.function.unbounded:
            valid &= rows.fresh
        counts = _between(valid.astype(np.int64), starts, ends)
        names = ("low", "high", "top")
        words = [np.zeros(rows.count, np.uint64) for _ in names]
        if self.function.unbounded:
            words = [self.at(columns, name)[rows.slots] for name in names]
            counts += self.at(columns, "n")[rows.slots]
            self.at(columns, "n")[rows.slots[rows.lasts]] = counts[rows.lasts]
        wide_kernels.sum_frames(starts, ends, wide_words(self.argument(rows)), valid, *words)
        if self.function.unbounded:
            for name, word in zip(names, words, strict=True):
                self.at(columns, name)[rows.slots[rows.lasts]] = word[rows.lasts]
        assert isinstance(self.arg_type, DecimalType)
        return decimal_results(self.call, self.arg_type, (words[0], words[1], words[2]), counts)


class RunningSpread(OverCall):
    """Variances and deviations from the beginning of the partition on."""

    def columns(self) -> dict[str, str]:
        """Return mean, sum of squared distances and count so far."""
        return {"mean": "f8", "squares": "f8", "n": "i8"}

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the results."""
        valid = self.valid(rows) & rows.fresh
        values = np.ascontiguousarray(numbers(self.argument(rows)).astype(np.float64))
        squares, counts = np.empty(rows.count, np.float64), np.empty(rows.count, np.int64)
        state = self.at(columns, "mean"), self.at(columns, "squares"), self.at(columns, "n")
        kernels.running_spread(*state, rows.slots, values, valid, squares, counts)
        _, ends = rows.frame(self.function)
        last = np.maximum(ends - 1, 0)
        return spread_results(self.call, squares[last], counts[last])


class Best(OverCall):
    """MIN and MAX of anything that has an order."""

    def __init__(self, function: OverFunction, types: Sequence[DataType], prefix: str) -> None:
        super().__init__(function, types, prefix)
        assert self.arg_type is not None
        self._carried = Carried(self.arg_type)

    def columns(self) -> dict[str, str]:
        """Return where the best value so far is."""
        return {"kept": "i8"} if self.function.unbounded else {}

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of the best values so far."""
        if self.function.unbounded:
            self._carried.open(state, name)

    def compute(self, rows: Sorted, columns: Columns) -> pa.Array:
        """Return the results."""
        column, valid = self.argument(rows), self.valid(rows)
        starts, ends = rows.frame(self.function)
        if not self.function.unbounded:
            best = self._best(column, valid, starts, ends)[0]
            return column.take(pa.array(best, mask=best < 0))
        kept, partitions = self.at(columns, "kept"), rows.slots[rows.lasts]
        carried, known = self._carried.take(kept, partitions)
        both = pa.concat_arrays([column, carried.cast(column.type)])
        best, codes = self._best(both, valid & rows.fresh, starts, ends)
        before = rows.count + rows.partitions
        better = known[rows.partitions] & ((best < 0) | (codes[before] <= codes[best]))
        best = np.where(better, before, best)
        last = best[rows.lasts]
        changed = (last >= 0) & (last < rows.count)
        self._carried.put(kept, partitions[changed], both.take(pa.array(last[changed])))
        return both.take(pa.array(best, mask=best < 0))

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the best values so far."""
        return {"kept": self._carried.freeze(self.at(columns, "kept"), slots, owner)} if self.function.unbounded else {}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take values back."""
        if self.function.unbounded:
            self._carried.thaw(self.at(columns, "kept"), slots, frozen["kept"])

    def _best(self, column: pa.Array, valid: Bools, starts: Int64s, ends: Int64s) -> tuple[Int64s, Int64s]:
        """Return the row of each frame's best value, -1 where it has none, and codes that order all values."""
        words = order_words(column, OrderKey(0, descending=self.call.function == "MAX"))
        words = words[1:] if column.null_count else words
        codes = words[0] if len(words) == 1 else dense_codes(words, len(column))[0]
        best = np.empty(len(starts), np.int64)
        kernels.best_frames(starts, ends, np.ascontiguousarray(codes), valid, best)
        return best, codes


def _between(values: Int64s, starts: Int64s, ends: Int64s) -> Int64s:
    """Return the sum of the values of each frame; integers wrap, so that a difference of sums is exact."""
    before = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=before[1:])
    found: Int64s = before[ends] - before[starts]
    return found
