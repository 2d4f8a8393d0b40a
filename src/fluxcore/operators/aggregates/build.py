"""Makes accumulators for aggregate calls, and the set of them that one operator keeps in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import BytesType, DecimalType, StringType
from fluxcore.errors import not_supported
from fluxcore.operators.aggregates.base import NO_MASK, NO_WEIGHTS, Accumulator, Rows
from fluxcore.operators.aggregates.listed import CountDistinct, Kept, KeptExtreme, Percentile
from fluxcore.operators.aggregates.numeric import Average, Count, Extreme, Ordered, Spread, Sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns, Int64s

_SPREAD = {"VAR_POP", "VAR_SAMP", "VARIANCE", "STDDEV_POP", "STDDEV_SAMP", "STDDEV"}


def accumulator(call: AggCall, types: Sequence[DataType], prefix: str) -> Accumulator:
    """Return the accumulator of a call over input columns of these types. Raises ``ScriptError`` FX-SQL-0900."""
    type_ = types[call.args[0]] if call.args else None
    if call.distinct:
        if call.function == "COUNT":
            return CountDistinct(call, type_, prefix)
        if call.function not in ("MIN", "MAX"):
            raise not_supported(f"{call.function}(DISTINCT …)", span=call.span)
    if call.function == "COUNT":
        return Count(call, type_, prefix)
    if call.function == "SUM":
        return Sum(call, type_, prefix)
    if call.function == "AVG":
        return Average(call, type_, prefix)
    if call.function in ("MIN", "MAX"):
        kept = isinstance(type_, StringType | BytesType | DecimalType)
        return KeptExtreme(call, type_, prefix) if kept else Extreme(call, type_, prefix)
    if call.function in _SPREAD and not isinstance(type_, DecimalType):
        return Spread(call, type_, prefix)
    if call.function in ("FIRST_VALUE", "LAST_VALUE") and not isinstance(type_, StringType | BytesType | DecimalType):
        return Ordered(call, type_, prefix)
    if call.function == "PERCENTILE" and len(call.parameters) == 1:
        return Percentile(call, type_, prefix)
    what = f"{call.function} of {type_.name()}" if type_ is not None else call.function
    raise not_supported(what, span=call.span)


class Aggregates:
    """All calls of one operator over one table's columns."""

    def __init__(self, calls: Sequence[AggCall], types: Sequence[DataType]) -> None:
        self._calls = list(calls)
        self.members = [accumulator(call, types, f"a{index}.") for index, call in enumerate(calls)]

    @property
    def takes_retractions(self) -> bool:
        """Return whether every call can take a row back."""
        return all(member.takes_retractions for member in self.members)

    @property
    def mergeable(self) -> bool:
        """Return whether the states of all calls may be merged in any order."""
        return all(member.mergeable for member in self.members)

    @property
    def keeps_values(self) -> bool:
        """Return whether a call keeps values outside the table, which go to one window at a time."""
        return any(isinstance(member, Kept) for member in self.members)

    def columns(self) -> dict[str, str]:
        """Return the state columns of all calls."""
        return {m.prefix + name: dtype for m in self.members for name, dtype in m.columns().items()}

    def update(self, columns: Columns, slots: Int64s, batch: Batch, first_row: int) -> None:
        """Take a batch's rows."""
        weights = NO_WEIGHTS if batch.weights is None else batch.weights
        for call, member in zip(self._calls, self.members, strict=True):
            where = NO_MASK
            if call.where is not None:
                where = np.asarray(pc.fill_null(batch.column(call.where), False))
            args = [batch.column(index) for index in call.args]
            member.update(columns, Rows(slots, args, where, weights, first_row))

    def scratch(self) -> Aggregates:
        """Return the same calls for a table in which windows are merged."""
        copy = Aggregates.__new__(Aggregates)
        copy._calls = self._calls
        copy.members = [member.scratch() for member in self.members]
        return copy

    def merge(self, other: Aggregates, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add the state of ``from_slots`` here to ``slots`` of ``other``."""
        for own, target in zip(self.members, other.members, strict=True):
            if isinstance(own, Kept):
                assert isinstance(target, Kept)
                own.lend(target, into, slots, from_slots)
            else:
                target.merge(into, slots, source, from_slots)

    def results(self, columns: Columns, slots: Int64s) -> list[pa.Array]:
        """Return each call's results at slots."""
        return [member.result(columns, slots) for member in self.members]

    def forget(self, slots: Int64s) -> None:
        """Drop what is kept outside the table for these slots."""
        for member in self.members:
            member.forget(slots)
