"""Which piece computes a function of OVER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import ArrayType, DecimalType, FloatType, IntegerType, IntervalType, MapType, RowType
from fluxcore.errors import not_supported
from fluxcore.operators.order.over_frames import Frames, Running
from fluxcore.operators.order.over_places import DenseRank, Picked, Rank, RowNumber, Share, Shifted, Tile
from fluxcore.operators.order.over_values import Best, RunningSpread, Totals, WideTotals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.types import DataType
    from fluxcore.operators.order.frames import OverFunction
    from fluxcore.operators.order.over_call import OverCall

_PLACES: dict[str, type[OverCall]] = {
    "ROW_NUMBER": RowNumber, "RANK": Rank, "DENSE_RANK": DenseRank, "PERCENT_RANK": Share, "CUME_DIST": Share,
    "NTILE": Tile, "LAG": Shifted, "LEAD": Shifted, "FIRST_VALUE": Picked, "LAST_VALUE": Picked, "NTH_VALUE": Picked,
}  # fmt: skip
_SPREAD = {"VAR_POP", "VAR_SAMP", "VARIANCE", "STDDEV_POP", "STDDEV_SAMP", "STDDEV"}


def over_call(function: OverFunction, types: Sequence[DataType], prefix: str) -> OverCall:
    """Return the piece that computes a function over input columns of these types.

    Raises: ``ScriptError`` FX-SQL-0900 for what can't be computed yet.
    """
    return _kind(function, types)(function, types, prefix)


def _kind(function: OverFunction, types: Sequence[DataType]) -> type[OverCall]:
    call = function.call
    type_ = types[call.args[0]] if call.args else None
    if call.user is None:
        if call.function in _PLACES:
            return _PLACES[call.function]
        if call.function in ("MIN", "MAX"):
            if isinstance(type_, ArrayType | MapType | RowType):
                raise not_supported(f"{call.function} of {type_.name()} with OVER", span=call.span)
            return Best
        if call.function in ("COUNT", "SUM", "AVG"):
            quick = _quick_total(function, type_)
            if quick is not None:
                return quick
        running = function.unbounded and function.following == 0
        if call.function in _SPREAD and running and not call.distinct and not isinstance(type_, DecimalType):
            return RunningSpread
    return Running if function.unbounded and function.following == 0 else Frames


def _quick_total(function: OverFunction, type_: DataType | None) -> type[OverCall] | None:
    call = function.call
    nested = isinstance(type_, ArrayType | MapType | RowType)
    if call.function == "COUNT":
        return None if call.distinct and nested else Totals
    if isinstance(type_, DecimalType):
        return None if call.distinct else WideTotals
    if call.distinct and isinstance(type_, FloatType) and not function.unbounded:
        return None
    return Totals if isinstance(type_, IntegerType | FloatType | IntervalType) else None
