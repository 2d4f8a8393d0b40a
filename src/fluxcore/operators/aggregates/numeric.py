"""COUNT, SUM, AVG, MIN, MAX, variance and the first or last value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.settings import Settings
from fluxcore.core.types import DOUBLE, DecimalType, FloatType, IntegerType
from fluxcore.expr.casts import cast_values
from fluxcore.operators.aggregates import aggregate_kernels as kernels
from fluxcore.operators.aggregates import wide_kernels
from fluxcore.operators.aggregates.base import (
    Accumulator,
    Rows,
    from_numbers,
    is_wide,
    numbers,
    wide_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns, Int64s

_TINY = 1e-12
_WORDS = ("low", "high", "top")
_SPECIALS: dict[str, Callable[[Any], Any]] = {"nan": np.isnan, "up": np.isposinf, "down": np.isneginf}


class Count(Accumulator):
    """COUNT(*) and COUNT(x)."""

    takes_retractions = True

    def columns(self) -> dict[str, str]:
        """Return the count."""
        return {"n": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Count rows, or values that are not NULL."""
        kernels.count(self.at(columns, "n"), rows.slots, rows.valid(), rows.weights)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add counts."""
        np.add.at(self.at(into, "n"), slots, self.at(source, "n")[from_slots])

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the counts."""
        return pa.array(self.at(columns, "n")[slots])


class Sum(Accumulator):
    """SUM of integers (wrapping), floats or decimals; NULL of nothing. AVG builds on it."""

    takes_retractions = True
    counts_specials = False
    """Whether NaN and the infinities are counted apart, so that the number comes back when they are taken back."""

    def columns(self) -> dict[str, str]:
        """Return sum and count; the sum of decimals has three words."""
        if is_wide(self.arg_type):
            return {**dict.fromkeys(_WORDS, "u8"), "n": "i8"}
        if not isinstance(self.arg_type, FloatType):
            return {"sum": "i8", "n": "i8"}
        return {"sum": "f8", "n": "i8"} | (dict.fromkeys(_SPECIALS, "i8") if self.counts_specials else {})

    def update(self, columns: Columns, rows: Rows) -> None:
        """Add values."""
        n = self.at(columns, "n")
        if is_wide(self.arg_type):
            words = (self.at(columns, name) for name in _WORDS)
            wide_kernels.add(*words, n, rows.slots, wide_words(rows.args[0]), rows.valid(), rows.weights)
        else:
            values = numbers(rows.args[0])
            if self.counts_specials and isinstance(self.arg_type, FloatType) and not np.isfinite(values).all():
                values = self._without_specials(columns, rows, values)
            kernels.add(self.at(columns, "sum"), n, rows.slots, values, rows.valid(), rows.weights)

    def _without_specials(self, columns: Columns, rows: Rows, values: Any) -> Any:
        valid = rows.valid()
        for name, is_special in _SPECIALS.items():
            found = is_special(values) & valid if len(valid) else is_special(values)
            weights = rows.weights[found] if len(rows.weights) else 1
            np.add.at(self.at(columns, name), rows.slots[found], weights)
        return np.where(np.isfinite(values), values, 0.0)

    def sums(self, columns: Columns, slots: Int64s) -> Any:
        """Return the sums of integers and floats."""
        total = self.at(columns, "sum")[slots]
        if self.counts_specials and isinstance(self.arg_type, FloatType):
            nan, up, down = (self.at(columns, name)[slots] > 0 for name in _SPECIALS)
            total = np.where(up, np.inf, np.where(down, -np.inf, total))
            total = np.where(nan | (up & down), np.nan, total)
        return total

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add sums and counts."""
        np.add.at(self.at(into, "n"), slots, self.at(source, "n")[from_slots])
        if is_wide(self.arg_type):
            target = (self.at(into, name) for name in _WORDS)
            wide_kernels.merge(*target, slots, *(self.at(source, name) for name in _WORDS), from_slots)
        else:
            np.add.at(self.at(into, "sum"), slots, self.at(source, "sum")[from_slots])

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the sums, or the averages: of integers cut towards zero, of decimals rounded half up."""
        counts = self.at(columns, "n")[slots]
        if isinstance(self.arg_type, DecimalType):
            low, high, top = (self.at(columns, name)[slots] for name in _WORDS)
            return decimal_results(self.call, self.arg_type, (low, high, top), counts)
        return number_results(self.call, self.sums(columns, slots), counts)


def number_results(call: AggCall, sums: Any, counts: Int64s) -> pa.Array:
    """Return SUM or AVG (of integers cut towards zero) of sums and counts; NULL of nothing."""
    nulls = counts == 0
    if call.function == "AVG":
        safe = np.where(nulls, 1, counts)
        if sums.dtype.kind == "f":
            sums = sums / safe
        else:
            quotient = np.abs(sums) // safe
            sums = np.where(sums < 0, -quotient, quotient)
    return from_numbers(sums, call.type.arrow(), nulls)


