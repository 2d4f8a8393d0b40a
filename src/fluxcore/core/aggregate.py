"""What an aggregate function in Python is: an accumulator object per group that takes values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from fluxcore.core.types import DataType


class AggregateFunction:
    """The base of aggregate functions: override :meth:`create`, :meth:`accumulate` and :meth:`result`.

    An accumulator is any Python object that can be pickled, or that fits the Arrow type ``state`` where one is declared;
    methods may change it in place, or return another one. One function serves many groups and tasks at once: what it knows
    of a group belongs in the accumulator.
    """

    state: pa.DataType | None = None

    def create(self) -> Any:
        """Return the accumulator of a group that has no rows yet."""
        raise NotImplementedError

    def accumulate(self, accumulator: Any, *values: Any) -> Any:
        """Take a row's arguments, NULLs (None) too; return another accumulator, or None where it was changed in place."""
        raise NotImplementedError

    def retract(self, accumulator: Any, *values: Any) -> Any:
        """Take a row's arguments back; needed where the input is updated."""
        raise NotImplementedError

    def merge(self, accumulator: Any, other: Any) -> Any:
        """Add what another accumulator holds, which stays as it is; needed in windows that overlap, and in sessions."""
        raise NotImplementedError

    def result(self, accumulator: Any) -> Any:
        """Return the group's result; None is NULL."""
        raise NotImplementedError


class VectorAggregateFunction(AggregateFunction):
    """The base of aggregate functions that take the rows of many groups at once.

    ``accumulators`` below is the list of the groups' accumulators; entries may be changed in place or replaced.
    """

    def accumulate_batch(self, accumulators: list[Any], groups: Any, *columns: pa.Array) -> None:
        """Take rows: ``groups`` (NumPy int64) says for each row the place of its accumulator in the list."""
        raise NotImplementedError

    def retract_batch(self, accumulators: list[Any], groups: Any, *columns: pa.Array) -> None:
        """Take rows back; needed where the input is updated."""
        raise NotImplementedError


@dataclass(frozen=True)
class UserAggregate:
    """A function written in Python, and the type of its results."""

    function: AggregateFunction
    type: DataType

    @property
    def name(self) -> str:
        """Return the function's name for messages."""
        return type(self.function).__name__

    def can(self, method: str) -> bool:
        """Return whether the function has a method of its own, rather than the base's."""
        base = VectorAggregateFunction if method.endswith("_batch") else AggregateFunction
        return getattr(type(self.function), method, None) is not getattr(base, method)

    def result_type(self, args: Sequence[DataType]) -> DataType:  # noqa: ARG002
        """Return the type of the results over arguments of these types."""
        return self.type
