"""Aggregate functions and functions of ``over`` in Python: ``fx.sum("price").where(fx.col("ok"))``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fluxcore.api.expressions import Term, named
from fluxcore.core.aggregate import AggregateFunction, UserAggregate, VectorAggregateFunction
from fluxcore.core.duration import duration_ms
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    import datetime as dt

    Reach = float | str | dt.timedelta | None

__all__ = ["Aggregate", "AggregateFunction", "VectorAggregateFunction"]


@dataclass(frozen=True)
class Frame:
    """Which rows an aggregate of ``over`` goes over: see ``OverCall`` of the plan."""

    by_rows: bool
    preceding: float | None
    following: float | None


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function over terms, as ``agg`` and ``over`` take it: ``fx.sum("price").where(fx.col("ok"))``."""

    function: str
    args: tuple[Term, ...] = ()
    parameters: tuple[Any, ...] = ()
    is_distinct: bool = False
    condition: Term | None = None
    user: UserAggregate | None = None
    frame: Frame | None = None

    def where(self, condition: Term) -> Aggregate:
        """Return the aggregate over the rows for which a condition holds."""
        return replace(self, condition=condition)

    def distinct(self) -> Aggregate:
        """Return the aggregate over distinct values."""
        return replace(self, is_distinct=True)

    def rows(self, preceding: int | None = None, following: int | None = 0) -> Aggregate:
        """Return the aggregate, for ``over``, over so many rows before and behind the current one; None is all of them.

        Rows behind the current one need input that ends.
        """
        return replace(self, frame=Frame(True, preceding, following))

    def range(self, preceding: Reach = None, following: Reach = 0) -> Aggregate:
        """Return the aggregate, for ``over``, over the rows whose order is so far before and behind the current one's.

        A time such as ``"1 hour"`` where the order is a time, else a number; None is all rows, 0 ends at the peers.
        """
        return replace(self, frame=Frame(False, _reach(preceding), _reach(following)))


def _reach(value: Reach) -> float | None:
    if value is None or isinstance(value, int | float):
        return value
    try:
        return duration_ms(value)
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error


def count(value: str | Term | None = None) -> Aggregate:
    """Count rows, or the values that are not NULL."""
    return Aggregate("COUNT", () if value is None else (named(value),))


def total(value: str | Term) -> Aggregate:
    """Sum values (also ``fx.sum``)."""
    return Aggregate("SUM", (named(value),))


def smallest(value: str | Term) -> Aggregate:
    """Take the smallest value (also ``fx.min``)."""
    return Aggregate("MIN", (named(value),))


def largest(value: str | Term) -> Aggregate:
    """Take the largest value (also ``fx.max``)."""
    return Aggregate("MAX", (named(value),))


def mean(value: str | Term) -> Aggregate:
    """Average values; of integers it is a whole number, as in SQL (also ``fx.avg``)."""
    return Aggregate("AVG", (named(value),))


def stddev_pop(value: str | Term) -> Aggregate:
    """Take the standard deviation of all values."""
    return Aggregate("STDDEV_POP", (named(value),))


def stddev_samp(value: str | Term) -> Aggregate:
    """Take the standard deviation of a sample; NULL of fewer than two values."""
    return Aggregate("STDDEV_SAMP", (named(value),))


def var_pop(value: str | Term) -> Aggregate:
    """Take the variance of all values."""
    return Aggregate("VAR_POP", (named(value),))


def var_samp(value: str | Term) -> Aggregate:
    """Take the variance of a sample; NULL of fewer than two values."""
    return Aggregate("VAR_SAMP", (named(value),))


def percentile(value: str | Term, share: float) -> Aggregate:
    """Take the exact percentile, ``share`` between 0 and 1, interpolated."""
    return Aggregate("PERCENTILE", (named(value),), (float(share),))


def approx_count_distinct(value: str | Term) -> Aggregate:
    """Count different values nearly right, in little memory: with a standard error of 0.8 %."""
    return Aggregate("APPROX_COUNT_DISTINCT", (named(value),))


def approx_quantile(value: str | Term, share: float) -> Aggregate:
    """Take the value below which ``share`` (0 to 1) of the values lie, to within 1 % of it, in little memory."""
    return Aggregate("APPROX_PERCENTILE", (named(value),), (float(share),))


def listagg(value: str | Term, separator: str = ",") -> Aggregate:
    """Join texts in the order of arrival."""
    return Aggregate("LISTAGG", (named(value),), (separator,))


def array_agg(value: str | Term) -> Aggregate:
    """Collect values, NULLs too, in the order of arrival."""
    return Aggregate("ARRAY_AGG", (named(value),))


def multiset(value: str | Term) -> Aggregate:
    """Count how often each value occurs: a map from value to count, COLLECT in SQL."""
    return Aggregate("COLLECT", (named(value),))


def first_value(value: str | Term) -> Aggregate:
    """Take the first value that is not NULL."""
    return Aggregate("FIRST_VALUE", (named(value),))


def last_value(value: str | Term) -> Aggregate:
    """Take the last value that is not NULL."""
    return Aggregate("LAST_VALUE", (named(value),))


def nth_value(value: str | Term, number: int) -> Aggregate:
    """Take the value of the frame's row of that number, from 1, for ``over``; NULL where it has fewer rows."""
    return Aggregate("NTH_VALUE", (named(value),), (number,))


def lag(value: str | Term, offset: int = 1, default: Any = None) -> Aggregate:
    """Take the value ``offset`` rows before, for ``over``; ``default`` where there is no such row."""
    return Aggregate("LAG", (named(value),), (offset,) if default is None else (offset, default))


def lead(value: str | Term, offset: int = 1, default: Any = None) -> Aggregate:
    """Take the value ``offset`` rows behind, for ``over`` input that ends; ``default`` where there is no such row."""
    return Aggregate("LEAD", (named(value),), (offset,) if default is None else (offset, default))


def row_number() -> Aggregate:
    """Number the rows from 1, for ``over``."""
    return Aggregate("ROW_NUMBER")


def rank() -> Aggregate:
    """Count the rows before the peers, plus 1, for ``over``."""
    return Aggregate("RANK")


def dense_rank() -> Aggregate:
    """Count the groups of peers before, plus 1, for ``over``."""
    return Aggregate("DENSE_RANK")


def percent_rank() -> Aggregate:
    """Take (rank - 1) / (rows - 1), for ``over`` input that ends."""
    return Aggregate("PERCENT_RANK")


def cume_dist() -> Aggregate:
    """Take the share of rows that are not behind the row's peers, for ``over`` input that ends."""
    return Aggregate("CUME_DIST")


def ntile(tiles: int) -> Aggregate:
    """Divide each partition into so many tiles, numbered from 1, for ``over`` input that ends."""
    return Aggregate("NTILE", (), (tiles,))