def decimal_results(call: AggCall, arg_type: DecimalType, words: tuple[Any, Any, Any], counts: Int64s) -> pa.Array:
    """Return SUM or AVG (rounded half up) of decimals, NULL of nothing and where the sum has more than 38 digits.

    In: ``words`` the sums in three words of 64 bits, low one first.
    """
    assert isinstance(call.type, DecimalType)
    out, nulls = np.zeros((len(counts), 2), np.uint64), counts == 0
    wide_kernels.decimals(*words, out, nulls)
    if call.function == "AVG":
        wide_kernels.averages(*words, counts, np.uint64(10 ** (call.type.scale - arg_type.scale)), out, nulls)
    mask = pa.array(~nulls).buffers()[1] if nulls.any() else None
    return pa.Array.from_buffers(call.type.arrow(), len(counts), [mask, pa.py_buffer(out)])


class Extreme(Accumulator):
    """MIN and MAX of fixed-width values and decimals of up to 18 digits."""

    @property
    def largest(self) -> bool:
        """Return whether it is MAX."""
        return self.call.function == "MAX"

    def columns(self) -> dict[str, str]:
        """Return the best value and the count."""
        return {"best": "f8" if isinstance(self.arg_type, FloatType) else "i8", "n": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Compare values."""
        kernel = kernels.greatest if self.largest else kernels.least
        kernel(self.at(columns, "best"), self.at(columns, "n"), rows.slots, numbers(rows.args[0]), rows.valid())

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Compare the bests."""
        kernel = kernels.greatest if self.largest else kernels.least
        known = self.at(source, "n")[from_slots] > 0
        kernel(self.at(into, "best"), self.at(into, "n"), slots, self.at(source, "best")[from_slots], known)

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the bests."""
        return from_numbers(self.at(columns, "best")[slots], self.call.type.arrow(), self.at(columns, "n")[slots] == 0)


class Spread(Accumulator):
    """VAR_POP, VAR_SAMP, STDDEV_POP, STDDEV_SAMP."""

    takes_retractions = True

    def columns(self) -> dict[str, str]:
        """Return mean, squared distances and count."""
        return {"mean": "f8", "squares": "f8", "n": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Take values."""
        given = rows.args[0].cast(pa.float64()) if is_wide(self.arg_type) else rows.args[0]
        values = numbers(given).astype(np.float64)
        state = self.at(columns, "mean"), self.at(columns, "squares"), self.at(columns, "n")
        kernels.spread(*state, rows.slots, values, rows.valid(), rows.weights)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Merge means and distances."""
        target = self.at(into, "mean"), self.at(into, "squares"), self.at(into, "n")
        given = self.at(source, "mean"), self.at(source, "squares"), self.at(source, "n")
        kernels.merge_spread(*target, slots, *given, from_slots)

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the variances or deviations; a sample needs two values."""
        return spread_results(self.call, self.at(columns, "squares")[slots], self.at(columns, "n")[slots])


def spread_results(call: AggCall, squares: Any, counts: Int64s) -> pa.Array:
    """Return variances or deviations of sums of squared distances; a sample needs two values. Of integers they are cut."""
    sample = call.function not in ("VAR_POP", "STDDEV_POP")
    nulls = counts < (2 if sample else 1)
    found = squares / np.where(nulls, 1, counts - sample)
    if call.function.startswith("STDDEV"):
        found = np.sqrt(found)
    if isinstance(call.type, IntegerType):
        nearest, limits = np.rint(found), np.iinfo(f"i{call.type.bits // 8}")
        exact = np.abs(found - nearest) <= _TINY * np.maximum(nearest, 1)  # a whole number, but for how doubles round
        found = np.clip(
            np.where(exact, nearest, np.trunc(found)),
            0,
            np.nextafter(float(limits.max), 0.0) if call.type.bits == 64 else limits.max,
        )
    if isinstance(call.type, DecimalType):
        return cast_values(pa.array(found, mask=nulls), DOUBLE, call.type, lenient=True, settings=Settings())
    return from_numbers(found, call.type.arrow(), nulls)


class Ordered(Accumulator):
    """FIRST_VALUE and LAST_VALUE by arrival."""

    mergeable = False  # arrival numbers are given where the state is

    def columns(self) -> dict[str, str]:
        """Return the value, its arrival number and the count."""
        return {"best": "f8" if isinstance(self.arg_type, FloatType) else "i8", "order": "i8", "n": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Take values in the order of arrival."""
        order = np.arange(rows.first_row, rows.first_row + len(rows.slots))
        self._take(columns, rows.slots, numbers(rows.args[0]), order, rows.valid())

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Keep what arrived first, or last."""
        known = self.at(source, "n")[from_slots] > 0
        order = self.at(source, "order")[from_slots]
        self._take(into, slots, self.at(source, "best")[from_slots], order, known)

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the values."""
        return from_numbers(self.at(columns, "best")[slots], self.call.type.arrow(), self.at(columns, "n")[slots] == 0)

    def _take(self, columns: Columns, slots: Int64s, values: Any, order: Int64s, valid: Any) -> None:
        latest = self.call.function == "LAST_VALUE"
        state = self.at(columns, "best"), self.at(columns, "order"), self.at(columns, "n")
        kernels.by_order(*state, slots, values, order, valid, latest)
