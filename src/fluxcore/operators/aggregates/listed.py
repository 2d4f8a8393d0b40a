"""Aggregates that keep values rather than numbers: PERCENTILE, distinct values, MIN and MAX of text and wide decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import DecimalType
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators.aggregates.base import Accumulator, Rows, numbers
from fluxcore.operators.sort_words import dense_codes, equality_words

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns, Int64s


class Kept(Accumulator):
    """Keeps (slot, value) pairs in arrays outside the columns; subclasses say what becomes of them."""

    mergeable = False

    def __init__(self, call: AggCall, arg_type: DataType | None, prefix: str) -> None:
        super().__init__(call, arg_type, prefix)
        self._slots: list[Int64s] = []
        self._values: list[pa.Array] = []

    def columns(self) -> dict[str, str]:
        """Return how many values there are."""
        return {"n": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Keep values that count."""
        valid = rows.valid()
        slots, values = rows.slots, rows.args[0]
        if len(valid):
            slots, values = slots[valid], values.filter(pa.array(valid))
        self._keep(columns, slots, values)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:  # noqa: ARG002
        """Take the values that :meth:`lend` brought over."""
        raise AssertionError("kept values are merged by lend")

    def lend(self, other: Kept, into: Columns, slots: Int64s, from_slots: Int64s) -> None:
        """Give ``other`` the values of ``from_slots`` under ``slots``."""
        own, values = self._all()
        if not len(own) or not len(from_slots):
            return
        target = np.full(max(int(own.max()), int(from_slots.max())) + 1, -1, np.int64)
        target[from_slots] = slots
        places = target[own]
        chosen = places >= 0
        other._keep(into, places[chosen], values.filter(pa.array(chosen)))

    def forget(self, slots: Int64s) -> None:
        """Drop the values of these slots."""
        own, values = self._all()
        if not len(own) or not len(slots):
            return
        gone = np.zeros(max(int(own.max()), int(slots.max())) + 1, np.bool_)
        gone[slots] = True
        left = ~gone[own]
        self._slots, self._values = [own[left]], [values.filter(pa.array(left))]

    def _keep(self, columns: Columns, slots: Int64s, values: pa.Array) -> None:
        np.add.at(self.at(columns, "n"), slots, 1)
        self._slots.append(slots)
        self._values.append(values)
        self._shrink()

    def _shrink(self) -> None:
        """Give up what can't matter any more; called after each batch."""

    def _all(self) -> tuple[Int64s, pa.Array]:
        if not self._slots:
            type_ = self.arg_type.arrow() if self.arg_type else pa.null()
            return np.zeros(0, np.int64), pa.array([], type_)
        if len(self._slots) > 1:
            self._slots = [np.concatenate(self._slots)]
            self._values = [pa.concat_arrays(self._values)]
        return self._slots[0], self._values[0]

    def _chosen(self, slots: Int64s) -> tuple[Int64s, Any]:
        """Return for the values of ``slots``: the position within ``slots``, and the value."""
        own, values = self._all()
        place = np.full(int(max(own.max(initial=0), slots.max(initial=0))) + 1, -1, np.int64)
        place[slots] = np.arange(len(slots))
        groups = place[own]
        wanted = groups >= 0
        return groups[wanted], values.filter(pa.array(wanted))


class Percentile(Kept):
    """PERCENTILE(x, share): exact, interpolated between the two nearest values."""

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:  # noqa: ARG002
        """Return the percentiles; NULL of nothing."""
        groups, values = self._chosen(slots)
        doubles = values.cast(pa.float64()) if isinstance(self.arg_type, DecimalType) else values
        found = numbers(doubles).astype(np.float64)
        order = np.lexsort((found, groups))
        ranked = found[order]
        counts = np.bincount(groups, minlength=len(slots)).astype(np.int64)
        firsts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        share = float(str(self.call.parameters[0]))
        place = (counts - 1) * share
        low = np.floor(place)
        nulls = counts == 0
        at = np.where(nulls, 0, firsts + low.astype(np.int64))
        if not len(ranked):
            return pa.nulls(len(slots), pa.float64())
        last = np.where(nulls, 0, firsts + counts - 1)
        below, above = (
            ranked[np.minimum(at, len(ranked) - 1)],
            ranked[np.minimum(np.minimum(at + 1, last), len(ranked) - 1)],
        )
        return pa.array(below + (above - below) * (place - low), mask=nulls if nulls.any() else None)


class CountDistinct(Kept):
    """COUNT(DISTINCT x): each (slot, value) pair is kept once, but for those that came since the last clean-up."""

    def __init__(self, call: AggCall, arg_type: DataType | None, prefix: str) -> None:
        super().__init__(call, arg_type, prefix)
        self._clean = 0

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:  # noqa: ARG002
        """Return how many different values there are."""
        self._once()
        groups, _ = self._chosen(slots)
        return pa.array(np.bincount(groups, minlength=len(slots)).astype(np.int64))

    def _shrink(self) -> None:
        if sum(len(each) for each in self._slots) > 2 * self._clean + BATCH_ROWS:
            self._once()

    def _once(self) -> None:
        slots, values = self._all()
        codes, groups = dense_codes([slots, *equality_words(values)], len(slots))
        if groups < len(slots):
            _, first = np.unique(codes, return_index=True)
            first.sort()
            self._slots, self._values = [slots[first]], [values.take(pa.array(first))]
        self._clean = groups


class KeptExtreme(Kept):
    """MIN and MAX of text, bytes and wide decimals: only the best value of each slot is kept."""

    def _shrink(self) -> None:
        slots, values = self._all()
        if len(slots) < 2:
            return
        rank = pc.rank(
            values, sort_keys="descending" if self.call.function == "MAX" else "ascending", tiebreaker="first"
        )
        order = np.lexsort((np.asarray(rank), slots))
        first = np.ones(len(order), np.bool_)
        first[1:] = slots[order][1:] != slots[order][:-1]
        best = order[first]
        self._slots, self._values = [slots[best]], [values.take(pa.array(best))]

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:  # noqa: ARG002
        """Return the best values; NULL of nothing."""
        groups, values = self._chosen(slots)
        places = np.full(len(slots), -1, np.int64)
        places[groups] = np.arange(len(groups))
        return values.take(pa.array(places, mask=places < 0)).cast(self.call.type.arrow())
