"""COUNT, SUM, AVG, MIN, MAX, variance and the first or last value."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.types import DecimalType, FloatType
from fluxcore.operators.aggregates import aggregate_kernels as kernels
from fluxcore.operators.aggregates.base import (
    NO_MASK,
    NO_WEIGHTS,
    Accumulator,
    Rows,
    from_numbers,
    is_wide,
    numbers,
    wide_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.operators.aggregates.base import Columns, Int64s

_DECIMAL_MAX = 10**38
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
        """Return sum and count; decimals have a low and a high word."""
        if is_wide(self.arg_type):
            return {"low": "u8", "high": "u8", "n": "i8"}
        if not isinstance(self.arg_type, FloatType):
            return {"sum": "i8", "n": "i8"}
        return {"sum": "f8", "n": "i8"} | (dict.fromkeys(_SPECIALS, "i8") if self.counts_specials else {})

    def update(self, columns: Columns, rows: Rows) -> None:
        """Add values."""
        n = self.at(columns, "n")
        if is_wide(self.arg_type):
            words = self.at(columns, "low"), self.at(columns, "high")
            kernels.add_wide(*words, n, rows.slots, wide_words(rows.args[0]), rows.valid(), rows.weights)
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
            words = np.column_stack([self.at(source, "low")[from_slots], self.at(source, "high")[from_slots]])
            unused = np.zeros(int(slots.max()) + 1 if len(slots) else 1, np.int64)
            target = self.at(into, "low"), self.at(into, "high")
            kernels.add_wide(*target, unused, slots, words, NO_MASK, NO_WEIGHTS)
        else:
            np.add.at(self.at(into, "sum"), slots, self.at(source, "sum")[from_slots])

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the sums."""
        nulls = self.at(columns, "n")[slots] == 0
        if is_wide(self.arg_type):
            whole = self.wide_sums(columns, slots)
            assert isinstance(self.arg_type, DecimalType)
            scale = self.arg_type.scale
            values = [
                None if null or abs(v) >= _DECIMAL_MAX else Decimal(v).scaleb(-scale, _exact())
                for v, null in zip(whole, nulls, strict=True)
            ]
            return pa.array(values, self.call.type.arrow())
        return from_numbers(self.sums(columns, slots), self.call.type.arrow(), nulls)

    def wide_sums(self, columns: Columns, slots: Int64s) -> list[int]:
        """Return the sums of decimals as whole numbers of their last digit."""
        high = self.at(columns, "high")[slots].view(np.int64)
        return [(int(h) << 64) | int(low) for h, low in zip(high, self.at(columns, "low")[slots], strict=True)]


class Average(Sum):
    """AVG: of integers cut towards zero, of decimals rounded half up."""

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the averages."""
        n = self.at(columns, "n")[slots]
        wanted = self.call.type.arrow()
        if is_wide(self.arg_type):
            return pa.array(
                [self._wide(v, int(c)) for v, c in zip(self.wide_sums(columns, slots), n, strict=True)], wanted
            )
        total, nulls = self.sums(columns, slots), n == 0
        safe = np.where(nulls, 1, n)
        if isinstance(self.arg_type, FloatType):
            return from_numbers(total / safe, wanted, nulls)
        quotient = np.abs(total) // safe
        return from_numbers(np.where(total < 0, -quotient, quotient), wanted, nulls)

    def _wide(self, total: int, count: int) -> Decimal | None:
        if count == 0:
            return None
        assert isinstance(self.arg_type, DecimalType)
        assert isinstance(self.call.type, DecimalType)
        with localcontext(_exact()):
            mean = Decimal(total).scaleb(-self.arg_type.scale) / count
            return mean.quantize(Decimal(1).scaleb(-self.call.type.scale), ROUND_HALF_UP)


def _exact() -> Any:
    from decimal import Context

    return Context(prec=80)


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
        values = numbers(rows.args[0]).astype(np.float64)
        state = self.at(columns, "mean"), self.at(columns, "squares"), self.at(columns, "n")
        kernels.spread(*state, rows.slots, values, rows.valid(), rows.weights)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Merge means and distances."""
        target = self.at(into, "mean"), self.at(into, "squares"), self.at(into, "n")
        given = self.at(source, "mean"), self.at(source, "squares"), self.at(source, "n")
        kernels.merge_spread(*target, slots, *given, from_slots)

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the variances or deviations; a sample needs two values."""
        n = self.at(columns, "n")[slots]
        sample = self.call.function not in ("VAR_POP", "STDDEV_POP")
        nulls = n < (2 if sample else 1)
        found = self.at(columns, "squares")[slots] / np.where(nulls, 1, n - sample)
        if self.call.function.startswith("STDDEV"):
            found = np.sqrt(found)
        return from_numbers(found, self.call.type.arrow(), nulls)


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
