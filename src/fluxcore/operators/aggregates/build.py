"""Makes accumulators for aggregate calls, and the set of them that one operator keeps in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import ArrayType, BytesType, DecimalType, MapType, RowType, StringType, VariantType
from fluxcore.errors import ScriptError, not_supported
from fluxcore.operators.aggregates.approximate import ApproxDistinct, ApproxPercentile
from fluxcore.operators.aggregates.base import NO_MASK, NO_WEIGHTS, Accumulator, Rows
from fluxcore.operators.aggregates.distinct import Distinct
from fluxcore.operators.aggregates.extreme import HeapExtreme, TextExtreme
from fluxcore.operators.aggregates.json_lists import JsonArrayAgg, JsonObjectAgg
from fluxcore.operators.aggregates.listed import ArrayAgg, Chosen, ChosenForever, Collect, ListAgg, Percentile
from fluxcore.operators.aggregates.numeric import Count, Extreme, Ordered, Spread, Sum
from fluxcore.operators.aggregates.user import UserDefined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns, Int64s

_SPREAD = {"VAR_POP", "VAR_SAMP", "VARIANCE", "STDDEV_POP", "STDDEV_SAMP", "STDDEV"}


_NESTED = (ArrayType, MapType, RowType)


def accumulator(call: AggCall, types: Sequence[DataType], prefix: str, *, append_only: bool = True) -> Accumulator:
    """Return the accumulator of a call over input columns of these types; ``append_only`` rows are never taken back.

    Raises: ``ScriptError`` FX-SQL-0900.
    """
    type_ = types[call.args[0]] if call.args else None
    if call.user is not None:
        return _user_defined(call, type_, prefix)
    if call.function == "APPROX_COUNT_DISTINCT":
        if append_only and not isinstance(type_, _NESTED):
            return ApproxDistinct(call, type_, prefix)
        # a register can't be lowered: what is taken back is counted exactly, and so are nested values
        return Distinct(Count(call, type_, prefix))
    found = _accumulator(call, type_, prefix, append_only=append_only)
    if not call.distinct or call.function in ("MIN", "MAX"):
        return found
    return Distinct(found)


def _accumulator(call: AggCall, type_: DataType | None, prefix: str, *, append_only: bool) -> Accumulator:
    match call.function:
        case "COUNT":
            return Count(call, type_, prefix)
        case "SUM" | "AVG":
            found = Sum(call, type_, prefix)
            found.counts_specials = not append_only
            return found
        case "MIN" | "MAX":
            texts = isinstance(type_, StringType | BytesType)
            if append_only:
                return (ChosenForever if texts or isinstance(type_, DecimalType) else Extreme)(call, type_, prefix)
            return (TextExtreme if texts else HeapExtreme)(call, type_, prefix)
        case "FIRST_VALUE" | "LAST_VALUE":
            numeric = not isinstance(type_, (StringType, BytesType, DecimalType, VariantType, *_NESTED))
            if append_only:
                return (Ordered if numeric else ChosenForever)(call, type_, prefix)
            return Chosen(call, type_, prefix)
        case "PERCENTILE" if len(call.parameters) == 1:
            return Percentile(call, type_, prefix)
        case "APPROX_PERCENTILE":
            return ApproxPercentile(call, type_, prefix)
        case "LISTAGG":
            return ListAgg(call, type_, prefix)
        case "ARRAY_AGG":
            return ArrayAgg(call, type_, prefix)
        case "JSON_ARRAYAGG":
            return JsonArrayAgg(call, type_, prefix)
        case "JSON_OBJECTAGG":
            return JsonObjectAgg(call, type_, prefix)
        case "COLLECT":
            return Collect(call, type_, prefix)
        case function if function in _SPREAD:
            return Spread(call, type_, prefix)
    what = f"{call.function} of {type_.name()}" if type_ is not None else call.function
    raise not_supported(what, span=call.span)


def _user_defined(call: AggCall, type_: DataType | None, prefix: str) -> Accumulator:
    found = UserDefined(call, type_, prefix)
    if not call.distinct:
        return found
    if len(call.args) > 1:
        raise not_supported(f"{call.function}(DISTINCT …) of several arguments", span=call.span)
    return Distinct(found)


class Aggregates:
    """All calls of one operator over one table's columns."""

    def __init__(
        self, calls: Sequence[AggCall], types: Sequence[DataType], *, append_only: bool = True, merged: bool = False
    ) -> None:
        """Make the calls; ``merged`` where states that were made apart are merged, as those of slices are."""
        self._calls = list(calls)
        self.members: list[Accumulator] = []
        for index, call in enumerate(calls):
            prefix = f"a{index}."
            if merged and not append_only and call.function in ("MIN", "MAX"):
                self.members.append(Chosen(call, types[call.args[0]], prefix))  # a heap can't be merged
            else:
                self.members.append(accumulator(call, types, prefix, append_only=append_only))

    def open(self, state: StateBackend, name: str = "values") -> None:
        """Make what the calls keep outside the table's columns."""
        for member in self.members:
            member.open(state, f"{member.prefix}{name}")

    @property
    def takes_retractions(self) -> bool:
        """Return whether every call can take a row back."""
        return all(member.takes_retractions for member in self.members)

    def need_retractions(self) -> None:
        """Raise ``ScriptError`` FX-API-0013 or FX-SQL-0900 when a call can't take rows back."""
        for member in self.members:
            call = member.call
            if call.user is not None and not member.takes_retractions:
                hint = "write a method that takes a row's values back"
                message = f"{call.user.name} has no retract(), and its input is updated"
                raise ScriptError("FX-API-0013", message, span=call.span, hint=hint)
            if not member.takes_retractions:
                raise not_supported(f"{call.function} over rows that are updated", span=call.span)

    def need_merge(self) -> None:
        """Raise ``ScriptError`` FX-API-0013 when the states of a call can't be merged."""
        for member in self.members:
            if not member.merges and member.call.user is not None:
                hint = "write a method that adds what another accumulator holds"
                message = f"{member.call.user.name} has no merge(), which windows that overlap and sessions need"
                raise ScriptError("FX-API-0013", message, span=member.call.span, hint=hint)

    @property
    def mergeable(self) -> bool:
        """Return whether the states of all calls may be merged in any order."""
        return all(member.mergeable for member in self.members)

    @property
    def keeps_values(self) -> bool:
        """Return whether a call keeps values outside the table."""
        return any(not member.mergeable for member in self.members)

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
            target.take_over(own, into, slots, source, from_slots)

    def results(self, columns: Columns, slots: Int64s) -> list[pa.Array]:
        """Return each call's results at slots."""
        return [member.result(columns, slots) for member in self.members]

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return what the calls keep outside the table for these slots, which are the rows of the frozen batch ``owner``."""
        return {m.prefix + name: batch for m in self.members for name, batch in m.freeze(columns, slots, owner).items()}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take what :meth:`freeze` gave for slots that are now ``slots``."""
        for member in self.members:
            prefix = member.prefix
            member.thaw(
                columns, slots, {name[len(prefix) :]: b for name, b in frozen.items() if name.startswith(prefix)}
            )

    def forget(self, columns: Columns, slots: Int64s) -> None:
        """Drop what is kept outside the table for these distinct slots."""
        for member in self.members:
            member.forget(columns, slots)
